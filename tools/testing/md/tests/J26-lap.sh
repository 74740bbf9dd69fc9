#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J26
# title: dm-raid's journal is not recovered once it has gone round
# shows: loss
#
# A raid5 of dm-raid with a journal of 8 MiB is written to, as much as fills part of the journal, or
# one lap and a half. Then blocks are written, with fsync, and the power fails: the members have
# them in their caches at most. They are read when it is back.
#
# Recovery of dm-raid begins at the journal's first block. On a kernel whose log goes round the
# midst of a record is there, and nothing is found; nor is it once what lies behind the tail is
# discarded, with block 0. In the control the log has not gone round, and does not discard.

# shellcheck source=rc.sh
. /guest/rc.sh

requires dmsetup cmp fio /sys/kernel/config/crashblk

BLOCKS=64
# shellcheck disable=SC2034 # for half_stripes and lost_blocks
MD=/dev/mapper/lv

# cycle MODE STRIPES DISCARD: as many full stripes first, each takes 49 blocks of the journal's
# 2048; sets LOST
cycle() {
	disks_on 7 8 discard="$3"
	dm_new lv < <(dm_raid_table "$1")
	dd if=/dev/zero of="$MD" bs=128k count="$2" seek=8 oflag=direct conv=notrunc,fsync \
		status=none || broken "the array does not take the data"
	half_stripes /tmp/data "$((2 * BLOCKS))"
	power_cut
	dm_power_back lv < <(dm_raid_table "$1")
	LOST=$(lost_blocks /tmp/data) || exit
	say "$1, $2 stripes before, discard=$3: $LOST of $BLOCKS blocks are lost"
	dm_off lv
}

# laps MODE: 16 writes at once, which wait for space at the end of each
laps() {
	disks_on 7 8
	dm_new lv < <(dm_raid_table "$1")
	fio_verified "$1" "$MD" 14m
	say "$1: 3584 writes at random verified"
	dm_off lv
}

WORST=0
for MODE in writethrough writeback; do
	cycle "$MODE" 15 0
	[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
	for HOW in '15 1' '38 0' '41 0' '64 0'; do
		# shellcheck disable=SC2086 # two words
		cycle "$MODE" $HOW
		[ "$LOST" -le "$WORST" ] || WORST=$LOST
	done
	[ "$WORST" -gt 0 ] || laps "$MODE"
done
none_lost "$WORST" "$BLOCKS"
exit 0
