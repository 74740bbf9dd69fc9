#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J19
# title: a write that the journal did not take is acknowledged as if it had
# shows: loss
#
# A RAID5 with a journal; members and journal have volatile caches. The journal fails the write of a
# record. First in write-through mode: the stripe goes to the members alone, whose flushes are held,
# and fsync() is called. A check that is under way keeps the journal from being removed, after which
# all is well again. Then in write-back mode, with FUA, and the members take nothing yet. If that is
# acknowledged the data is in the members' caches, or in memory alone.
#
# A kernel that knows that the journal is gone flushes the members for the fsync(), and fails a
# write that is in its cache alone. In the control nothing fails and nothing is held.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

WRITES='all write 2048 32767'
LOST=0

# one block, in the background; /run/ended has dd's status
block_written() {
	rm -f /run/ended
	{
		dd if=/tmp/data of="$MD" bs=4k count=1 status=none "$@"
		echo $? > /run/ended
	} &
}

# acknowledged SECONDS: is it by then?
acknowledged() {
	wait_for "$1" "[ -e /run/ended ]" 2> /dev/null && [ "$(< /run/ended)" = 0 ]
}

array_on() {
	disks_on 4 16
	array_journaled 5 3 "$1"
	random_blocks /tmp/data 1
}

# through [well]
through() {
	array_on write-through
	if [ -z "${1:-}" ]; then
		hold "1 read 2560 32767"
		echo check > "$MDSYS/sync_action"
		wait_for 10 "[ \"\$(held_by '1 read 2560 32767')\" -gt 0 ]" ||
			broken "the check reads nothing"
		echo "3 write 2048 32767" > "$GROUP/fail" || broken "crashblk: fail"
		hold "$WRITES"
		block_written oflag=direct conv=notrunc,fsync
		wait_for 10 "[ \"\$(held_by '$WRITES')\" = 2 ]" ||
			broken "data and parity are not written"
		hold "all flush"
		release "$(rule_number "$WRITES")"
		acknowledged 5 || release
	else
		block_written oflag=direct conv=notrunc,fsync
	fi
	acknowledged 10 || broken "the write fails, or does not end: $(cat /run/ended)"
	power_cut
	power_back
	echo all > "$GROUP/unfail"
	if [ -z "${1:-}" ]; then
		array_assemble --force --run /dev/disk0 /dev/disk1 /dev/disk2
	else
		array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	fi
	LOST=$(lost_blocks /tmp/data) || exit
	say "write-through ${1:-}: an fsynced block is acknowledged, lost=$LOST"
	array_stop
	disks_off
}

through well
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
through

array_on write-back
echo "3 write 2048 32767" > "$GROUP/fail" || broken "crashblk: fail"
hold "$WRITES"
block_written oflag=direct,dsync conv=notrunc
if acknowledged 5; then
	# the array cannot be stopped any more
	end_by_power_cut
	dd if=/dev/disk0 bs=4k skip=256 count=1 iflag=direct status=none | cmp -s - /tmp/data ||
		shown "write-through: lost=$LOST blocks=1; write-back: one with FUA in memory alone"
	broken "the block is on its member"
fi
[ -e /run/ended ] || broken "the write does not end"
say "write-back: the write fails"
release
array_stop
disks_off
[ "$LOST" -eq 0 ] || shown "write-through: lost=$LOST blocks=1"
exit 0
