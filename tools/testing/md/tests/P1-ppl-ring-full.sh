#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: P1
# title: a PPL area that is exactly full is not recovered from
# shows: loss
#
# A RAID5 with PPL. One member's PPL area takes 128 PPLs of one 4K write each; that many blocks are
# written whose parity is on that member, the last of them over old data. Its parity write is held,
# its data write is not, and the power fails. The array is assembled without the member that holds
# the other data block of that row.
#
# A kernel that does not find the newest PPL when it ends with the area makes that other block from
# parity that does not fit: a block that nobody wrote to is lost. The control has 127 PPLs, and must
# lose nothing.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=512
OLD=/tmp/data NEW=/tmp/new

# put BLOCK: once, from NEW; what is expected to be read later
put() {
	dd if=$NEW of="$MD" bs=4k count=1 skip="$1" seek="$1" oflag=direct,dsync conv=notrunc \
		status=none || broken "the array does not take block $1"
	dd if=$NEW of=$OLD bs=4k count=1 skip="$1" seek="$1" conv=notrunc status=none
}

# cycle PPLS: sets LOST
cycle() {
	local ppls=$1 block=0 row writer start

	disks_on 3 16
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean \
		--consistency-policy=ppl /dev/disk0 /dev/disk1 /dev/disk2
	random_blocks $OLD "$BLOCKS"
	random_blocks $NEW "$BLOCKS"
	dd if=$OLD of="$MD" bs=128k oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	# an empty PPL area
	array_stop
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2
	start=$(mdadm --examine /dev/disk0 | awk '/Data Offset/ { print $4 }')

	# rows 3, 6, 9 and 12 of chunks have their parity on disk2, as row 0 has
	for row in 3 6 9 12; do
		for ((block = row * 32; block < row * 32 + 32; block++)); do
			[ "$ppls" -gt 1 ] || break 2
			put "$block"
			ppls=$((ppls - 1))
		done
	done
	hold "2 write $start $((start + 7))"
	dd if=$NEW of="$MD" bs=4k count=1 oflag=direct conv=notrunc status=none &
	writer=$!
	wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "no parity write"
	echo "cut keep" > "$GROUP/power" || broken "crashblk: cut keep"
	release all
	wait "$writer"
	power_back
	within 25 mdadm --assemble "$MD" --quiet --run /dev/disk0 /dev/disk2 ||
		broken "the array does not start without a member"
	md_opened
	# block 0 was being written, and may be either
	dd if="$MD" of=$OLD bs=4k count=1 iflag=direct conv=notrunc status=none
	LOST=$(lost_blocks $OLD) || exit
	array_stop
	disks_off
	say "$1 PPLs: $LOST of $BLOCKS blocks are lost"
}

cycle 127
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle 128
[ "$LOST" -eq 0 ] ||
	shown "lost=$LOST blocks=$BLOCKS: blocks that nobody wrote to read back otherwise"
exit 0
