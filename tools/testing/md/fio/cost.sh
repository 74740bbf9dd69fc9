#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a 4K random O_DIRECT write costs the CPUs, under icount: the members complete at once, so
# nothing waits for them, and a nanosecond of fio's run time is an instruction. One file of fio's
# json for each cell and seed in $OUT.

# shellcheck source=../tests/rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/nullb

WRITES=20000
SEEDS=(11 22 33)

# cell NAME MEMBERS MODE MDADM_ARGUMENT...: MODE is that of the journal, or -
cell() {
	local name=$1 members=$2 mode=$3 seed
	shift 3
	for seed in "${SEEDS[@]}"; do
		members_light "$members" 256 0 irqmode=0
		array_create --assume-clean --data-offset=4M "$@"
		# neither is part of a write's cost
		echo 0 > "$MDSYS/safe_mode_delay"
		# with the default a kernel with finding J16 stalls for 30 s, with write-back
		[ "$mode" = - ] || echo 8192 > "$MDSYS/stripe_cache_size"
		[ "$mode" = - ] || echo "$mode" > "$MDSYS/journal_mode" || broken "no $mode"
		fio --name="$name" --filename="$MD" --direct=1 --bs=4k --rw=randwrite --iodepth=1 \
			--ioengine=psync --norandommap --randseed="$seed" --number_ios="$WRITES" \
			--io_size="$((WRITES * 4))k" --thread --eta=never \
			--clocksource=clock_gettime --output-format=json \
			--output="$OUT/$name-$seed.json" || broken "$name: fio"
		array_stop
		members_del
	done
	say "$name: $WRITES writes, seeds ${SEEDS[*]}"
}

light() {
	local i
	for ((i = 0; i < $1; i++)); do echo "/dev/mapper/ml$i"; done
}

mapfile -t LIGHT < <(light 6)
cell raid1 2 - --level=1 --raid-devices=2 --bitmap=none "${LIGHT[@]:0:2}"
cell raid10 4 - --level=10 --raid-devices=4 --chunk=64 --bitmap=none "${LIGHT[@]:0:4}"
cell raid6 6 - --level=6 --raid-devices=6 --chunk=64 --bitmap=none "${LIGHT[@]}"
cell raid5-write-through 5 write-through --level=5 --raid-devices=4 --chunk=64 \
	--write-journal="${LIGHT[4]}" "${LIGHT[@]:0:4}"
cell raid5-write-back 5 write-back --level=5 --raid-devices=4 --chunk=64 \
	--write-journal="${LIGHT[4]}" "${LIGHT[@]:0:4}"
exit 0
