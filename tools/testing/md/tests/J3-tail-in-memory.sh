#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J3
# title: log space is reused before the new tail is on the journal
# shows: loss
#
# A RAID5 with a journal of about 1000 blocks; members and journal have volatile caches. A
# superblock update is held in the midst of it (the write to one member), so that no other can
# begin. Then 64 blocks are overwritten and fsynced, pass after pass, until the block that the
# tail on the journal names holds data or parity, or the array takes no more; and the power fails.
# In both journal modes, with a journal that discards and one that does not.
#
# A kernel that reuses log space as soon as the new tail is in memory overwrites the block that
# the tail on the journal names. Recovery finds no log there and drops all of it: what was in the
# log and in the members' caches alone reads back as it was before. A kernel that waits for its
# tail stops taking writes instead; what it has acknowledged by then it keeps, and without a power
# cut it goes on when the update does. The control ends before the journal is full, and must keep
# everything on any kernel.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64
DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3)

# journal_word BLOCK OFFSET: an integer of 4 bytes on the journal, past the page cache
# shellcheck disable=SC2317 # called by passes_ended_or_stalled
journal_word() {
	dd if=/dev/disk3 bs=4k count=1 skip="$1" iflag=direct status=none | od -An -tu4 -j"$2" -N4
}

# tail_overwritten: the block at the tail begins with something else than a record's magic number
# shellcheck disable=SC2317 # likewise
tail_overwritten() {
	local tail
	tail=$(journal_word 1 152)	# journal_tail, in sectors from the data offset of 1 MiB
	[ "$(journal_word "$((256 + tail / 8))" 0)" -ne $((0x6433c509)) ]
}

# cycle MODE DISCARD PASSES [on]: sets LOST and ACKED; the power stays on
cycle() {
	local mode=$1 discard=$2 passes=$3 power=${4:-cut} update

	disks_on 4 5 "discard=0 0 0 $discard"
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
	passes_ended_or_stalled tail_overwritten
	ACKED=$(passes_acked)
	if [ "$power" = cut ]; then
		power_cut
		release all
		wait "$update"
		passes_end
		power_back
		array_assemble "${DISKS[@]}"
	else
		release all
		wait "$update"
		wait_for 30 passes_ended || broken "the writes that waited do not go on"
		ACKED=$(passes_acked)
		[ "$ACKED" -eq "$passes" ] || broken "a pass failed"
		passes_end
	fi
	LOST=$(passes_lost "$BLOCKS" "$ACKED") || exit
	array_stop
	disks_off
	say "$mode, discard $discard: $ACKED of $passes passes were acknowledged," \
		"$LOST of $BLOCKS blocks are lost"
}

cycle write-through 0 2
[ "$ACKED" -eq 2 ] || broken "the control does not get as far as it must"
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
for MODE in write-through write-back; do
	cycle "$MODE" 1 20 on
	[ "$LOST" -eq 0 ] || broken "data is lost without a power cut"
done
WORST=0
for MODE in write-through write-back; do
	for DISCARD in 0 1; do
		cycle "$MODE" "$DISCARD" 100
		[ "$ACKED" -ge 1 ] || broken "no pass was acknowledged"
		[ "$LOST" -le "$WORST" ] || WORST=$LOST
	done
done
none_lost "$WORST" "$BLOCKS"
exit 0
