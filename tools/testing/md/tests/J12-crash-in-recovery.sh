#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J12
# title: recovery overwrites the records that it still needs
# shows: loss
#
# A RAID5 of 8 with a write-back journal of 1024 blocks. 80 stripes have 6 blocks of data each that
# were fsynced, on the journal alone; and the power fails. When the array is assembled, all its
# writes are held and let go one by one, and after some of them the power fails again. The next
# assembly gets further, and so on. Whatever had completed is on the media. The last assembly is
# left alone.
#
# A kernel that logs data again which is in the log already needs more room than the log has: it
# goes round and overwrites the block that the superblock still names. The next recovery finds no
# log there and drops it. In the control the power fails once. The same with a RAID6 of 8, of which
# two members, which the array can do without, are not there any more after the first cut.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm od awk /sys/kernel/config/crashblk

NR=8
ROWS=5

# wide_stripes FILE CHUNKS: random data in all but the last of so many chunks of 64 KiB of each row,
# with fsync
wide_stripes() {
	local row
	random_blocks "$1" "$((ROWS * $2 * 16))"
	for ((row = 0; row < ROWS; row++)); do
		dd if="$1" of="$MD" bs=64k count="$(($2 - 1))" skip="$((row * $2))" \
			seek="$((row * $2))" oflag=direct conv=notrunc,fsync status=none ||
			broken "the array does not take the data"
		dd if=/dev/zero of="$1" bs=64k count=1 seek="$((row * $2 + $2 - 1))" conv=notrunc \
			status=none
	done
}

# let_go COUNT: so many writes of recovery, or as many as there are; sets WRITES
let_go() {
	for ((WRITES = 0; WRITES < $1; WRITES++)); do
		until [ "$(< "$GROUP/held")" -gt 0 ]; do
			[ ! -e /run/assembled ] || return
			pause 0.01
		done
		echo 1 > "$GROUP/step" || broken "crashblk: step"
	done
}

# recovery_cut COUNT: assemble, and cut the power after so many writes; sets WRITES
recovery_cut() {
	rm -f /run/assembled
	hold "all write,flush"
	{
		mdadm --assemble "$MD" --quiet --force --run "${DISKS[@]}" > /run/assemble.log 2>&1
		: > /run/assembled
	} &
	let_go "$1"
	echo "cut keep" > "$GROUP/power" || broken "crashblk: cut"
	release all
	wait_for 30 "[ -e /run/assembled ]" || broken "the assembly does not end"
	power_back
}

# cycle LEVEL [COUNT...]: with DISKS in recovery; sets LOST and TOTAL
cycle() {
	local count i level=$1 chunks=$((NR + 4 - $1))
	shift
	TOTAL=$((ROWS * (chunks - 1) * 16))
	disks_on "$((NR + 1))" 5
	array_journaled "$level" "$NR" write-back
	for ((i = 0; i < NR; i++)); do hold "$i read,write 2048 10239"; done
	wide_stripes /tmp/data "$chunks"
	power_cut
	power_back
	for count; do
		recovery_cut "$count"
		say "the power failed after $WRITES writes of recovery"
	done
	array_assemble --force --run "${DISKS[@]}"
	LOST=$(lost_blocks /tmp/data) || exit
	say "RAID$level, $# power cuts in recovery: $LOST of $TOTAL blocks are lost"
	array_stop
	disks_off
}

DISKS=(/dev/disk{0..8})
cycle 5
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle 5 1 2 4 8 16 32 64 128 256 512 540 560 1024
none_lost "$LOST" "$TOTAL"
# a RAID6 keeps half as much again of the log free for parity; nothing can be written out here
ROWS=3
DISKS=(/dev/disk{0,2,3,5,6,7,8})
cycle 6 1 4 16 64 256 512
none_lost "$LOST" "$TOTAL"
exit 0
