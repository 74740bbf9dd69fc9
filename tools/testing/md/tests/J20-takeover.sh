#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J20
# title: changing the level drops the cache of a write-back journal
# shows: loss
#
# A RAID5 with a write-back journal, whose cache holds blocks that were fsynced. Its level is
# changed to raid6. No power fails.
#
# A kernel that lets the new personality set itself up without the journal forgets them: they read
# back as they were before. One that refuses keeps them. The control does not change the level.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle [LEVEL]: sets LOST
cycle() {
	local i

	disks_on 4 8
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
	# One block of each stripe: a full stripe could be written out at once.
	random_blocks /tmp/data 16
	for ((i = 0; i < BLOCKS / 16; i++)); do
		dd if=/tmp/data of="$MD" bs=4k count=16 seek=$((i * 32)) oflag=direct \
			conv=notrunc,fsync status=none || broken "the array does not take the data"
	done
	if [ -n "${1:-}" ]; then
		within 20 tee "$MDSYS/level" <<< "$1" > /dev/null
		say "level $1: exit status $?, the level is $(< "$MDSYS/level")"
	fi
	LOST=0
	for ((i = 0; i < BLOCKS / 16; i++)); do
		dd if="$MD" of=/tmp/now bs=4k count=16 skip=$((i * 32)) iflag=direct status=none ||
			broken "the array cannot be read"
		LOST=$((LOST + $(cmp -l /tmp/data /tmp/now | awk '{ print int(($1 - 1) / 4096) }' |
			sort -u | wc -l)))
	done
	say "${1:-no change}: $LOST of $BLOCKS blocks are lost"
	array_stop
	disks_off
}

cycle
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle raid6
none_lost "$LOST" "$BLOCKS"
exit 0
