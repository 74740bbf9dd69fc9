#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J17
# title: recovery waits for stripes that nobody hands out
# shows: hang
#
# A RAID5 with a write-back journal. Some stripes are written out, so that their data and parity are
# in the log. More others than the stripe cache of an array that is assembled has room for are on
# the journal with their data alone, all under other hash locks than the first; and the power fails.
# While the array is assembled, each write of a superblock takes 0.2 s.
#
# When recovery runs out of stripes it replays the first, which raid5d has to hand out again, and
# then enlarges the stripe cache, for which the array becomes dirty. raid5d leaves the stripes where
# they are, as a superblock update is pending, and is not woken by those that come after them.
# Recovery waits for ever. In the control the stripe cache is large enough. In a third cycle a
# member fails a write of the replay.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

# assembled_slowly: each write of a superblock on the first member takes 0.2 s
assembled_slowly() {
	local pid ended

	hold "0 write 8 15"
	within 15 mdadm --assemble "$MD" --quiet /dev/disk{0..3} > /run/assemble.log 2>&1 &
	pid=$!
	while kill -0 "$pid" 2> /dev/null; do
		pause 0.2
		[ "$(< "$GROUP/held")" -eq 0 ] || echo 1 > "$GROUP/step"
	done
	wait "$pid"
	ended=$?
	release all
	return "$ended"
}

# put_stripe STRIPE SIZE NUMBER: data of SIZE, of which a stripe has NUMBER
put_stripe() {
	dd if=/tmp/random of=/tmp/data bs="$2" count=1 skip="$1" seek=$(($1 * $3)) conv=notrunc \
		status=none
	dd if=/tmp/data of="$MD" bs="$2" count=1 skip=$(($1 * $3)) seek=$(($1 * $3)) \
		oflag=direct conv=notrunc status=none || broken "the array does not take stripe $1"
}

# cycle STRIPES [FAIL]
cycle() {
	local i lost

	disks_on 4 16
	array_create --level=5 --raid-devices=3 --chunk=4 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
	# more than a quarter of it in full stripes: they are written out
	echo 32 > "$MDSYS/stripe_cache_size" || broken "no stripe_cache_size"
	for i in 0 1 2; do hold "$i read,write 2048 32767"; done
	truncate -s $(($1 * 8192)) /tmp/data
	random_blocks /tmp/random "$1"
	for i in 0 1 2 8 9 10 16 17 18; do put_stripe "$i" 8k 1; done
	wait_for 10 "[ \"\$(< $GROUP/held)\" -eq 27 ]" || broken "nothing is written out"
	echo 2048 > "$MDSYS/stripe_cache_size" || broken "no stripe_cache_size"
	for ((i = 3; i < $1; i++)); do
		[ $((i % 8)) -lt 3 ] || put_stripe "$i" 4k 2
	done
	within 10 sync -d "$MD" || broken "no fsync"
	power_cut
	power_back
	[ -z "${2:-}" ] || echo "$2" > "$GROUP/fail" || broken "crashblk: fail $2"
	assembled_slowly || shown "an array with $1 stripes in its journal is not assembled"
	md_opened
	[ -z "${2:-}" ] || ! grep -q matched=0 "$GROUP/fail" || broken "nothing has failed"
	echo all > "$GROUP/unfail"
	lost=$(lost_blocks /tmp/data) || exit
	say "$1 stripes, ${2:-nothing fails}: $lost blocks are lost"
	[ "$lost" -eq 0 ] || shown "lost=$lost: fsynced blocks read back as they were before"
	array_stop
	disks_off
}

cycle 60
cycle 280
cycle 280 "1 write 2048 32767 count=1"
exit 0
