#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J12
# title: a journal that has lost its log is taken for a new one
# shows: loss
#
# A RAID5 with a journal is in the midst of a write, which one member has and the other two have
# not, when the power fails. The journal's superblock is well, but its log is gone: where the tail
# should be is no record. The array is assembled; when it is idle, it is checked, and a member
# fails, whose block was never written, and is read.
#
# A kernel that begins a new log in silence leaves parity that fits no data. One that says what has
# happened, and resyncs, does not. In the control the write is not held, so parity fits.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

# cycle [HOLD]: sets MISMATCH and LOST
cycle() {
	disks_on 4 16
	array_journaled 5 3 write-through
	[ -n "${1:-}" ] || ! dmesg | grep -q "md0: the journal .* has no log" ||
		broken "a new journal is complained of"
	row_torn "${1:-}"
	dd if=/dev/zero of=/dev/disk3 bs=1M seek=1 count=15 oflag=direct status=none ||
		broken "the log is not lost"
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
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
dmesg | grep -q "md0: the journal .* has no log" || broken "nobody says why it resyncs"
exit 0
