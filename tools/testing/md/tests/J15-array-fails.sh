#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J15
# title: an array that fails with a dirty cache takes the machine with it
# shows: crash
#
# A RAID5 with a write-back journal, whose cache holds blocks that were fsynced, loses two of its
# three members: they are pulled out, and what they had is still on them. The blocks must be read
# meanwhile, as they are in memory. The array is stopped, and assembled by force with all three.
#
# A kernel that turns write-back off at once meets stripes that it believes impossible: a BUG().
# Without it, one that tries to write the cache out all the same does so for ever, and the stop
# waits. One that gives up leaves it in the journal, from which it comes back when the members do.
# In the control no member fails.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle [FAIL]: sets LOST
cycle() {
	disks_on 4 16
	array_journaled 5 3 write-back
	half_stripes /tmp/data "$((2 * BLOCKS))"
	if [ -n "${1:-}" ]; then
		# disk0 is failed by hand; that cannot be recorded on disk2, which fails then
		echo "2 read,write,flush" > "$GROUP/fail" || broken "crashblk: fail"
		mdadm --fail "$MD" /dev/disk0 2> /dev/null || broken "disk0 does not fail"
		wait_for 10 "[ \"\$(< $MDSYS/dev-disk2/state)\" != in_sync ]" ||
			broken "disk2 does not fail"
		dd if="$MD" of=/tmp/cached bs=64k count=1 iflag=direct status=none ||
			broken "what is in memory cannot be read"
		cmp -s -n 65536 /tmp/data /tmp/cached ||
			broken "what is in memory is not what was written"
		dd if=/tmp/data of="$MD" bs=4k count=1 seek=2048 oflag=direct conv=notrunc,fsync \
			status=none 2> /dev/null && broken "a failed array takes a write"
	fi
	within 20 mdadm --stop --quiet "$MD" || broken "the array does not stop"
	wait_for 10 "[ ! -e $MDSYS ]" || broken "the array is still there after the stop"
	echo all > "$GROUP/unfail"
	array_assemble --force --run /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	LOST=$(lost_blocks /tmp/data) || exit
	say "${1:-nothing fails}: $LOST of $BLOCKS blocks are lost"
	array_stop
	disks_off
	[ "$LOST" -eq 0 ] || broken "blocks are lost"
}

cycle
cycle "two members fail"
exit 0
