#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J9
# title: a stop, a switch to read-only and a reboot wait for reclaim, which waits for them
# shows: hang
#
# A RAID5 with a write-back journal that discards, and whose space is so tight that reclaim has to
# move the tail with each stripe that is written out. It is switched to read-only; then stopped;
# then, again with a dirty cache, left to the reboot at the end of this script.
#
# A kernel whose reclaim sets MD_SB_CHANGE_PENDING and leaves the rest to the holder of
# reconfig_mutex hangs: the holder waits for stripes that heed the flag. In the control the journal
# does not discard, and such a kernel does not set it.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

# Two records for each block in a journal of 4 MiB: log space is not tight yet, so nothing is
# written out by itself; and what all but the last 16 take is more than the quarter that reclaim
# waits for.
BLOCKS=96

# dirty DISCARD: an array with a dirty cache, of which nothing can be written out
dirty() {
	local i
	disks_on 4 5 "discard=0 0 0 $1"
	# all blocks are in the first chunk, on disk0
	array_create --level=5 --raid-devices=3 --chunk=1024 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
	hold "0 write 2048 10239"
	random_blocks /tmp/data $BLOCKS
	for ((i = 0; i < 2 * BLOCKS; i++)); do
		dd if=/tmp/data of="$MD" bs=4k count=1 skip=$((i / 2)) seek=$((i / 2)) \
			oflag=direct conv=notrunc status=none ||
			broken "the array does not take the data"
	done
	sync -d "$MD" || broken "fsync() fails"
}

# let_go: all writes to disk0 but the last ones; and these when reclaim has asked for the
# superblocks, if it does
let_go() {
	wait_for 20 "[ \"\$(< $GROUP/held)\" -ge $BLOCKS ]" || broken "it writes nothing out"
	echo $((BLOCKS - 16)) > "$GROUP/step" || broken "crashblk: step"
	wait_for 2 "[ \"\$(< $MDSYS/array_state)\" = write-pending ]" 2> /dev/null
	release all
}

# held_up COMMAND...: the command, and what it writes to disk0 is let go when all is under way
held_up() {
	local command
	within 25 "$@" &
	command=$!
	let_go
	wait "$command"
}

# kept TEXT
kept() {
	local lost
	lost=$(lost_blocks /tmp/data) || exit
	say "$1: $lost of $BLOCKS blocks are lost"
	[ "$lost" -eq 0 ] || broken "blocks are lost"
}

# cycle DISCARD
cycle() {
	dirty "$1"
	held_up mdadm --readonly "$MD" || broken "the array does not become read-only"
	kept "discard $1, read-only"
	within 20 mdadm --readwrite "$MD" || broken "the array does not become read-write"
	array_stop
	disks_off
	dirty "$1"
	held_up mdadm --stop --quiet "$MD" || broken "the array does not stop"
	wait_for 10 "[ ! -e $MDSYS ]" || broken "the array is still there after the stop"
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	kept "discard $1, stopped"
	array_stop
	disks_off
}

cycle 0
cycle 1
dirty 1
let_go &
say "reboot"
exit 0
