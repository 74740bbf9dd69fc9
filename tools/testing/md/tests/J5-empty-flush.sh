#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J5
# title: fsync() alone fills the journal until it overruns its own tail
# shows: loss
#
# A RAID5 with a write-back journal of about 1000 blocks. 64 blocks are written and fsynced:
# they are in the journal. The members' data area is held, so that nothing can be written
# out and no log space comes back. Then more fsync() calls than the journal has blocks, and
# the power fails.
#
# A kernel that takes a log block for an empty FLUSH, and does not ask whether there is one,
# laps the tail: recovery starts from a block of the second lap, and all 64 blocks are lost.
# The control does the same without the fsync() calls, and must keep everything.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64
DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3)

# cycle FSYNCS: prints how many of the fsynced blocks a power cut loses
cycle() {
	local fsyncs=$1 log_blocks i

	disks_on 4 5
	array_journaled 5 3 write-back
	log_blocks=$(($(< "$MDSYS/dev-disk3/size") / 4))
	say "a journal of $log_blocks blocks, then $fsyncs fsync() calls"
	[ "$log_blocks" -lt 1030 ] || broken "the journal has $log_blocks blocks"
	hold "0 read,write 2048 10239" "1 read,write 2048 10239" "2 read,write 2048 10239"

	half_stripes /tmp/data "$((2 * BLOCKS))"
	if [ "$fsyncs" -gt 0 ]; then
		# shellcheck disable=SC2046
		within 25 sync -d $(for ((i = 0; i < fsyncs; i++)); do echo "$MD"; done) ||
			broken "fsync() fails"
	fi
	power_cut
	power_back
	array_assemble "${DISKS[@]}"
	LOST=$(lost_blocks /tmp/data) || exit
	array_stop
	disks_off
	say "$LOST of $BLOCKS fsynced blocks are lost"
}

cycle 0
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle 1030
none_lost "$LOST" "$BLOCKS"
exit 0
