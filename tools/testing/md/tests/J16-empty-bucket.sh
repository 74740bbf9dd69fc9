#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J16
# title: a write waits for a timer, as reclaim writes out stripes that do not help it
# shows: stall
#
# A RAID5 with a write-back journal. The stripe cache has 256 stripes in 8 buckets, by the stripe's
# number. Some 100 blocks are written whose stripes are in 7 of the buckets, then blocks of stripes
# that are all in the eighth. When that one is empty the next write has to wait.
#
# A kernel that wakes reclaim once for this writes out the 16 stripes that have been cached longest,
# none of which is in that bucket, and waits for a timer of 30 s before it does so again, and
# again. One that goes on as long as somebody waits needs milliseconds.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm /sys/kernel/config/crashblk

# Row R of chunks has the blocks 32 * R to 32 * R + 31, the first 16 of them on its first member:
# block 32 * R + K with K < 16 is in the stripe 16 * R + K, so in bucket K mod 8.
# shellcheck disable=SC2317 # called by stalls
writes() {
	local row k
	for ((row = 0; row < 7; row++)); do
		for k in 1 2 3 4 5 6 7 9 10 11 12 13 14 15; do
			put $((row * 32 + k))
		done
	done
	for ((; row < 30; row++)); do
		put $((row * 32))
		put $((row * 32 + 8))
	done
}

disks_on 4 16
array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
	--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
random_blocks /tmp/data 1
! stalls 8 writes || shown "after block $(cat /run/put) a write of 4 KiB waits for more than 8 s"
say "no write waited"
array_stop
disks_off
exit 0
