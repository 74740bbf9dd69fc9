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
#
# A kernel that begins it at that block forgets the old log. Not too early: a member fails the write
# of a block, which is written once by the replay, and the power fails before the metadata devices
# have that on record. (The base passes this cycle: it never forgets the old log.)

# shellcheck source=rc.sh
. /guest/rc.sh

requires dmsetup cmp awk /sys/kernel/config/crashblk

BLOCKS=64
# shellcheck disable=SC2034 # for half_stripes and lost_blocks
MD=/dev/mapper/lv

# cycle MODE once|twice: sets LOST
cycle() {
	disks_on 7 8
	dm_new lv < <(dm_raid_table "$1")
	if [ "$2" = twice ]; then
		half_stripes /tmp/data "$((2 * BLOCKS))"
		within 25 dm_del lv || broken "the device cannot be removed"
		dm_new lv < <(dm_raid_table "$1")
	fi
	half_stripes /tmp/data "$((2 * BLOCKS))"
	power_cut
	dm_power_back lv < <(dm_raid_table "$1")
	LOST=$(lost_blocks /tmp/data) || exit
	say "$1, $2: $LOST of $BLOCKS blocks are lost"
	dm_off lv
}

# replay_fails: sets LOST
replay_fails() {
	local maker
	disks_on 7 8
	dm_new lv < <(dm_raid_table writethrough)
	random_blocks /tmp/data "$BLOCKS"
	dd if=/tmp/data of="$MD" bs=4k oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	power_cut
	within 25 dm_del lv || broken "lv cannot be removed after the cut"
	echo on > "$GROUP/power" || broken "crashblk: power on"
	# block 16 of the array, the first of the second member
	echo "1 write 0 7 count=1" > "$GROUP/fail" || broken "crashblk: fail"
	hold "3 write" "4 write" "5 write"
	dmsetup create lv --noudevsync < <(dm_raid_table writethrough) &
	maker=$!
	wait_for 20 "! grep -q matched=0 $GROUP/fail" || broken "nothing has failed"
	wait_for 20 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "no metadata is written"
	power_cut
	echo all > "$GROUP/unfail"
	release all
	wait "$maker" || say "the device is not made"
	! dmsetup info lv > /dev/null 2>&1 || within 25 dm_del lv ||
		broken "lv cannot be removed after the cut"
	echo on > "$GROUP/power" || broken "crashblk: power on"
	dm_new lv < <(dm_raid_table writethrough)
	LOST=$(lost_blocks /tmp/data) || exit
	say "a member fails the replay: $LOST of $BLOCKS blocks are lost"
	dm_off lv
}

WORST=0
for MODE in writethrough writeback; do
	cycle "$MODE" once
	[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
	cycle "$MODE" twice
	[ "$LOST" -le "$WORST" ] || WORST=$LOST
done
replay_fails
[ "$LOST" -le "$WORST" ] || WORST=$LOST
none_lost "$WORST" "$BLOCKS"
exit 0
