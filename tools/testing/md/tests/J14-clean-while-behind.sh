#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J14
# title: the array is called clean while the members are behind
# shows: disorder
#
# A RAID5 with a write-back journal, whose cache holds blocks that were fsynced, and nobody writes
# any more. At the moment when array_state says "clean", by itself or by hand, the members are
# looked at.
#
# A kernel that counts writes alone says "clean" as soon as the journal has them: the members hold
# the blocks as they were before. A kernel that counts what is cached says "active" until it is
# written out, which an idle array does by itself, and then "clean".

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle MODE [hand]: sets BEHIND
cycle() {
	disks_on 4 16
	array_journaled 5 3 "$1"
	half_stripes /tmp/data "$((2 * BLOCKS))"
	if [ -n "${2:-}" ]; then
		# it is refused as long as it is not so
		wait_for 30 "echo clean 2> /dev/null > $MDSYS/array_state" ||
			broken "it cannot be marked clean"
	else
		wait_for 30 "[ \"\$(< $MDSYS/array_state)\" = clean ]" ||
			broken "it does not become clean"
	fi
	BEHIND=$((BLOCKS - $(on_members /tmp/data)))
	say "$1${2:+, by $2}: clean, and $BEHIND of $BLOCKS blocks are not on the members"
	array_stop
	disks_off
}

cycle write-through
[ "$BEHIND" -eq 0 ] || broken "on_members looks in the wrong place"
WORST=0
cycle write-back
[ "$BEHIND" -le "$WORST" ] || WORST=$BEHIND
cycle write-back hand
[ "$BEHIND" -le "$WORST" ] || WORST=$BEHIND
[ "$WORST" -eq 0 ] || shown "behind=$WORST blocks=$BLOCKS: clean, and the members do not have them"
exit 0
