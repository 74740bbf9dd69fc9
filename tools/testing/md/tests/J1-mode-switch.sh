#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J1
# title: the cache is dropped when its mode changes
# shows: loss
#
# A RAID5 with a write-back journal, whose cache holds blocks that were fsynced. The journal is
# switched to write-through, and other stripes are written until those blocks have left the stripe
# cache. No power fails.
#
# A kernel that switches without writing the cache out forgets it: a dirty stripe goes where clean
# ones go, and the blocks read back as they were before. In the control the mode stays.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle [MODE]: sets LOST
cycle() {
	disks_on 4 16
	array_journaled 5 3 write-back
	half_stripes /tmp/data "$((2 * BLOCKS))"
	if [ -n "${1:-}" ]; then
		within 20 tee "$MDSYS/journal_mode" <<< "$1" > /dev/null || broken "no $1"
		grep -qF "[$1]" "$MDSYS/journal_mode" || broken "the mode did not change"
	fi
	stripes_forgotten "$((2 * BLOCKS))" 1024
	LOST=$(lost_blocks /tmp/data) || exit
	say "${1:-the mode stays}: $LOST of $BLOCKS blocks are lost"
	array_stop
	disks_off
}

cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle write-through
none_lost "$LOST" "$BLOCKS"
exit 0
