#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: C16
# title: a bit of the bitmap is cleared while a member may still lose what was written there
# shows: loss
#
# A RAID5 of three with an internal bitmap, on members with volatile caches. The 16 blocks of its
# first chunk are fsynced, and all bits are clear. Then the second chunk of that stripe is written,
# without a flush: its blocks are in one member's cache, the parity in another's. When the bit is
# about to be cleared the bitmap's write to the member with the parity is held, and once the first
# member has the clear bit the power fails.
#
# A kernel in which each of these writes flushes its own member alone has lost the parity by then,
# and not what it is the parity of. No bit says so, nothing is resynced, and when the first member
# fails the fsynced blocks come out wrong. In the control the power fails while the bit is set.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=16
DISKS=(/dev/disk0 /dev/disk1 /dev/disk2)

# cycle cleared|set: sets LOST
cycle() {
	disks_on 3 8
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--bitmap=internal "${DISKS[@]}"
	# no superblock may be written from here on: it would flush
	echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
	half_stripes /tmp/data 32
	bits_cleared 1000

	dd if=/dev/urandom of="$MD" bs=64k count=1 seek=1 oflag=direct conv=notrunc status=none ||
		broken "the array does not take the data"
	dirty_bits 1 || broken "no bit is set"
	hold "2 write 16 2047"
	if [ "$1" = cleared ]; then
		echo 1 > "$MDSYS/bitmap/time_base"
		wait_for 30 "dirty_bits 0" || broken "the bit is not cleared"
	fi
	[ "$(< "$MDSYS/array_state")" = active ] || broken "not active: $(< "$MDSYS/array_state")"
	power_cut
	power_back
	array_assemble "${DISKS[@]}"
	within 25 mdadm --wait "$MD"
	mdadm --fail --quiet "$MD" /dev/disk0 || broken "/dev/disk0 does not fail"
	head -c $((BLOCKS * 4096)) /tmp/data > /tmp/first
	LOST=$(lost_blocks /tmp/first) || exit
	array_stop
	disks_off
	say "the bit is $1: $LOST of $BLOCKS fsynced blocks are lost"
}

cycle set
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle cleared
[ "$LOST" -eq 0 ] ||
	shown "lost=$LOST blocks=$BLOCKS: parity was lost where the bitmap says nothing"
exit 0
