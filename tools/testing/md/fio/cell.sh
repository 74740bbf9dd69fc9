#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One cell of make bench: an array, a fio job, some seeds; a fresh array for each. Set by the host:
#
#   CELL_NAME	name of the results: $OUT/NAME-SEED.json, fio's json+
#   CELL_JOB	a file of /guest/jobs; it finds ${MD}, ${SEED} and ${WRITES} in its environment
#   CELL_SEEDS	words
#   CELL_WRITES	of each job and seed
#   CELL_DISKS	members, and one more if CELL_JOURNAL is given
#   CELL_MDADM	arguments of mdadm --create
#   CELL_MODEL	light: null_blk, 100 us an I/O, a volatile cache, data is not kept; flush: the same,
#		and a flush takes 1 ms
#   CELL_DELAY	nanoseconds more for each I/O of a member: the control that has to be seen
#   CELL_JOURNAL	write-through or write-back
#   CELL_SET	words FILE=VALUE, of the array's sysfs folder

# shellcheck source=../tests/rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/nullb

# a kernel that stalls is to be measured
echo 0 > /proc/sys/kernel/hung_task_timeout_secs
LATENCY=$((100000 + ${CELL_DELAY:-0}))
MIB=256

members_make() {
	local count=$1 i slow=()
	members_light "$count" "$MIB" "$LATENCY" cache_size=4
	[ "$CELL_MODEL" = flush ] || return 0
	for ((i = 0; i < count; i++)); do
		dm_delay "fl$i" "${MEMBERS[i]}" 0 0 1
		slow+=("/dev/mapper/fl$i")
	done
	MEMBERS=("${slow[@]}")
}

members_gone() {
	local path
	for path in /dev/mapper/fl*; do
		[ ! -e "$path" ] || dm_del "${path##*/}"
	done
	members_del
}

# thread_ms: milliseconds that the busiest of the array's threads has run, to 10
thread_ms() {
	local stat most=0 ms
	for stat in /proc/[0-9]*/stat; do
		read -ra stat 2> /dev/null < "$stat" || continue
		case ${stat[1]} in
		"(${MD#/dev/}"_*) ms=$(((stat[13] + stat[14]) * 10)) ;;
		*) continue ;;
		esac
		[ "$ms" -le "$most" ] || most=$ms
	done
	echo "$most"
}

# shellcheck disable=SC2206 # words
SEEDS=(${CELL_SEEDS:?})
# shellcheck disable=SC2206 # words
ARGUMENTS=(${CELL_MDADM:?})
for SEED in "${SEEDS[@]}"; do
	members_make $((CELL_DISKS + ${CELL_JOURNAL:+1} + 0))
	EXTRA=()
	[ -z "${CELL_JOURNAL:-}" ] || EXTRA=(--write-journal="${MEMBERS[CELL_DISKS]}")
	array_create --raid-devices="$CELL_DISKS" --chunk=64 --assume-clean --data-offset=4M \
		"${EXTRA[@]}" "${ARGUMENTS[@]}" "${MEMBERS[@]:0:CELL_DISKS}"
	[ -z "${CELL_JOURNAL:-}" ] || echo "$CELL_JOURNAL" > "$MDSYS/journal_mode" ||
		broken "no $CELL_JOURNAL"
	for WORD in ${CELL_SET:-}; do
		echo "${WORD#*=}" > "$MDSYS/${WORD%%=*}" || broken "$WORD"
	done
	export MD SEED WRITES="$CELL_WRITES"
	BEFORE=$(thread_ms)
	fio --eta=never --clocksource=clock_gettime --output-format=json+ \
		--output="$OUT/$CELL_NAME-$SEED.json" "/guest/jobs/$CELL_JOB.fio" ||
		broken "$CELL_NAME: fio"
	echo "$CELL_NAME $SEED $(($(thread_ms) - BEFORE))" >> "$OUT/threads.txt"
	array_stop
	members_gone
	say "$CELL_NAME: seed $SEED"
done
exit 0
