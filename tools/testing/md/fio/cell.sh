#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One cell of make bench: an array, a fio job, some seeds; a fresh array for each. Set by the host:
#
#   CELL_NAME	name of the results: $OUT/NAME-SEED.json, fio's json+
#   CELL_JOB	a file of /guest/jobs; it finds ${MD}, ${SEED} and ${WRITES} in its environment
#   CELL_WORDS	words NAME=VALUE, more for the job's environment
#   CELL_SEEDS	words
#   CELL_WRITES	of each job and seed
#   CELL_DISKS	members, and one more if CELL_JOURNAL is given
#   CELL_MDADM	arguments of mdadm --create
#   CELL_MODEL	light: null_blk, 100 us an I/O, a volatile cache, data is not kept, superblocks and
#		bitmaps take no time; meta: the same, and they take 100 us; flush: the same, and a
#		flush takes 1 ms; slow: as meta, with 20 ms
#   CELL_DELAY	nanoseconds more for each I/O of a member: the control that has to be seen
#   CELL_JOURNAL	write-through or write-back
#   CELL_SET	words FILE=VALUE, of the array's sysfs folder
#   CELL_STATE	cold: a third of the writes hit clear bits of the bitmap; degraded1, degraded2;
#		check, recover: while that goes on
#   CELL_COUNT	writes of one run more, at the end, with kprobes on what is counted
#
# counts.txt has a line for each seed: what the members did and the array's threads; probes.txt one,
# of the run with kprobes.

# shellcheck source=../tests/rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/nullb

# a kernel that stalls is to be measured
echo 0 > /proc/sys/kernel/hung_task_timeout_secs
TRACING=/sys/kernel/tracing
# counted by kprobes: what base and patched both call
PASSES=handle_stripe
WAKES=__md_wakeup_thread
MIB=256
LATENCY=100000
META_NS=0
case $CELL_MODEL in
light) ;;
meta | flush) META_NS=$LATENCY ;;
slow) LATENCY=20000000 META_NS=$LATENCY ;;
*) broken "no model $CELL_MODEL" ;;
esac
LATENCY=$((LATENCY + ${CELL_DELAY:-0}))
case ${CELL_STATE:-} in
cold) MIB=16384 ;;
check | recover) MIB=4096 ;;
degraded[12] | '') ;;
*) broken "no state $CELL_STATE" ;;
esac

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

# threads: PID MS of each of the array's threads and of the kernel's workers, which do its work if
# group_thread_cnt is set; to 10 ms
threads() {
	local stat
	for stat in /proc/[0-9]*/stat; do
		read -ra stat 2> /dev/null < "$stat" || continue
		case ${stat[1]} in
		"(${MD#/dev/}"_*|"(kworker/"*) echo "${stat[0]} $(((stat[13] + stat[14]) * 10))" ;;
		esac
	done
}

# busiest BEFORE: milliseconds that the thread has run since that ran most
busiest() {
	{ echo "$1"; echo; threads; } | awk '
		NF == 0 { after = 1; next }
		!after { was[$1] = $2; next }
		$2 - was[$1] > most { most = $2 - was[$1] }
		END { print most + 0 }'
}

# counters: reads and writes of the members' data; I/Os of superblocks and bitmaps; flushes, which
# the light members get where the superblock is, and which are counted as writes too; how often the
# array's threads went to sleep; all context switches
counters() {
	{
		sed 's/^/data /' /sys/block/mld*/stat
		sed 's/^/meta /' /sys/block/mls*/stat
		grep -ls "^${MD#/dev/}_" /proc/[0-9]*/comm | sed 's/comm$/status/' |
			xargs -r grep -hs '^voluntary'
		grep ctxt /proc/stat
	} | awk '
		/^data/ { reads += $2; writes += $6 }
		/^meta/ { meta += $2 + $6 - $17; flushes += $17 }
		/^voluntary/ { sleeps += $2 }
		/^ctxt/ { switches = $2 }
		END { print reads, writes, meta, flushes, sleeps + 0, switches }'
}

# stripes: how many the cache of the array has, to a slab; slab_nomerge has to be on
stripes() {
	awk -v md="-${MD#/dev/}\$" '$1 ~ /^raid[456]-/ && $1 ~ md { n = $2 } END { print n + 0 }' \
		/proc/slabinfo
}

# bits_set: how many bits of the bitmap on the first member are
bits_set() {
	mdadm --examine-bitmap "${MEMBERS[0]}" | sed -n 's/.*(chunks), \([0-9]*\) dirty.*/\1/p'
}

# job NAME RESULTS: every 10 ms fio looks for a file in TMPDIR. Where that is no folder it costs no
# dentry and no RCU grace period, which half of an idle cell's time would go to.
job() {
	TMPDIR=/dev/null fio --eta=never --clocksource=clock_gettime --output-format=json+ \
		--output="$2" "/guest/jobs/$1.fio" || broken "$CELL_NAME: fio $1"
}

# state_begin: an array in the state that is asked for
state_begin() {
	case ${CELL_STATE:-} in
	cold)
		# mdadm sets all bits
		# shellcheck disable=SC2016 # wait_for expands it
		wait_for 60 '[ "$(bits_set)" = 0 ]' || broken "the bitmap does not become clear"
		echo 60 > "$MDSYS/bitmap/time_base" || broken "no time_base"
		job warm /dev/null
		WARM=$(bits_set)
		;;
	check) echo check > "$MDSYS/sync_action" || broken "no check" ;;
	recover) mdadm --add "$MD" "${MEMBERS[CELL_DISKS - 1]}" 2> /dev/null || broken "no --add" ;;
	esac
	case ${CELL_STATE:-} in
	check | recover)
		wait_for 10 "[ \"\$(< $MDSYS/sync_action)\" = $CELL_STATE ]" ||
			broken "no $CELL_STATE"
		;;
	esac
}

# state_end RESULTS: was it so all the time?
state_end() {
	local cold
	case ${CELL_STATE:-} in
	cold)
		cold=$(($(bits_set) - WARM))
		cold=$((cold * 100 / $(jq '[.jobs[].write.total_ios] | add' "$1")))
		say "$CELL_NAME: $WARM bits warm, $cold % of the writes to cold ones"
		((cold >= 28 && cold <= 38)) ||
			broken "$cold % of the writes were to cold bits: not a third"
		;;
	check | recover)
		[ "$(< "$MDSYS/sync_action")" = "$CELL_STATE" ] ||
			broken "$CELL_STATE ended before the writes"
		echo frozen > "$MDSYS/sync_action"
		;;
	degraded[12])
		[ "$(< "$MDSYS/degraded")" = "${CELL_STATE#degraded}" ] || broken "not degraded"
		;;
	esac
}

array_make() {
	local extra=() disks=() word missing=0
	members_make $((CELL_DISKS + ${CELL_JOURNAL:+1} + 0))
	disks=("${MEMBERS[@]:0:CELL_DISKS}")
	[ -z "${CELL_JOURNAL:-}" ] || extra=(--write-journal="${MEMBERS[CELL_DISKS]}")
	case ${CELL_STATE:-} in
	degraded[12]) missing=${CELL_STATE#degraded} ;;
	recover) missing=1 ;;
	esac
	for ((; missing; missing--)); do disks[CELL_DISKS - missing]=missing; done
	[[ " ${ARGUMENTS[*]} " = *" --level=1 "* ]] || extra+=(--chunk=64)
	array_create --raid-devices="$CELL_DISKS" --assume-clean --data-offset=4M \
		"${extra[@]}" "${ARGUMENTS[@]}" "${disks[@]}"
	[ -z "${CELL_JOURNAL:-}" ] || echo "$CELL_JOURNAL" > "$MDSYS/journal_mode" ||
		broken "no $CELL_JOURNAL"
	for word in ${CELL_SET:-}; do
		echo "${word#*=}" > "$MDSYS/${word%%=*}" || broken "$word"
	done
	state_begin
}

# counted: one run more, with kprobes; in UML there are none
counted() {
	local name
	[ -e "$TRACING/kprobe_events" ] || return 0
	for name in "$PASSES" "$WAKES"; do
		grep -q " $name\$" /proc/kallsyms ||
			broken "this kernel has no function $name, inlined or renamed: see cell.sh"
	done
	WRITES=$CELL_COUNT
	array_make
	{
		echo "p:md/passes $PASSES"
		echo "p:md/wakes $WAKES"
	} > "$TRACING/kprobe_events" || broken "no kprobes"
	echo 1 > "$TRACING/events/md/enable"
	job "$CELL_JOB" "$OUT/counted.json"
	echo 0 > "$TRACING/events/md/enable"
	awk '{ n[$1] = $2 + $3 } END { print n["passes"], n["wakes"] }' \
		"$TRACING/kprobe_profile" > "$OUT/probes.txt"
	echo > "$TRACING/kprobe_events"
	state_end "$OUT/counted.json"
	array_stop
	members_gone
}

# shellcheck disable=SC2206 # words
SEEDS=(${CELL_SEEDS:?})
# shellcheck disable=SC2206 # words
ARGUMENTS=(${CELL_MDADM:?})
for WORD in ${CELL_WORDS:-}; do
	export "${WORD?}"
done
export MD SEED WRITES="$CELL_WRITES"
rm -f "$OUT/counts.txt"
for SEED in "${SEEDS[@]}"; do
	array_make
	BEFORE=$(threads)
	COUNTERS=$(counters)
	job "$CELL_JOB" "$OUT/$CELL_NAME-$SEED.json"
	BUSIEST=$(busiest "$BEFORE")
	COUNTERS="$COUNTERS $(counters)"
	state_end "$OUT/$CELL_NAME-$SEED.json"
	echo "$BUSIEST $(stripes) $COUNTERS" >> "$OUT/counts.txt"
	array_stop
	members_gone
	say "$CELL_NAME: seed $SEED"
done
[ -z "${CELL_COUNT:-}" ] || counted
exit 0
