#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J12
# title: a journal that cannot be read is taken for one that has ended
# shows: loss
#
# A RAID5 with a write-back journal, whose cache holds fsynced blocks, and the power fails.
# When the array is assembled the journal fails to read some sectors: first behind all records, then
# among them. Afterwards they can be read again.
#
# A kernel that takes any error for the end of the log starts the array without what the journal
# holds, and begins a new log over it. One that does not reads around what it does not need,
# refuses to start without what it does, and has everything when it can be read again.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64
DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3)
ALL='0 read,write 2048 16383'

# cycle behind|needed: sets LOST
cycle() {
	local from to
	disks_on 4 8
	array_journaled 5 3 write-back
	hold "$ALL" "1 ${ALL#0 }" "2 ${ALL#0 }"
	half_stripes /tmp/data "$((2 * BLOCKS))"
	power_cut
	power_back
	case $1 in
	# the readahead is of 1 MiB; there are 64 blocks and some more, about from the first on
	behind) from=3648 to=3655 ;;
	needed) from=2112 to=2175 ;;
	esac
	echo "3 read $from $to" > "$GROUP/fail" || broken "crashblk: fail"
	if within 25 mdadm --assemble "$MD" --quiet "${DISKS[@]}" > /run/assemble.log 2>&1; then
		md_opened
		say "$1: the array starts"
	else
		[ "$1" = needed ] || broken "$1: $(< /run/assemble.log)"
		STATE=$(cat "$MDSYS/array_state" 2> /dev/null)
		[[ $STATE = @(|clear|inactive) ]] || broken "the array is $STATE"
		dmesg | grep -q "md0: the journal .* cannot be read" || broken "nobody says why"
		say "$1: the array is not started"
		[ ! -e "$MDSYS" ] || array_stop
		echo all > "$GROUP/unfail"
		array_assemble "${DISKS[@]}"
	fi
	! grep -q matched=0 "$GROUP/fail" || broken "nothing has failed"
	echo all > "$GROUP/unfail"
	LOST=$(lost_blocks /tmp/data) || exit
	say "$1: $LOST of $BLOCKS fsynced blocks are lost"
	array_stop
	disks_off
}

WORST=0
for WHICH in behind needed; do
	cycle "$WHICH"
	[ "$LOST" -le "$WORST" ] || WORST=$LOST
done
none_lost "$WORST" "$BLOCKS"
exit 0
