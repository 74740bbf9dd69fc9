#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J28
# title: a power cut leaves the journal's superblock ahead of the members'
# shows: disorder
#
# A RAID5 with a journal becomes dirty, which the superblocks of all are told; or clean again, for
# which their event count goes back. The members' do not get it, or the journal's does not, and the
# power fails. Nothing that was written is missing; so mdadm has to assemble the array read-write,
# without --force.
#
# mdadm takes a journal whose event count is ahead of the members' for a stray, and one that is two
# behind for an old one: in the last cycle the power fails once more in the first update after the
# first cut. A kernel that writes all superblocks at once lets all that happen. In the control none
# is held.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm od /sys/kernel/config/crashblk

DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3)

# events DISK: of its superblock
events() {
	od -An -t u8 -N 8 <(dd if="/dev/disk$1" bs=4k skip=1 count=1 iflag=direct status=none |
		tail -c +201) | tr -d ' '
}

# put_block: /tmp/data, and it is acknowledged
put_block() {
	dd if=/tmp/data of="$MD" bs=4k count=1 oflag=direct conv=notrunc,fsync status=none
}

state_is() {
	wait_for 20 "[ \"\$(< $MDSYS/array_state)\" = $1 ]" || broken "the array is not $1"
}

# cut_again: in the first update after the array is assembled, of which the journal gets nothing
cut_again() {
	local before writer
	before=$(events 0)
	hold "3 write 8 15"
	{ mdadm --assemble "$MD" "${DISKS[@]}" > /run/assemble.log 2>&1 && put_block; } &
	writer=$!
	wait_for 20 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "no superblock is written"
	wait_for 3 "[ \"\$(events 0)\" != $before ]"
	say "once more: events $(events 0) $(events 1) $(events 2), journal $(events 3)"
	power_cut
	release all
	wait "$writer"
	power_back
}

# cycle TO HELD SEEN [again]: TO is active or clean; the superblocks of HELD are held, and that of
# SEEN may get there. Sets FORCED.
cycle() {
	local disk before writer=''
	disks_on 4 5
	array_journaled 5 3 write-through
	random_blocks /tmp/data 1
	put_block || broken "the array does not take the data"
	state_is clean
	if [ "$1" = clean ]; then
		echo 100 > "$MDSYS/safe_mode_delay"
		put_block || broken "the array does not take the data"
		state_is active
	fi
	before=$(events "$3")
	for disk in $2; do hold "$disk write 8 15"; done
	[ "$1" != clean ] || echo 0.001 > "$MDSYS/safe_mode_delay"
	put_block &
	writer=$!
	# a kernel with an order holds the journal's back, or the members'
	if [ -n "$2" ]; then
		wait_for 20 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "no superblock is written"
		wait_for 3 "[ \"\$(events $3)\" != $before ]"
	else
		state_is "$1"
	fi
	say "to $1, held: $2: events $(events 0) $(events 1) $(events 2), journal $(events 3)"
	power_cut
	release all
	wait "$writer"
	power_back
	[ -z "${4:-}" ] || cut_again
	FORCED=0
	within 25 mdadm --assemble "$MD" "${DISKS[@]}" > /run/assemble.log 2>&1
	if [ "$(cat "$MDSYS/array_state" 2> /dev/null)" = clean ] ||
		[ "$(cat "$MDSYS/array_state" 2> /dev/null)" = active ]; then
		md_opened
		put_block || broken "the array does not take the data"
		array_stop
	else
		cat /run/assemble.log
		FORCED=1
		[ ! -e "$MDSYS" ] || array_stop
	fi
	disks_off
}

COUNT=0
cycle active "" 0
[ "$FORCED" -eq 0 ] || broken "the control needs --force: the set-up is wrong"
for TO in active clean; do
	cycle "$TO" "0 1 2" 3
	COUNT=$((COUNT + FORCED))
	cycle "$TO" 3 0
	COUNT=$((COUNT + FORCED))
done
cycle active 3 0 again
COUNT=$((COUNT + FORCED))
[ "$COUNT" -eq 0 ] || shown "$COUNT of 5 power cuts left an array that needs --force"
exit 0
