#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J27
# title: a write of a block that is being read is replaced by what was there before
# shows: loss
#
# A RAID5 with a journal, write-back. A block of the first row of chunks is written, which is cached
# then: reads of that row go through the stripe cache. A block of the second chunk is read, and its
# member holds the read. A block of the first chunk, in the same stripe, is read, then written, with
# fsync; both wait. Then the first read goes on, and the stripe has both at once. When all has ended
# the block is read again.
#
# A kernel that has it read, and puts the write into the same page, logs the new data and then reads
# the old over it; that is written out in the end. No power fails, nothing else does. In the control
# the block is not read.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

# inflight: reads and writes that the array has not ended
# shellcheck disable=SC2317 # called by wait_for
inflight() {
	awk '{ print $1 "+" $2 }' "/sys/block/${MD#/dev/}/inflight"
}

# read_block BLOCK, in the background
read_block() {
	dd if="$MD" of=/dev/null bs=4k count=1 skip="$1" iflag=direct status=none &
}

# cycle [read]: sets LOST
cycle() {
	local reads=1

	disks_on 4 8
	array_journaled 5 3 write-back
	random_blocks /tmp/data 1
	dd if=/tmp/data of="$MD" bs=4k seek=1 oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	hold "1 read 2048 2055"
	read_block 16
	wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "the read does not come to disk1"
	if [ -n "${1:-}" ]; then
		read_block 0
		reads=2
		wait_for 10 "[ \"\$(inflight)\" = 2+0 ]" || broken "no second read"
	fi
	rm -f /tmp/written
	{
		dd if=/tmp/data of="$MD" bs=4k oflag=direct conv=notrunc,fsync status=none &&
			touch /tmp/written
	} &
	wait_for 10 "[ \"\$(inflight)\" = $reads+1 ]" || broken "no write beside $reads reads"
	release all
	wait
	[ -e /tmp/written ] || broken "the array does not take the data"
	LOST=$(lost_blocks /tmp/data) || exit
	array_stop
	disks_off
	say "${1:-no read}: $LOST of 1 block lost"
}

cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle read
none_lost "$LOST" 1
exit 0
