#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J24
# title: a dm-raid table that is loaded recovers from a journal that is in use
# shows: loss
#
# A raid5 of dm-raid with a journal has fsynced blocks. The same table is loaded once more, as who
# changes a parameter does; while it waits the blocks are overwritten, with fsync. Then the
# device is suspended and resumed, which makes the loaded table the active one. The other block of
# each stripe is written. When the stripe cache has forgotten all that, parity is checked.
#
# A kernel that starts the journal when the table is loaded recovers from it beside the table
# that writes to it: the new one begins with a cache of what it found, of which it makes parity. In
# the control the table is loaded while the device is suspended. One that starts it when the table
# becomes active may be told to forget the table, and refuses to resume, each time, with a journal
# that cannot be read; it has everything when that can be read again. It stays in write-through if
# the table lost a member.

# shellcheck source=rc.sh
. /guest/rc.sh

requires dmsetup cmp /sys/kernel/config/crashblk

BLOCKS=64
# shellcheck disable=SC2034 # for half_stripes and lost_blocks
MD=/dev/mapper/lv

# others_too: what half_stripes left out
others_too() {
	local i
	for ((i = 16; i < 2 * BLOCKS; i += 32)); do
		random_blocks /tmp/other 16
		dd if=/tmp/other of="$MD" bs=4k seek="$i" oflag=direct conv=notrunc,fsync \
			status=none || broken "the array does not take the data"
	done
}

# status WORD: of the target's status
status() {
	dmsetup status lv | awk -v word="$1" '{ print $word }'
}

# cycle MODE beside|suspended: sets MISMATCH
cycle() {
	disks_on 7 8
	dm_new lv < <(dm_raid_table "$1")
	half_stripes /tmp/data "$((2 * BLOCKS))"
	if [ "$2" = beside ]; then
		dmsetup load lv < <(dm_raid_table "$1") || broken "the table is not loaded"
	fi
	half_stripes /tmp/data "$((2 * BLOCKS))"
	within 25 dmsetup suspend --nolockfs --noudevsync lv || broken "suspend"
	if [ "$2" = suspended ]; then
		dmsetup load lv < <(dm_raid_table "$1") || broken "the table is not loaded"
	fi
	within 25 dm_resume lv || broken "resume"
	others_too
	stripes_forgotten "$((2 * BLOCKS))" 256
	dmsetup message lv 0 check || broken "no check"
	wait_for 30 "[ \"\$(status 8)\" = idle ]" || broken "the check does not end"
	MISMATCH=$(status 9)
	say "$1, $2: mismatch_cnt $MISMATCH"
	dm_off lv
}

WORST=0
for MODE in writethrough writeback; do
	cycle "$MODE" suspended
	[ "$MISMATCH" -eq 0 ] || broken "parity is wrong in the control: the set-up is wrong"
	cycle "$MODE" beside
	[ "$MISMATCH" -le "$WORST" ] || WORST=$MISMATCH
done
[ "$WORST" -eq 0 ] ||
	shown "lost=$((WORST / 8)) blocks=$BLOCKS: stripes whose parity fits no data"

disks_on 7 8
dm_new lv < <(dm_raid_table writeback)
half_stripes /tmp/data "$((2 * BLOCKS))"
dmsetup load lv < <(dm_raid_table writeback) || broken "the table is not loaded"
within 25 dmsetup clear --noudevsync lv || broken "the table is not forgotten"
within 25 dmsetup suspend --nolockfs --noudevsync lv || broken "suspend"
dmsetup load lv < <(dm_raid_table writeback) || broken "the table is not loaded"
echo "6 read 0 16383" > "$GROUP/fail" || broken "crashblk: fail"
for TRY in first second; do
	! within 25 dm_resume lv 2> /dev/null || broken "the $TRY resume succeeds without its log"
done
echo all > "$GROUP/unfail"
! within 25 dm_resume lv 2> /dev/null || broken "a resume succeeds without its log"
dmsetup load lv < <(dm_raid_table writeback) || broken "the table is not loaded"
within 25 dm_resume lv || broken "resume"
LOST=$(lost_blocks /tmp/data) || exit
none_lost "$LOST" "$BLOCKS"

# a table that wants write-back, and has lost a member
within 25 dmsetup suspend --nolockfs --noudevsync lv || broken "suspend"
dmsetup load lv < <(dm_raid_table writeback | sed 's,/dev/disk4 /dev/disk1,- -,') ||
	broken "the table is not loaded"
within 25 dm_resume lv || broken "the degraded table is not resumed"
[ "$(status 11)" = A ] || broken "a degraded set is not in write-through mode: $(dmsetup status lv)"
LOST=$(lost_blocks /tmp/data) || exit
dm_off lv
none_lost "$LOST" "$BLOCKS"
exit 0
