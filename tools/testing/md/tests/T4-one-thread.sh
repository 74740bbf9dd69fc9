#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: T4
# title: one thread handles all stripes, however many wait for it and however idle the CPUs are
# shows: stall
# cpus: 4
#
# A RAID5 of 3. 200 blocks are written, and what they read first is held until all wait for it.
# Then it is let go, and 200 stripes are to be handled at once. A kprobe says which tasks do.
#
# A kernel that does nothing about that leaves them to the array's thread alone. In the control one
# block is written at a time: that thread is enough, and no other may take part. In another there
# is a worker by group_thread_cnt, and has to be seen.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/tracing/kprobe_events

TRACING=/sys/kernel/tracing
# the array's first 20 MiB; the members' data begins at 1 MiB
READS='all read 2048 22527'

# writes COUNT DEPTH FROM: of a stripe each, those of the first member in each row, from MiB FROM
writes() {
	fio_stripes "$MD" "$1" "$2" --offset="$3m" --size=4m
	echo $? > /run/writes
}

written() {
	wait
	[ "$(< /run/writes)" -eq 0 ] || { cat /run/fio.log; broken "fio"; }
}

traced() {
	echo "$1" > "$TRACING/events/md/passes/enable" || broken "no kprobe"
}

# handlers: who ran handle_stripe(), and how often
handlers() {
	awk '/ passes: / { sub(/-[0-9]+$/, "", $1); sub(/\/.*/, "", $1); n[$1]++ }
		END { for (i in n) print i, n[i] }' "$TRACING/trace" | sort | paste -sd' '
	echo > "$TRACING/trace"
}

# burst FROM: sets SEEN; nothing there may be in the stripe cache
burst() {
	hold "$READS"
	writes 200 200 "$1" &
	wait_for 30 "[ \"\$(held_by '$READS')\" -ge 200 ]" || broken "the writes read nothing"
	traced 1
	release
	written
	traced 0
	SEEN=$(handlers)
}

# half of them are for who writes
[ "$(nproc)" -ge 4 ] || broken "there are fewer than 4 CPUs"
disks_on 3 16
array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
	/dev/disk0 /dev/disk1 /dev/disk2
# the superblocks say dirty from here on, or the first write has its stripes wait for that
echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
echo "p:md/passes handle_stripe" > "$TRACING/kprobe_events" || broken "no kprobes"

writes 1 1 24
traced 1
writes 20 1 24
written
traced 0
SEEN=$(handlers)
say "one at a time: $SEEN"
[[ $SEEN = md*_raid5\ * && $SEEN != *kworker* ]] || broken "not the array's thread alone"

echo 1 > "$MDSYS/group_thread_cnt" || broken "no group_thread_cnt"
burst 0
say "200 at once, group_thread_cnt 1: $SEEN"
[[ $SEEN = *kworker* ]] || broken "no worker"
echo 0 > "$MDSYS/group_thread_cnt" || broken "group_thread_cnt stays"

# a helper may come when all is done
for FROM in 4 8 12 16; do
	burst "$FROM"
	say "200 at once: $SEEN"
	[[ $SEEN = *md*_raid5* ]] || broken "not the array's thread"
	[[ $SEEN != *kworker* ]] || break
done
[[ $SEEN = *kworker* ]] || shown "nobody helps the array's thread with 200 stripes, four times"

writes 20 1 24
written
array_stop
disks_off
exit 0
