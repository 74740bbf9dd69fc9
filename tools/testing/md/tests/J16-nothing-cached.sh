#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J16
# title: a write waits for a timer, as nothing is cached yet when reclaim looks
# shows: stall
#
# A RAID5 with a write-back journal. The stripe cache has 256 stripes in 8 buckets, by the stripe's
# number. While the journal's writes are held, 40 blocks are written at once whose stripes are all
# in one bucket, which has 32. Then the journal is let go, and the 32 are cached.
#
# A kernel that wakes reclaim only when a write begins to wait leaves the other 8 to a timer of
# 30 s: there was nothing to write out then. One that looks again when stripes become cached needs
# milliseconds.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm /sys/kernel/config/crashblk

# Block 32 * R and block 32 * R + 8 are in the stripes 16 * R and 16 * R + 8: in bucket 0.
# shellcheck disable=SC2317 # called by stalls
writes() {
	local pids=() n
	hold "3 write 2048 32767"
	for ((n = 0; n < 40; n++)); do
		put $((32 * (n / 2) + 8 * (n % 2))) &
		pids+=($!)
	done
	wait_for 20 "[ \"\$(in_flight)\" -eq 40 ]" || broken "the writes do not come"
	release all
	wait "${pids[@]}"
}

# shellcheck disable=SC2317 # called by writes
in_flight() {
	awk '{ print $9 }' "/sys/block/${MD#/dev/}/stat"
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
