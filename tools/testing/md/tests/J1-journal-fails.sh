#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J1
# title: the cache is not written out when the journal fails
# shows: loss
#
# A RAID5 with a write-back journal, whose cache holds blocks that were fsynced. The journal fails;
# all members are well. What is in memory is now the only copy.
#
# A kernel that turns write-back off without writing the cache out keeps it there until it is
# dropped: seconds later the members still do not have it. A kernel that writes it out has it on the
# members, and durable, once write-back is off: then the power fails, or the array is stopped, or
# the journal removed and the array stopped; and, assembled without its journal, it must have all of
# it.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

disks_on 4 16
array_journaled 5 3 write-through
half_stripes /tmp/data "$((2 * BLOCKS))"
[ "$(on_members /tmp/data)" -eq "$BLOCKS" ] || broken "on_members looks in the wrong place"
array_stop
disks_off

# the name of the mode is gone with the log
# shellcheck disable=SC2317 # called by wait_for
off() {
	! grep -qF "[write-back]" "$MDSYS/journal_mode"
}

# cycle cut|stop|remove: what comes after the failure; sets LOST
cycle() {
	disks_on 4 16
	array_journaled 5 3 write-back
	half_stripes /tmp/data "$((2 * BLOCKS))"
	[ "$(on_members /tmp/data)" -eq 0 ] || broken "the cache holds nothing"
	mdadm --fail "$MD" /dev/disk3 2> /dev/null || broken "the journal does not fail"
	wait_for 20 off || broken "write-back is not turned off"
	if ! wait_for 5 "[ \$(on_members /tmp/data) -eq $BLOCKS ]"; then
		LOST=$((BLOCKS - $(on_members /tmp/data)))
		end_by_power_cut
		shown "lost=$LOST blocks=$BLOCKS: fsynced blocks are in memory only"
	fi
	case $1 in
	cut)
		power_cut
		power_back
		;;
	remove)
		wait_for 10 "mdadm --remove $MD /dev/disk3 2> /dev/null" ||
			broken "the journal cannot be removed"
		within 20 mdadm --readonly "$MD" || broken "the array does not become read-only"
		LOST=$(lost_blocks /tmp/data) || exit
		[ "$LOST" -eq 0 ] || broken "$LOST blocks are lost before the stop"
		array_stop
		;;
	stop)
		array_stop
		;;
	esac
	array_assemble --force --run /dev/disk0 /dev/disk1 /dev/disk2
	LOST=$(lost_blocks /tmp/data) || exit
	say "the journal failed, then $1: $LOST of $BLOCKS blocks are lost"
	array_stop
	disks_off
}

WORST=0
for THEN in cut stop remove; do
	cycle "$THEN"
	[ "$LOST" -le "$WORST" ] || WORST=$LOST
done
none_lost "$WORST" "$BLOCKS"
exit 0
