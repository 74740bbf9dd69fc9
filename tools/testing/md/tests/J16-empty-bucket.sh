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
#
# In a second round the cache is empty, and as many writes as one bucket has stripes, and some more,
# come at once, while the journal is held: reclaim finds nothing to write out at first.

# shellcheck disable=SC2317 # what round() is given to call
# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm /sys/kernel/config/crashblk

# put BLOCK
put() {
	dd if=/tmp/data of="$MD" bs=4k count=1 seek="$1" oflag=direct conv=notrunc status=none ||
		broken "the array does not take block $1"
	echo "$1" > /run/put
}

# Row R of chunks has the blocks 32 * R to 32 * R + 31, the first 16 of them on its first member:
# block 32 * R + K with K < 16 is in the stripe 16 * R + K, so in bucket K mod 8.
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
	: > /run/done
}

# writes_at_once: 40 of one bucket
writes_at_once() {
	local pids=() n
	hold "3 write 2048 32767"
	for ((n = 0; n < 40; n++)); do
		put $((32 * (n / 2) + 8 * (n % 2))) &
		pids+=($!)
	done
	# all 32 stripes of the bucket are in the journal's hands, and the others wait
	wait_for 20 "[ \"\$(in_flight)\" -eq 40 ]" || broken "the writes do not come"
	pause 1
	release all
	wait "${pids[@]}"
	: > /run/done
}

in_flight() {
	awk '{ print $9 }' "/sys/block/${MD#/dev/}/stat"
}

# round WRITES...: sets STALLED
round() {
	local before='' now quiet=0

	disks_on 4 16
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
	rm -f /run/put /run/done
	"$@" &
	while [ ! -e /run/done ] && [ "$quiet" -lt 80 ]; do
		now=$(cat /run/put 2> /dev/null)
		if [ "$now" = "$before" ]; then quiet=$((quiet + 1)); else quiet=0; fi
		before=$now
		pause 0.1
	done
	if [ ! -e /run/done ]; then
		say "$*: after block $before a write of 4 KiB waits for more than 8 s"
		STALLED=$((STALLED + 1))
		# not for the timer, again and again: what is cached is written out by this
		wait_for 200 "[ -e /run/done ]" || broken "the writes do not end"
	else
		say "$*: no write waited"
	fi
	array_stop
	disks_off
}

random_blocks /tmp/data 1
STALLED=0
round writes_at_once
round writes
[ "$STALLED" -eq 0 ] || shown "in $STALLED of 2 rounds a write of 4 KiB waits for more than 8 s"
exit 0
