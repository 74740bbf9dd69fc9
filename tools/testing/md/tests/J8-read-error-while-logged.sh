#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J8
# title: a read that is tried again sends a write to the members before the journal has it
# shows: disorder
#
# A RAID5 of three with a write-through journal. A block is written, and the journal's write of it
# is held: the members must not have it before. Then the block of the same stripe on the other
# member is read, which fails once, and is tried again by way of the stripe.
#
# A kernel that handles the stripe for that, whatever it waits for, takes the journal to have it
# and writes to the members. In the control nothing is read. At the end the journal's write is let
# go: the write, and the read, must end, and give what was written.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

# cycle [read]: sets EARLY
cycle() {
	local writer reader=''

	disks_on 4 8 cache=0
	array_journaled 5 3 write-through
	half_stripes /tmp/data 32
	random_blocks /tmp/new 1
	hold "3 write" "all write 2048 2055"
	dd if=/tmp/new of="$MD" bs=4k count=1 oflag=direct conv=notrunc status=none &
	writer=$!
	wait_for 10 "grep -q '3 write .*held=1' $GROUP/hold" || broken "nothing is logged"
	if [ -n "${1:-}" ]; then
		echo "1 read 2048 2055 count=1" > "$GROUP/fail" || broken "crashblk: fail"
		dd if="$MD" of=/tmp/read bs=4k count=1 skip=16 iflag=direct status=none &
		reader=$!
		wait_for 10 "grep -q matched=1 $GROUP/fail" || broken "no read fails"
	fi
	# time to do it wrong
	EARLY=0
	if wait_for 3 "grep -q 'write 2048 2055 .*held=[1-9]' $GROUP/hold" 2> /dev/null; then
		EARLY=1
	fi
	say "${1:-no read}: early $EARLY"
	if [ "$EARLY" -eq 1 ]; then
		[ -n "${1:-}" ] || broken "the control sends it, too: the set-up is wrong"
		shown "the members are written to before the journal"
	fi
	release all
	wait "$writer" || broken "the write fails"
	[ -z "$reader" ] || wait "$reader" || broken "the read fails"
	dd if=/tmp/new of=/tmp/data bs=4k conv=notrunc status=none
	[ "$(lost_blocks /tmp/data)" -eq 0 ] || broken "the array does not give the data back"
	[ -z "$reader" ] || [ -z "$(tr -d '\0' < /tmp/read)" ] || broken "the read gave other data"
	array_stop
	disks_off
}

cycle
cycle read
exit 0
