#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The fio cells of make demo: 4K random O_DIRECT writes at QD16 on arrays made by mdadm, under
# icount. Members are light (members_light in vm/guest/lib.sh) with 100 us an I/O and a volatile
# cache. One file of fio's json+ for each cell in $OUT.

# shellcheck source=../tests/rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/nullb

# a kernel with finding J16 stalls for 30 s: to be measured, and no hang
echo 0 > /proc/sys/kernel/hung_task_timeout_secs

WRITES=12000
MIB=256

# cell NAME
cell() {
	say "$1: $WRITES writes"
	fio --name="$1" --filename="$MD" --direct=1 --bs=4k --rw=randwrite --iodepth=16 \
		--ioengine=libaio --norandommap --randseed=4711 --number_ios="$WRITES" \
		--io_size="$((WRITES * 4))k" --thread --eta=never --clocksource=clock_gettime \
		--output-format=json+ --output="$OUT/$1.json" || broken "$1: fio"
	array_stop
	members_del
}

members_light 6 "$MIB" 100000 cache_size=4
array_create --level=6 --raid-devices=6 --chunk=64 --assume-clean --data-offset=4M \
	--bitmap=none "${MEMBERS[@]}"
cell raid6

for mode in write-through write-back; do
	members_light 5 "$MIB" 100000 cache_size=4
	array_create --level=5 --raid-devices=4 --chunk=64 --assume-clean --data-offset=4M \
		--write-journal="${MEMBERS[4]}" "${MEMBERS[@]:0:4}"
	echo "$mode" > "$MDSYS/journal_mode" || broken "no $mode"
	cell "raid5-$mode"
done
exit 0
