#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J24
# title: a dm-raid table that is loaded recovers from a journal that is in use
# shows: loss
#
# A raid5 of dm-raid with a journal has fsynced blocks. The same table is loaded once more, as who
# changes a parameter does; while it waits the blocks are overwritten, with fsync. Then the
# device is suspended and resumed, which makes the loaded table the active one, and the blocks are
# read.
#
# A kernel that starts the journal when the table is loaded recovers from it beside the table
# that writes to it: the new one begins with a cache of what it found. In the control the table
# is loaded while the device is suspended.

# shellcheck source=rc.sh
. /guest/rc.sh

requires dmsetup cmp /sys/kernel/config/crashblk

BLOCKS=64
# shellcheck disable=SC2034 # for half_stripes and lost_blocks
MD=/dev/mapper/lv

# cycle MODE beside|suspended: sets LOST
cycle() {
	disks_on 7 8
	dm_new lv < <(dm_raid_table "$1")
	half_stripes /tmp/data "$((2 * BLOCKS))"
	if [ "$2" = beside ]; then
		dmsetup load lv < <(dm_raid_table "$1") || broken "the table is not loaded"
	fi
	half_stripes /tmp/data "$((2 * BLOCKS))"
	within 30 dmsetup suspend --nolockfs --noudevsync lv || broken "suspend"
	if [ "$2" = suspended ]; then
		dmsetup load lv < <(dm_raid_table "$1") || broken "the table is not loaded"
	fi
	within 30 dm_resume lv || broken "resume"
	LOST=$(lost_blocks /tmp/data) || exit
	say "$1, $2: $LOST of $BLOCKS blocks are lost"
	within 30 dm_del lv || broken "the device cannot be removed"
	disks_off
}

WORST=0
for MODE in writethrough writeback; do
	cycle "$MODE" suspended
	[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
	cycle "$MODE" beside
	[ "$LOST" -le "$WORST" ] || WORST=$LOST
done
[ "$WORST" -eq 0 ] ||
	shown "lost=$WORST blocks=$BLOCKS: fsynced blocks read back as they were before"
exit 0
