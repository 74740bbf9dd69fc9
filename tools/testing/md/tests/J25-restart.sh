#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J25
# title: what dm-raid logs after a restart is not recovered
# shows: loss
#
# A raid5 of dm-raid with a journal is written to, removed and made again. Then blocks are
# written, with fsync, and the power fails: the members have them in their caches at most. They
# are read when it is back.
#
# A kernel that begins the log of the second activation behind that of the first one, with other
# sequence numbers, does not find it: recovery of dm-raid begins at the journal's first block. In
# the control there is no first activation.

# shellcheck source=rc.sh
. /guest/rc.sh

requires dmsetup cmp /sys/kernel/config/crashblk

BLOCKS=64
# shellcheck disable=SC2034 # for half_stripes and lost_blocks
MD=/dev/mapper/lv

# cycle MODE once|twice: sets LOST
cycle() {
	disks_on 7 8
	dm_new lv < <(dm_raid_table "$1")
	if [ "$2" = twice ]; then
		half_stripes /tmp/data "$((2 * BLOCKS))"
		within 30 dm_del lv || broken "the device cannot be removed"
		dm_new lv < <(dm_raid_table "$1")
	fi
	half_stripes /tmp/data "$((2 * BLOCKS))"
	power_cut
	dm_power_back lv < <(dm_raid_table "$1")
	LOST=$(lost_blocks /tmp/data) || exit
	say "$1, $2: $LOST of $BLOCKS blocks are lost"
	dm_off lv
}

WORST=0
for MODE in writethrough writeback; do
	cycle "$MODE" once
	[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
	cycle "$MODE" twice
	[ "$LOST" -le "$WORST" ] || WORST=$LOST
done
none_lost "$WORST" "$BLOCKS"
exit 0
