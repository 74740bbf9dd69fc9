#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J9
# title: mdadm --stop waits for stripes that wait for a superblock update
# shows: hang
#
# A RAID5 with a write-back journal, whose cache holds blocks that were fsynced. It is stopped. Of
# the writes that this brings, those to one member are held, and one to another member fails, so
# that a bad block has to be recorded. Then the held ones are let go.
#
# A kernel in which only raid5d writes the superblocks that stripes wait for hangs: the stop holds
# the mutex that raid5d needs. The control is stopped in the same way and no write fails.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle [FAIL]: sets LOST
cycle() {
	local stop

	disks_on 4 8
	array_journaled 5 3 write-back
	half_stripes /tmp/data "$((2 * BLOCKS))"
	hold "0 write 2048 16383"
	if [ -n "${1:-}" ]; then
		echo "$1" > "$GROUP/fail" || broken "crashblk: fail $1"
	fi
	within 25 mdadm --stop --quiet "$MD" &
	stop=$!
	wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "the stop writes nothing out"
	if [ -n "${1:-}" ]; then
		wait_for 10 "grep -q matched=1 $GROUP/fail" || broken "no write fails"
		# until the update is asked for or, if whoever waits does it, recorded
		wait_for 10 "[ \"\$(< $MDSYS/array_state)\" = write-pending ] ||
			grep -q . $MDSYS/dev-disk1/bad_blocks" || broken "no bad block"
	fi
	release all
	wait "$stop" || broken "the array does not stop"
	wait_for 10 "[ ! -e $MDSYS ]" || broken "the array is still there after the stop"
	echo all > "$GROUP/unfail"
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	LOST=$(lost_blocks /tmp/data) || exit
	say "${1:-nothing fails}: stopped, $LOST of $((2 * BLOCKS)) blocks read back otherwise"
	array_stop
	disks_off
	[ "$LOST" -eq 0 ] || broken "blocks are lost"
}

cycle
cycle "1 write 2048 16383 count=1"
exit 0
