#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J14
# title: an array that gives up its lost journal is never resynced
# shows: loss
#
# A RAID5 with a journal is in the midst of a write, which one member has and the other two have
# not, when the power fails; and the journal is lost with it. The array is assembled without it,
# told to do without from now on (consistency_policy = resync), and made read-write. When it is
# idle, it is checked; and a member fails, whose block was never written, and is read.
#
# A kernel that does not resync then has parity that fits no data. In the control the write is not
# held, so parity fits.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

# cycle [HOLD]: sets MISMATCH and LOST
cycle() {
	disks_on 4 16
	array_journaled 5 3 write-through
	row_torn "${1:-}"
	mdadm --zero-superblock /dev/disk3 2> /dev/null || broken "the journal is not lost"
	array_assemble --force --run /dev/disk0 /dev/disk1 /dev/disk2
	echo resync > "$MDSYS/consistency_policy" || broken "the journal is not given up"
	mdadm --readwrite "$MD" || broken "the array does not become read-write"
	wait_for 30 "[ \"\$(< $MDSYS/sync_action)\" = idle ]" || broken "it does not become idle"
	parity_looked_at /dev/disk1 16 /tmp/old 16
	say "${1:-control}: mismatch_cnt $MISMATCH, $LOST of 1 block of the failed member is lost"
	array_stop
	disks_off
}

cycle
[ "$((LOST + MISMATCH))" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle "parity held"
[ "$((LOST + MISMATCH))" -eq 0 ] ||
	shown "lost=$LOST blocks=1 mismatch=$MISMATCH: parity that fits no data"
exit 0
