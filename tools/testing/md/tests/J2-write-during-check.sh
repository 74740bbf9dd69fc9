#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J2
# title: a write to a stripe that is being checked goes around the journal
# shows: loss
#
# A RAID5 of five with a write-through journal, no volatile caches. A block is written and fsynced:
# it is in the journal, and on its member. A check begins, and one of its reads of that stripe is
# held. The block is written again, with O_DSYNC; the read is let go, and when the write is
# acknowledged the power fails.
#
# A kernel that logs nothing of a stripe that is being checked has the second write on the members
# only, and recovery replays the first one over it. The control does the same without the check.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3 /dev/disk4 /dev/disk5)

# block FILE FLAGS
block() {
	dd if="$1" of="$MD" bs=4k count=1 oflag="direct$2" conv=notrunc status=none ||
		broken "the array does not take the block"
}

# cycle [check]: sets LOST
cycle() {
	local writer

	disks_on 6 5 cache=0
	array_journaled 5 5 write-through
	random_blocks /tmp/old 1
	random_blocks /tmp/new 1
	block /tmp/old ,dsync
	if [ -n "${1:-}" ]; then
		# read-modify-write has read the block's own member, and the parity's
		hold "1 read 2048 2055"
		echo check > "$MDSYS/sync_action" || broken "no check"
		wait_for 10 "grep -q '1 read 2048 2055 .*held=1' $GROUP/hold" ||
			broken "the check does not read the stripe"
	fi
	block /tmp/new ,dsync &
	writer=$!
	if [ -n "${1:-}" ]; then
		wait_for 10 "[ \"\$(awk '{ print \$2 }' /sys/block/md0/inflight)\" = 1 ]" ||
			broken "no write is under way"
		release all
	fi
	wait "$writer" || broken "the write fails"
	power_cut
	power_back
	array_assemble "${DISKS[@]}"
	LOST=$(lost_blocks /tmp/new) || exit
	array_stop
	disks_off
	say "${1:-no check}: $LOST of 1 block is lost"
}

cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle check
[ "$LOST" -eq 0 ] || shown "lost=$LOST blocks=1: an older write was replayed over it"
exit 0
