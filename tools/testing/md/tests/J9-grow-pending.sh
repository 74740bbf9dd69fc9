#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J9
# title: a change of the size waits for a stripe that waits for a superblock update
# shows: hang
#
# A RAID5 with an internal bitmap is given a larger component_size while a block is written: what
# the write has to read first is held. Once the resize waits for it the read goes on, and the
# write to another member fails, so that a bad block has to be recorded.
#
# A kernel in which only raid5d writes the superblocks that stripes wait for hangs: the resize
# holds the mutex that raid5d needs. The control is resized in the same way and no write fails.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk stacks

# set_size KIB: of each member
# shellcheck disable=SC2317 # called by within
set_size() {
	echo "$1" > "$MDSYS/component_size"
}

# cycle [FAIL]
cycle() {
	local write resize lost

	disks_on 3 16
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--bitmap=internal --size=8M /dev/disk0 /dev/disk1 /dev/disk2
	random_blocks /tmp/data 1
	hold "1 read 2048 16383"
	dd if=/tmp/data of="$MD" bs=4k oflag=direct conv=notrunc,fsync status=none &
	write=$!
	wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "the write reads nothing"
	within 25 set_size 12288 &
	resize=$!
	wait_for 10 "sleeps_in raid5_quiesce" || broken "the resize does not wait"
	if [ -n "${1:-}" ]; then
		echo "$1" > "$GROUP/fail" || broken "crashblk: fail $1"
	fi
	release all
	wait "$resize" || broken "the size does not change"
	wait "$write" || broken "the write fails"
	if [ -n "${1:-}" ]; then
		grep -q matched=1 "$GROUP/fail" || broken "no write fails"
		grep -q . "$MDSYS/dev-disk0/bad_blocks" || broken "no bad block"
	fi
	[ "$(< "$MDSYS/component_size")" -eq 12288 ] || broken "the size is as it was"
	lost=$(lost_blocks /tmp/data) || exit
	say "${1:-nothing fails}: resized, $lost of 1 block reads back otherwise"
	array_stop
	disks_off
	[ "$lost" -eq 0 ] || broken "the block is lost"
}

cycle
cycle "0 write 2048 16383 count=1"
exit 0
