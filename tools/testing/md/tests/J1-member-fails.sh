#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J1
# title: the cache is dropped when a member fails
# shows: crash
#
# A RAID5 or RAID6 with a write-back journal, whose cache holds blocks that were fsynced. One member
# fails, or two of the RAID6: no more than the array can do without. md turns write-back off then.
# Other stripes are written until those blocks have left the stripe cache. No power fails.
#
# A kernel that turns write-back off without writing the cache out is full of stripes that it
# believes impossible: the first degraded read of one is a BUG(). Without it the blocks would read
# back as they were before. In the control no member fails.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle LEVEL MEMBERS [FAILED...]: sets LOST
cycle() {
	local level=$1 members=$2 disk
	shift 2

	disks_on "$((members + 1))" 16
	array_journaled "$level" "$members" write-back
	half_stripes /tmp/data "$((2 * BLOCKS))"
	for disk; do
		mdadm --fail "$MD" "/dev/$disk" 2> /dev/null || broken "$disk does not fail"
	done
	if [ $# -gt 0 ]; then
		wait_for 20 "grep -qF '[write-through]' $MDSYS/journal_mode" ||
			broken "write-back is not turned off"
	fi
	stripes_forgotten "$((2 * BLOCKS))" 1024
	LOST=$(lost_blocks /tmp/data) || exit
	say "RAID$level of $members, $# failed: $LOST of $BLOCKS blocks are lost"
	array_stop
	disks_off
}

cycle 5 3
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle 6 4
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
WORST=0
cycle 5 3 disk0
[ "$LOST" -le "$WORST" ] || WORST=$LOST
cycle 6 4 disk0
[ "$LOST" -le "$WORST" ] || WORST=$LOST
cycle 6 4 disk1 disk3
[ "$LOST" -le "$WORST" ] || WORST=$LOST
none_lost "$WORST" "$BLOCKS"
exit 0
