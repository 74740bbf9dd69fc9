#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J13
# title: an array whose journal has failed rebuilds a spare of nothing but bad blocks
# shows: loss
#
# A RAID5 with a journal and a spare. The journal fails; then a member fails, whose blocks can still
# be read, and the spare takes its place. When that is done another member fails.
#
# A kernel that takes a failed journal for too many failed members fails each block of the rebuild,
# and calls the spare rebuilt: the second failure is one too many. In the control the journal does
# not fail.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

# cycle [journal]: what fails first; sets LOST
cycle() {
	local degraded
	disks_on 5 16
	array_journaled 5 3 write-through
	random_blocks /tmp/data 32
	dd if=/tmp/data of="$MD" bs=128k count=1 oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	[ -z "${1:-}" ] || mdadm --fail "$MD" /dev/disk3 2> /dev/null ||
		broken "the journal does not fail"
	mdadm --fail "$MD" /dev/disk1 2> /dev/null || broken "disk1 does not fail"
	degraded=$(blocks_lost 32)
	mdadm --add "$MD" /dev/disk4 2> /dev/null || broken "no spare"
	wait_for 30 "[ \"\$(< $MDSYS/degraded)\" = 0 ]" || broken "no spare takes its place"
	mdadm --fail "$MD" /dev/disk0 2> /dev/null || broken "disk0 does not fail"
	LOST=$(blocks_lost 32)
	say "${1:-nothing} fails first: $degraded of 32 blocks are lost without a member," \
		"$LOST after the rebuild"
	LOST=$((LOST + degraded))
	array_stop
	disks_off
}

cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle journal
[ "$LOST" -eq 0 ] || shown "lost=$LOST blocks=32: the spare has nothing of the failed member"
exit 0
