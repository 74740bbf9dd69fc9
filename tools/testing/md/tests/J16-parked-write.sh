#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J16
# title: a write that waits for log space waits for a timer of 30 s
# shows: stall
# mode: icount
#
# fio writes 4K at random to a RAID5 with a write-back journal of 256 MiB, 16 at a time, which is
# enough to fill the stripe cache and to make the log tight. The clock is the virtual one, so
# nothing of the host's load is in it.
#
# A kernel that parks stripes for lack of space without waking whoever makes space leaves them
# there until the reclaim thread's timer comes round. One that wakes it needs milliseconds.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio jq /sys/kernel/config/nullb

LIMIT_MS=5000

# the stall is what is looked for; to vm.py it would be a hang
echo 0 > /proc/sys/kernel/hung_task_timeout_secs

members_light 5 256 100000 cache_size=4
array_create --level=5 --raid-devices=4 --chunk=64 --assume-clean --data-offset=4M \
	--write-journal="${MEMBERS[4]}" "${MEMBERS[@]:0:4}"
echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
fio --name=parked --filename="$MD" --direct=1 --bs=4k --rw=randwrite --iodepth=16 \
	--ioengine=libaio --norandommap --randseed=4711 --number_ios=60000 --io_size=240000k \
	--thread --eta=never --clocksource=clock_gettime --output-format=json \
	--output=/run/fio.json || broken "fio"
LONGEST=$(jq '.jobs[0].write.clat_ns.max / 1000000 | floor' /run/fio.json)
say "the longest of 60000 writes took $LONGEST ms"
array_stop
members_del
[ "$LONGEST" -lt "$LIMIT_MS" ] || shown "a write of 4 KiB took $LONGEST ms"
exit 0
