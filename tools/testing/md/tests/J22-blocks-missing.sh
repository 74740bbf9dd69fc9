#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J22
# title: a cached stripe of a RAID6 without two members is never written out
# shows: hang
#
# A RAID6 with a write-back journal, whose cache holds one block of each stripe, when the power
# fails. It is assembled with its journal and without two of its four members, which is all that it
# can lose, and recovery writes the cache out: once for each pair of members.
#
# For read-modify-write the old block and parity must be there, for reconstruct-write the other
# block. A kernel that knows these two ways only, and does not compute what is missing, assembles
# for ever if neither is possible. In the control all members are there.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle MEMBER...: with these members; sets LOST
cycle() {
	local i
	disks_on 5 8
	array_journaled 6 4 write-back
	# what the stripes hold before must not be zeroes, of which everything can be computed
	random_blocks /tmp/old "$((2 * BLOCKS))"
	dd if=/tmp/old of="$MD" bs=128k oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	array_stop
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3 /dev/disk4
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
	hold "0 read,write 2048 16383" "1 read,write 2048 16383" "2 read,write 2048 16383" \
		"3 read,write 2048 16383"
	half_stripes /tmp/data "$((2 * BLOCKS))"
	power_cut
	power_back
	array_assemble --force --run "$@" /dev/disk4
	for ((i = 16; i < 2 * BLOCKS; i += 32)); do
		dd if=/tmp/old of=/tmp/data bs=4k count=16 skip="$i" seek="$i" conv=notrunc \
			status=none
	done
	LOST=$(lost_blocks /tmp/data) || exit
	say "$*: $LOST of $((2 * BLOCKS)) blocks are lost"
	array_stop
	disks_off
	[ "$LOST" -eq 0 ] || broken "blocks are lost"
}

cycle /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
for ((a = 0; a < 4; a++)); do
	for ((b = a + 1; b < 4; b++)); do
		cycle "/dev/disk$a" "/dev/disk$b"
	done
done
exit 0
