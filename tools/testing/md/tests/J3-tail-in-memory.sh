#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J3
# title: log space is reused before the new tail is on the journal
# shows: loss
#
# A RAID5 with a journal of about 1000 blocks; members and journal have volatile caches. A
# superblock update is held in the midst of it (the write to one member), so that no other can
# begin. Then 64 blocks are overwritten with O_DSYNC, pass after pass, often enough to go round
# the journal, and the power fails.
#
# A kernel that reuses log space as soon as the new tail is in memory overwrites the block that
# the tail on the journal names. Recovery finds no log there and drops all of it: what was in the
# log and in the members' caches alone reads back as it was before. A kernel that waits for its
# tail stops taking writes instead; what it has acknowledged by then it keeps. The control ends
# before the journal is full, and must keep everything on any kernel.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64
DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3)

# cycle MODE PASSES: sets LOST and ACKED
cycle() {
	local mode=$1 passes=$2 update

	disks_on 4 5
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	echo "$mode" > "$MDSYS/journal_mode" || broken "no $mode"
	echo 0 > "$MDSYS/safe_mode_delay"
	passes_begin "$BLOCKS" 1
	wait_for 30 passes_ended || broken "the array does not take the data"

	# From here on a superblock update ends only when the hold does.
	hold "1 write 8 15"
	echo failfast > "$MDSYS/dev-disk1/state" &
	update=$!
	wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "no superblock update"
	passes_begin "$BLOCKS" "$passes"
	passes_ended_or_stalled
	ACKED=$(passes_acked)
	power_cut
	release all
	wait "$update"
	passes_end
	power_back
	array_assemble "${DISKS[@]}"
	LOST=$(passes_lost "$BLOCKS" "$ACKED") || exit
	array_stop
	disks_off
	say "$mode: $ACKED of $passes passes were acknowledged, $LOST of $BLOCKS blocks are lost"
}

cycle write-through 2
[ "$ACKED" -eq 2 ] || broken "the control does not get as far as it must"
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
WORST=0
for MODE in write-through write-back; do
	cycle "$MODE" 10
	[ "$ACKED" -ge 1 ] || broken "no pass was acknowledged"
	[ "$LOST" -le "$WORST" ] || WORST=$LOST
done
[ "$WORST" -eq 0 ] ||
	shown "lost=$WORST blocks=$BLOCKS: O_DSYNC blocks read back as they were before"
exit 0
