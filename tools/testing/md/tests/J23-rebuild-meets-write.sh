#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J23
# title: a rebuild comes to a stripe whose write is under way
# shows: crash
#
# A degraded RAID5 with a write-through journal. A write has been logged, and one of its writes to
# the members is held, when the rebuild of the missing member comes to that stripe, and somebody
# reads the block that is missing.
#
# A kernel that fetches nothing for a degraded stripe that is in the journal, which in write-through
# a stripe is until the members have the write, has not read it when the write ends and nothing else
# keeps it from checking parity: a BUG() in handle_parity_checks5(). In the first cycle nobody
# reads.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

BLOCK=96	# on disk0, in the fourth row of chunks; parity is on disk2
MISSING=112	# was on disk1

# writes_of DISK: how many have completed
writes_of() {
	sed -n "s/^$1 .*writes=\([0-9]*\).*/\1/p" "$GROUP/stats"
}

# cycle [read]
cycle() {
	local writer reader='' before
	disks_on 5 8
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	random_blocks /tmp/data 1
	put "$MISSING"
	mv /tmp/data /tmp/before
	random_blocks /tmp/data 1
	mdadm --fail "$MD" /dev/disk1 2> /dev/null || broken "disk1 does not fail"
	wait_for 10 "mdadm --remove $MD /dev/disk1 2> /dev/null" || broken "disk1 stays"
	# have the stripe leave the stripe cache, which still knows the block
	dd if="$MD" of=/dev/null bs=64k iflag=direct status=none || broken "$MD cannot be read"
	# adding a member waits for writes: let the rebuild wait in front of the row instead
	wait_for 10 "echo 384 2> /dev/null > $MDSYS/sync_max" || broken "no sync_max"
	mdadm --add --quiet "$MD" /dev/disk4 || broken "disk4 is not added"
	wait_for 10 "[[ \"\$(< $MDSYS/sync_completed)\" = 384* ]]" || broken "no rebuild"
	hold "0 write 2432 2439"
	put "$BLOCK" &
	writer=$!
	wait_for 10 "[ \"\$(< $GROUP/held)\" = 1 ]" || broken "the write does not come to disk0"
	if [ -n "${1:-}" ]; then
		dd if="$MD" of=/tmp/missing bs=4k count=1 skip="$MISSING" iflag=direct \
			status=none &
		reader=$!
		wait_for 10 "[ \"\$(awk '{ print \$1 }' /sys/block/md0/inflight)\" = 1 ]" ||
			broken "no read is under way"
	fi
	# the stripes behind are rebuilt before the one that is held
	before=$(writes_of 4)
	echo max > "$MDSYS/sync_max"
	wait_for 10 "[ \$(writes_of 4) -gt $((before + 8)) ]" || broken "the rebuild does not go on"
	release
	wait "$writer" || broken "the write does not end"
	[ -z "$reader" ] || wait "$reader" || broken "the read does not end"
	wait_for 20 "[ \"\$(< $MDSYS/degraded)\" = 0 ]" || broken "the rebuild does not end"
	echo check > "$MDSYS/sync_action"
	wait_for 30 "[ \"\$(< $MDSYS/sync_action)\" = idle ]" || broken "the check does not end"
	say "${1:-no read}: rebuilt, mismatch_cnt $(< "$MDSYS/mismatch_cnt")"
	[ "$(< "$MDSYS/mismatch_cnt")" -eq 0 ] || shown "mismatch=$(< "$MDSYS/mismatch_cnt")"
	dd if="$MD" of=/tmp/readback bs=4k count=1 skip="$BLOCK" iflag=direct status=none
	cmp -s /tmp/data /tmp/readback || shown "lost=1 blocks=2: what was written"
	dd if="$MD" of=/tmp/readback bs=4k count=1 skip="$MISSING" iflag=direct status=none
	cmp -s /tmp/before /tmp/readback || shown "lost=1 blocks=2: what was missing"
	array_stop
	disks_off
}

cycle
cycle read
exit 0
