#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The fio cells of make demo: 4K random O_DIRECT writes on arrays made by mdadm, under icount; QD16
# if the name does not say otherwise. Members are light (members_light in vm/guest/lib.sh) with 100
# us an I/O and a volatile cache; every450 has a flush of 1 ms. One file of fio's json+ for each
# cell in $OUT.

# shellcheck source=../tests/rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/nullb

# a kernel with finding J16 stalls for 30 s: to be measured, and no hang
echo 0 > /proc/sys/kernel/hung_task_timeout_secs

WRITES=12000
MIB=256

# cell NAME [FIO_OPTION...]: the later option wins
cell() {
	local name=$1
	shift
	say "$name"
	fio --name="$name" --filename="$MD" --direct=1 --bs=4k --rw=randwrite --iodepth=16 \
		--ioengine=libaio --norandommap --randseed=4711 --number_ios="$WRITES" \
		--io_size="$((WRITES * 4))k" --thread --eta=never --clocksource=clock_gettime \
		--output-format=json+ --output="$OUT/$name.json" "$@" || broken "$name: fio"
	array_stop
	[ ! -e /dev/mapper/fl0 ] || dm_del fl{0..5}
	members_del
}

raid6() {
	array_create --level=6 --raid-devices=6 --chunk=64 --assume-clean --data-offset=4M \
		--bitmap=none "$@"
}

members_light 6 "$MIB" 100000 cache_size=4
raid6 "${MEMBERS[@]}"
cell raid6

members_light 6 "$MIB" 100000 cache_size=4
raid6 "${MEMBERS[@]}"
cell raid6-qd64x4 --iodepth=64 --numjobs=4 --group_reporting --number_ios=3000

members_light 6 "$MIB" 100000 cache_size=4
for i in {0..5}; do dm_delay "fl$i" "${MEMBERS[i]}" 0 0 1; done
raid6 /dev/mapper/fl{0..5}
cell raid6-every450 --iodepth=1 --ioengine=psync --number_ios=400 --thinktime=450ms

for mode in write-through write-back; do
	members_light 5 "$MIB" 100000 cache_size=4
	array_create --level=5 --raid-devices=4 --chunk=64 --assume-clean --data-offset=4M \
		--write-journal="${MEMBERS[4]}" "${MEMBERS[@]:0:4}"
	echo "$mode" > "$MDSYS/journal_mode" || broken "no $mode"
	cell "raid5-$mode"
done
exit 0
