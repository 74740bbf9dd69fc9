#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J16
# title: stripes that are written out by themselves are subtracted twice
# shows: disorder
#
# A RAID5 with a write-back journal and 256 stripes. 112 of them are cached, which is less than
# half: only full stripes are to be written out, and there is none. First that is done as it is;
# then after 224 stripes were cached and then written out since a part of another of their blocks
# was written.
#
# A kernel that takes these for stripes that reclaim has asked for, and still waits for, counts
# itself out of the cache: it takes it for full and writes partial stripes out, when reclaim
# looks, each 30 seconds.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

# written_out: cache 112 stripes, then write a part of the other data block of each
written_out() {
	local row i
	half_stripes /tmp/data 224
	for ((row = 0; row < 7; row++)); do
		for ((i = 16; i < 32; i++)); do
			dd if=/tmp/data of="$MD" bs=512 count=1 seek=$(((row * 32 + i) * 8)) \
				oflag=direct conv=notrunc status=none ||
				broken "the array does not take a sector"
		done
		say "row $row is written out"
	done
	wait_for 10 "[ \$(on_members /tmp/data) -eq 112 ]" || broken "they are not written out"
}

# cycle TIMES: sets EARLY
cycle() {
	local i
	disks_on 4 16
	array_journaled 5 3 write-back
	# an array that is idle for long enough to be marked clean writes its cache out
	echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
	for ((i = 0; i < $1; i++)); do written_out; done
	half_stripes /tmp/data 224
	EARLY=0
	for ((i = 0; i < 4 && EARLY == 0; i++)); do
		wait_for 9 "[ \$(on_members /tmp/data) -gt 0 ]" 2> /dev/null
		EARLY=$(on_members /tmp/data)
		say "$EARLY are written out so far"
	done
	say "after $1 times 112 stripes: $EARLY of 112 are written out"
	array_stop
	disks_off
}

cycle 0
[ "$EARLY" -eq 0 ] || broken "the control writes them out, too"
cycle 2
[ "$EARLY" -eq 0 ] || shown "early=$EARLY of 112 cached stripes"
exit 0
