#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: C17
# title: what a member has lost with its cache is not copied when it is added again
# shows: loss
#
# A RAID1 of two with an internal bitmap, on members with volatile caches, and each with a power
# plug of its own. 16 blocks are written, without a flush; then the second member loses its power,
# fails, and is added again. Once it is recovered the array is flushed, as fsync() does, and the
# first member fails.
#
# A kernel that copies only what was written while the member was away goes on without the blocks:
# fsync() has returned, and no other power was lost. In the control they are flushed before.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=16
OTHER=${GROUP%/*}/other

# cycle flushed|cached: sets LOST
cycle() {
	local sync=

	disks_on 1 8
	GROUP=$OTHER disks_on 1 8
	array_create --level=1 --raid-devices=2 --assume-clean --data-offset=1M --bitmap=internal \
		/dev/disk0 /dev/other0
	# no superblock may be written after the blocks: it would flush
	echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
	random_blocks /tmp/data "$BLOCKS"
	dd if=/dev/zero of="$MD" bs=64k count=1 oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	bits_cleared 1000

	[ "$1" = cached ] || sync=,fsync
	dd if=/tmp/data of="$MD" bs=64k count=1 oflag=direct conv="notrunc$sync" status=none ||
		broken "the array does not take the data"
	echo cut > "$OTHER/power" || broken "crashblk: cut"
	mdadm --fail --quiet "$MD" /dev/other0 || broken "/dev/other0 does not fail"
	wait_for 10 "mdadm --remove --quiet $MD /dev/other0 2> /dev/null" ||
		broken "/dev/other0 is not removed"
	echo on > "$OTHER/power" || broken "crashblk: power on"
	mdadm --re-add --quiet "$MD" /dev/other0 || broken "/dev/other0 is not added again"
	wait_for 30 "[ \"\$(< $MDSYS/degraded)\" = 0 ]" || broken "/dev/other0 is not recovered"
	# of a block that is no part of this: only the flush matters
	dd if=/dev/zero of="$MD" bs=4k count=1 seek=512 conv=notrunc,fsync status=none ||
		broken "the array does not take a flush"
	mdadm --fail --quiet "$MD" /dev/disk0 || broken "/dev/disk0 does not fail"
	LOST=$(lost_blocks /tmp/data) || exit
	array_stop
	disks_off
	GROUP=$OTHER disks_off
	say "the blocks are $1: $LOST of $BLOCKS are lost"
}

cycle flushed
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle cached
[ "$LOST" -eq 0 ] ||
	shown "lost=$LOST blocks=$BLOCKS: fsynced blocks are not on the member that came back"
exit 0
