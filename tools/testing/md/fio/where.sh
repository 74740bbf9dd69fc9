#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One cell of make bench with its events: cell.sh, with a fio that is traced. For each seed leaves
# $OUT/trace-SEED.txt, the buffer as text with the counter of the CPU in front, which counts ns
# under icount, and $OUT/array.txt, what tools/series/where.py must know of the array.

# shellcheck source=../tests/rc.sh
. /guest/rc.sh

requires /sys/kernel/tracing/kprobe_events

TRACING=/sys/kernel/tracing
BLOCK=$TRACING/events/block
BUFFER_KB=98304

# Who may sleep in a function that is probed at its end: 256 at a time. On entry the first three
# arguments are in %di, %si and %dx.
probes_make() {
	local line
	while read -r line; do
		echo "$line" >> "$TRACING/kprobe_events" || broken "kprobe: $line"
	done <<- 'PROBES'
		r256:where/started md_write_start
		p:where/get raid5_get_active_stripe sector=%dx:u64
		r256:where/got raid5_get_active_stripe sh=$retval:x64
		p:where/handle handle_stripe sh=%di:x64
		r256:where/handled handle_stripe
		p:where/parity raid_run_ops
		r256:where/parity_done raid_run_ops
		p:where/bitmap bitmap_unplug
		r256:where/bitmap_done bitmap_unplug
		p:where/llbitmap llbitmap_unplug
		r256:where/llbitmap_done llbitmap_unplug
		p:where/super md_update_sb
		r256:where/super_done md_update_sb
		p:where/grace percpu_ref_switch_to_atomic_sync
		r256:where/grace_done percpu_ref_switch_to_atomic_sync
	PROBES
	echo 0 > "$TRACING/tracing_on"
	echo x86-tsc > "$TRACING/trace_clock"
	echo noirq-info > "$TRACING/trace_options"
	echo "$BUFFER_KB" > "$TRACING/buffer_size_kb" || broken "no buffer of $BUFFER_KB KiB a CPU"
}

# device SYSFS_FOLDER: its number as the kernel has it
device() {
	local number
	number=$(< "$1/dev")
	echo $(((${number%:*} << 20) | ${number#*:}))
}

# bottom SYSFS_FOLDER: the numbers of the disks below a device, or its own; same sectors
bottom() {
	local slave found=''
	for slave in "$1"/slaves/*; do
		[ -e "$slave" ] && found=1 && bottom "$slave"
	done
	[ -n "$found" ] || device "$1"
}

array_describe() {
	local disk
	{
		echo "array $(device "/sys/block/${MD#/dev/}")"
		echo "level $(< "$MDSYS/level")"
		echo "disks $(< "$MDSYS/raid_disks")"
		echo "chunk $(($(< "$MDSYS/chunk_size") / 512))"
		for disk in "$MDSYS"/dev-*; do
			case $(< "$disk/state") in
			*journal*) echo "journal $(device "$disk/block")" ;;
			*)
				echo "member $(device "$disk/block") $(< "$disk/offset")" \
					"$(bottom "$disk/block" | tr '\n' ' ')"
				;;
			esac
		done
	} > "$OUT/array.txt"
}

# tracing 1|0
tracing() {
	local on=$1 array event
	array=$(awk '$1 == "array" { print $2 }' "$OUT/array.txt")
	echo > "$TRACING/trace"
	echo "dev == $array" > "$BLOCK/block_bio_queue/filter" || broken "no filter"
	echo "old_dev == $array" > "$BLOCK/block_bio_remap/filter" || broken "no filter"
	for event in where block/block_bio_{queue,remap,complete} block/block_rq_issue; do
		echo "$on" > "$TRACING/events/$event/enable" || broken "event $event"
	done
	echo "$on" > "$TRACING/tracing_on"
}

# nothing_lost: or the breakdown is not to be trusted
nothing_lost() {
	local lost
	lost=$(awk '/overrun|dropped events/ { n += $NF } END { print n + 0 }' \
		"$TRACING"/per_cpu/cpu*/stats)
	[ "$lost" = 0 ] ||
		broken "$lost events lost: lower WRITES in where.py, or raise BUFFER_KB in where.sh"
	lost=$(awk '$1 != "" { n += $3 } END { print n + 0 }' "$TRACING/kprobe_profile")
	[ "$lost" = 0 ] || broken "$lost kprobes missed: raise 256 in where.sh"
}

# fio ARGUMENT...: traced, if it writes the results of a seed
fio() {
	local status
	[[ " $* " == *" --output=$OUT/$CELL_NAME-$SEED.json "* ]] || { command fio "$@"; return; }
	array_describe
	tracing 1
	command fio "$@"
	status=$?
	echo 0 > "$TRACING/tracing_on"
	nothing_lost
	cat "$TRACING/trace" > "$OUT/trace-$SEED.txt" || broken "the trace cannot be read"
	tracing 0
	return "$status"
}

probes_make
# shellcheck source=cell.sh
. /guest/cell.sh
