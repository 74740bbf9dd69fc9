#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J10
# title: what is written after a discard is discarded when the cache is written out
# shows: loss
#
# A RAID5 of three with a write-back journal, on members that discard. A row is discarded, then
# written and fsynced, and the array is stopped, which writes the cache out.
#
# A kernel whose cached blocks stay marked as discarded sends the members a discard in place of
# the data. The control does the same without the discard. That the array refuses to discard is
# fine.

# shellcheck source=rc.sh
. /guest/rc.sh

PARAMETER=/sys/module/raid456/parameters/devices_handle_discard_safely
requires mdadm cmp blkdiscard /sys/kernel/config/crashblk $PARAMETER

BLOCKS=16
DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3)

# cycle [discard]: sets LOST
cycle() {
	disks_on 4 8 discard=1
	array_journaled 5 3 write-back
	if [ -n "${1:-}" ]; then
		blkdiscard --offset 0 --length 131072 "$MD" || say "no discards here"
	fi
	random_blocks /tmp/data "$BLOCKS"
	dd if=/tmp/data of="$MD" bs=4k oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	[ "$(lost_blocks /tmp/data)" -eq 0 ] || broken "the array does not give the data back"
	array_stop
	array_assemble "${DISKS[@]}"
	LOST=$(lost_blocks /tmp/data) || exit
	array_stop
	disks_off
	say "${1:-no discard}: $LOST of $BLOCKS blocks are lost"
}

echo Y > "$PARAMETER" || broken "no $PARAMETER"
cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle discard
[ "$LOST" -eq 0 ] || shown "lost=$LOST blocks=$BLOCKS: a discard went in place of the data"
exit 0
