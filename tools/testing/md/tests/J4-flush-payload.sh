#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J4
# title: the journal says that stripes are on the members while these may still lose them
# shows: loss
#
# A RAID5 of three with a write-back journal, all with volatile caches. A block is written, which
# the log's tail stays at. Then full stripes are written and fsynced, enough of them to have some
# written out: the members have these in their caches. One more write is fsynced, one member is
# flushed, and the power fails.
#
# A kernel that logs that a stripe is written out when the members have completed it, and not when
# they have flushed it, has made that record durable with the last fsync(): recovery passes over
# the blocks that are nowhere else, and the parity of what one member has alone fits nothing. The
# control writes too few stripes to have any written out.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3)

# volatile LEAST: has each member as many sectors in its cache?
# shellcheck disable=SC2317 # called by wait_for
volatile() {
	awk -F = -v least="$1" '/^[0-2] / { few += $NF < least } END { exit few > 0 }' \
		"$GROUP/stats"
}

# cycle ROWS: of two chunks of 16 blocks, or of one if there is only one row, as nothing keeps full
# stripes in the cache; sets LOST and MISMATCH
cycle() {
	disks_on 4 16
	array_journaled 5 3 write-back
	# a superblock would flush the members
	echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
	BLOCKS=$(($1 > 1 ? $1 * 32 : 16))
	random_blocks /tmp/data "$BLOCKS"
	dd if=/tmp/data of="$MD" bs=4k count=1 seek=1024 oflag=direct conv=notrunc,fsync \
		status=none || broken "the array does not take the data"
	dd if=/tmp/data of="$MD" bs=128k oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	if [ "$1" -gt 1 ]; then
		wait_for 20 "volatile 128" || broken "no stripe is written out"
	else
		! volatile 8 || broken "a stripe is written out"
	fi
	dd if=/tmp/data of="$MD" bs=4k count=1 seek=1088 oflag=direct conv=notrunc,fsync \
		status=none || broken "the array does not take the data"
	dd if=/dev/null of=/dev/disk0 conv=fsync,notrunc status=none || broken "no flush"
	power_cut
	power_back
	array_assemble "${DISKS[@]}"
	LOST=$(lost_blocks /tmp/data) || exit
	echo check > "$MDSYS/sync_action" || broken "no check"
	md_idle "${MD#/dev/}" 30 || broken "the check does not end"
	MISMATCH=$(< "$MDSYS/mismatch_cnt")
	array_stop
	disks_off
	say "$LOST of $BLOCKS fsynced blocks are lost, mismatch_cnt is $MISMATCH"
}

cycle 1
[ "$LOST $MISMATCH" = '0 0' ] || broken "the control loses data: the set-up is wrong"
cycle 6
[ "$LOST $MISMATCH" = '0 0' ] || shown "lost=$LOST blocks=192, mismatch_cnt $MISMATCH:" \
	"recovery passes over what is nowhere else"
exit 0
