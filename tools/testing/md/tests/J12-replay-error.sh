#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J12
# title: a member that cannot take what recovery replays stays in the array
# shows: loss
#
# A RAID5 with a write-through journal; members and journal have volatile caches. Blocks are
# written and fsynced, and the power fails. When the array is assembled, a member fails the write
# of one block, which is written once by the replay.
#
# A kernel that does not look at the result keeps that member, with the old block, and forgets the
# record. One that looks fails the member and makes the block from the others. In the control no
# write fails. In a third cycle the member fails its flush instead; the array must start.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle [FAIL]: sets LOST
cycle() {
	disks_on 4 5
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	random_blocks /tmp/data "$BLOCKS"
	dd if=/tmp/data of="$MD" bs=4k oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	power_cut
	power_back
	if [ -n "${1:-}" ]; then
		echo "$1" > "$GROUP/fail" || broken "crashblk: fail $1"
	fi
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	[ -z "${1:-}" ] || ! grep -q matched=0 "$GROUP/fail" || broken "nothing has failed"
	echo all > "$GROUP/unfail"
	LOST=$(lost_blocks /tmp/data) || exit
	# and it works
	dd if=/tmp/data of="$MD" bs=4k oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take data after the replay"
	say "${1:-nothing fails}: degraded $(< "$MDSYS/degraded"), $LOST of $BLOCKS blocks are lost"
	array_stop
	disks_off
}

cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle "1 flush count=1"
[ "$LOST" -eq 0 ] || broken "a flush that fails loses data"
# block 16 of the array, the first of the second member
cycle "1 write 2048 2055"
none_lost "$LOST" "$BLOCKS"
exit 0
