#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J6
# title: a block that is written again and again takes the machine with it
# shows: crash or hang
#
# A RAID5 with a write-back journal of 16 MiB. Six writers write one and the same block, so that a
# write always waits for it.
#
# A kernel that goes on caching what is in the journal already, however little space that has
# left, never writes the stripe out, and the log's tail stays at it: at last there is no space for
# the stripe that would have to be written out to get some, which is a BUG(), or waits for ever.
# Without it they must end, with the array and its parity as they should be. The control is one
# writer.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/crashblk

# as_it_goes: a line every few seconds, as long as the array's count of writes grows
as_it_goes() {
	local last='' now
	while :; do
		now=$(awk '{ print $5 }' "${MDSYS%/md}/stat")
		[ "$now" = "$last" ] || say "$now writes"
		last=$now
		pause 5
	done
}

# cycle JOBS WRITES
cycle() {
	local ticker
	disks_on 4 16 cache=0
	array_journaled 5 3 write-back
	as_it_goes &
	ticker=$!
	within 120 fio --name=hot --filename="$MD" --size=4k --bs=4k --rw=randwrite --direct=1 \
		--ioengine=psync --thread --numjobs="$1" --number_ios="$2" --io_size=1g \
		--clocksource=clock_gettime --eta=never --output=/run/fio.log ||
		{ cat /run/fio.log; shown "$1 writers do not end"; }
	kill "$ticker"
	array_stop
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	within 20 dd if="$MD" of=/dev/null bs=4k count=1 iflag=direct status=none ||
		shown "the block cannot be read"
	echo check > "$MDSYS/sync_action" || broken "no check"
	within 25 mdadm --wait "$MD"
	[ "$(< "$MDSYS/mismatch_cnt")" -eq 0 ] ||
		shown "mismatch_cnt=$(< "$MDSYS/mismatch_cnt"): parity fits no data"
	array_stop
	disks_off
	say "$1 writers: done"
}

cycle 1 3000
cycle 6 3000
exit 0
