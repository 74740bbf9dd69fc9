#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J13
# title: an array whose journal cannot be read goes on as if it had been
# shows: loss
#
# A RAID5 with a journal is in the midst of a write, which one member has and the other two have
# not, when the power fails. When the array is assembled, the journal cannot be read for once. Then
# a member fails, and a spare takes its place. The array is stopped and assembled again, and now the
# journal is read. Later another member fails.
#
# A kernel that goes on without its log fails all that would write a stripe, so what it calls a
# rebuilt spare is nothing but bad blocks: the second failure is one too many. One that does not
# start leaves all as it is until the journal can be read. In the control it can be read at once.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3 /dev/disk4)

# cycle [FAIL]: sets LOST
cycle() {
	local writer
	disks_on 5 16
	array_journaled 5 3 write-through
	mdadm --add "$MD" /dev/disk4 2> /dev/null || broken "no spare"
	random_blocks /tmp/data 32
	dd if=/tmp/data of="$MD" bs=128k count=1 oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	# disk0 and disk1 have data, disk2 parity
	hold "2 write 2048 2055"
	random_blocks /tmp/new 1
	dd if=/tmp/new of="$MD" bs=4k count=1 oflag=direct conv=notrunc,fsync status=none &
	writer=$!
	dd if=/tmp/new of=/tmp/data conv=notrunc status=none
	wait_for 10 "[ \"\$(held_by '2 write 2048 2055')\" = 1 ]" || broken "no parity is written"
	wait_for 10 "dd if=/dev/disk0 bs=4k count=1 skip=256 iflag=direct status=none |
		cmp -s - /tmp/new" || broken "the data is not written"
	echo "cut keep" > "$GROUP/power" || broken "crashblk: cut keep"
	release
	wait "$writer"
	power_back
	if [ -n "${1:-}" ]; then
		echo "$1" > "$GROUP/fail" || broken "crashblk: fail $1"
	fi
	if within 25 mdadm --assemble "$MD" --quiet "${DISKS[@]}" > /run/assemble.log 2>&1; then
		say "${1:-nothing fails}: the array is started"
		mdadm --fail "$MD" /dev/disk1 2> /dev/null || broken "disk1 does not fail"
		wait_for 30 "[ \"\$(< $MDSYS/degraded)\" = 0 ]" || broken "no spare takes its place"
		array_stop
	else
		[ -n "${1:-}" ] || broken "$(< /run/assemble.log)"
		say "$1: the array is not started"
		[ ! -e "$MDSYS" ] || array_stop
	fi
	[ -z "${1:-}" ] || ! grep -q matched=0 "$GROUP/fail" || broken "nothing has failed"
	echo all > "$GROUP/unfail"
	array_assemble "${DISKS[@]}"
	mdadm --fail "$MD" /dev/disk0 2> /dev/null || broken "disk0 does not fail"
	LOST=$(blocks_lost 32)
	say "${1:-nothing fails}: $LOST of 32 blocks are lost"
	array_stop
	disks_off
}

cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle "3 read 2048 32767 count=1"
[ "$LOST" -eq 0 ] || shown "lost=$LOST blocks=32: the spare has nothing of the failed member"
exit 0
