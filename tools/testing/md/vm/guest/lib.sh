# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Helpers for scripts that run in the virtual machine: . /guest/lib.sh
#
# Sizes are in MiB, latencies in ns unless the name says otherwise. There is no
# udev in the guest: devtmpfs makes the nodes.

export MDADM_NO_UDEV=1 DM_DISABLE_UDEV=1

NULLB=/sys/kernel/config/nullb

# ---- talking, waiting ---------------------------------------------------

# say TEXT...: one line of progress with the guest's uptime
say() {
	local up
	read -r up _ < /proc/uptime
	echo "[$up] $*"
}

# die TEXT...: end the script with status 1
die() {
	say "FAIL: $*" >&2
	exit 1
}

# pause SECONDS: sleep without a process
pause() {
	if [ -z "${PAUSE_FD:-}" ]; then
		local fifo=/run/pause.$BASHPID
		mkfifo "$fifo" && exec {PAUSE_FD}<> "$fifo" && rm "$fifo"
	fi
	read -rt "$1" -u "$PAUSE_FD" _
	return 0
}

# wait_for SECONDS 'CONDITION': until the shell command is true, looked at every 50 ms
wait_for() {
	local limit=$1 condition=$2 now deadline
	read -r now _ < /proc/uptime
	deadline=$((10#${now/./} + limit * 100))
	until eval "$condition"; do
		read -r now _ < /proc/uptime
		if ((10#${now/./} > deadline)); then
			say "not true within $limit s: $condition" >&2
			return 1
		fi
		pause 0.05
	done
}

# blocked_tasks: the stacks of everything in D state, then of every CPU, on the console
blocked_tasks() {
	dmesg -n 8
	echo w > /proc/sysrq-trigger
	echo l > /proc/sysrq-trigger
}

# user_stacks: where the processes are, as one that waits may be in S state
user_stacks() {
	local task word
	for task in /proc/[0-9]*; do
		IFS= read -rd '' word 2> /dev/null < "$task/cmdline" || continue
		echo "${task#/proc/} $word:"
		cat "$task/stack" 2> /dev/null
	done
}

# within SECONDS COMMAND...: its status; if it does not end in time, the stacks of all
# processes and blocked tasks and a HANG line, which makes vm.py end the machine with status 124.
# It runs in a subshell: variables that it sets are lost. vm.py waits 30 s for a line to be
# printed: SECONDS has to be less, or nothing says what it was that did not end.
within() {
	local limit=$1 command timer ended='' rc
	shift
	"$@" <&0 &
	command=$!
	sleep "$limit" &
	timer=$!
	wait -n -p ended "$command" "$timer"
	rc=$?
	if [ "$ended" = "$timer" ]; then
		user_stacks
		blocked_tasks
		echo "HANG: not done within $limit s: $*"
		return 124
	fi
	kill -KILL "$timer" 2>/dev/null	# a bash that has not yet become sleep may lose a TERM
	wait "$timer" 2>/dev/null
	return "$rc"
}

# end_by_power_cut: no power-off when the script has ended, of which md would hear: it marks
# its arrays clean. What runs in the background then runs until the machine is killed.
end_by_power_cut() {
	: > /run/power-cut
}

# ---- modules ------------------------------------------------------------

# modules_load FILE...: insmod all, in whichever order their dependencies allow
modules_load() {
	local left=("$@") again file
	while [ ${#left[@]} -gt 0 ]; do
		again=()
		for file in "${left[@]}"; do
			insmod "$file" 2>/run/insmod.log || again+=("$file")
		done
		if [ ${#again[@]} -eq ${#left[@]} ]; then
			cat /run/insmod.log >&2
			die "cannot be loaded: ${left[*]}"
		fi
		left=("${again[@]}")
	done
}

# modules_unload NAME...: rmmod all, in whichever order their users allow
modules_unload() {
	local left=("$@") again name
	while [ ${#left[@]} -gt 0 ]; do
		again=()
		for name in "${left[@]}"; do
			rmmod "$name" 2>/run/rmmod.log || again+=("$name")
		done
		if [ ${#again[@]} -eq ${#left[@]} ]; then
			cat /run/rmmod.log >&2
			die "cannot be unloaded: ${left[*]}"
		fi
		left=("${again[@]}")
	done
}

# ---- null_blk -----------------------------------------------------------

# nullb_new NAME KEY=VALUE...: /dev/NAME. Without cache_size= the block layer strips
# flushes and whatever they cost or break is not seen.
nullb_new() {
	local name=$1 word
	shift
	[ -d "$NULLB" ] || die "this kernel has no null_blk with configfs"
	mkdir "$NULLB/$name" || die "null_blk: $name exists"
	for word in "$@"; do
		echo "${word#*=}" > "$NULLB/$name/${word%%=*}" ||
			die "null_blk $name does not take $word"
	done
	echo 1 > "$NULLB/$name/power" || die "null_blk $name does not start"
	wait_for 10 "[ -b /dev/$name ]" || die "no /dev/$name"
}

# nullb_del NAME...
nullb_del() {
	local name
	for name in "$@"; do
		echo 0 > "$NULLB/$name/power"
		rmdir "$NULLB/$name"
	done
}

# ---- device mapper ------------------------------------------------------

# sectors DEVICE: its size in sectors of 512 bytes
sectors() {
	blockdev --getsz "$1"
}

# dm_new NAME: /dev/mapper/NAME with the table on stdin
dm_new() {
	dmsetup create "$1" --noudevsync || die "dm: no $1"
}

dm_del() {
	local name
	for name in "$@"; do
		dmsetup remove --noudevsync "$name" || return
	done
}

# dm_linear NAME DEVICE
dm_linear() {
	dm_new "$1" <<< "0 $(sectors "$2") linear $2 0"
}

# dm_delay NAME DEVICE READ_MS WRITE_MS FLUSH_MS
dm_delay() {
	dm_new "$1" <<< "0 $(sectors "$2") delay $2 0 $3 $2 0 $4 $2 0 $5"
}

# dm_suspend NAME: I/O to it waits from now on; nothing in flight is waited for
dm_suspend() {
	dmsetup suspend --noflush --nolockfs --noudevsync "$1"
}

dm_resume() {
	dmsetup resume --noudevsync "$1"
}

# dm_swap NAME: a new table from stdin while I/O waits (error, zero, linear...)
dm_swap() {
	dm_suspend "$1" && dmsetup load "$1" && dm_resume "$1"
}

# ---- members of an array ------------------------------------------------
# Both models take COUNT SIZE LATENCY [NULL_BLK_KEY=VALUE...] and set MEMBERS to the
# devices. In the heavy one a large part of the CPU time is the model's own; the light
# one forgets what is written behind the first 4 MiB: create with --data-offset=4M.

MEMBERS=()

# members_heavy COUNT SIZE LATENCY [KEY=VALUE...]: every byte kept, volatile cache
members_heavy() {
	local count=$1 size=$2 latency=$3 i
	shift 3
	MEMBERS=()
	for ((i = 0; i < count; i++)); do
		nullb_new "mh$i" size="$size" memory_backed=1 cache_size="$size" irqmode=2 \
			completion_nsec="$latency" hw_queue_depth=128 \
			submit_queues="$(nproc)" blocksize=512 "$@"
		MEMBERS+=("/dev/mh$i")
	done
}

# members_light COUNT SIZE LATENCY [KEY=VALUE...]: superblocks are kept, and the first block behind
# the 4 MiB for them, with which the log of a journal begins; data is not. What is kept takes no
# time, or META_NS.
members_light() {
	local count=$1 size=$2 latency=$3 i
	shift 3
	MEMBERS=()
	for ((i = 0; i < count; i++)); do
		nullb_new "mls$i" size=8 memory_backed=1 cache_size=4 blocksize=512 \
			irqmode=$((${META_NS:-0} ? 2 : 0)) completion_nsec="${META_NS:-0}"
		nullb_new "mld$i" size="$size" memory_backed=0 irqmode=2 \
			completion_nsec="$latency" hw_queue_depth=128 \
			submit_queues="$(nproc)" blocksize=512 "$@"
		dm_new "ml$i" <<-TABLE
			0 8200 linear /dev/mls$i 0
			8200 $(($(sectors "/dev/mld$i") - 8200)) linear /dev/mld$i 8200
		TABLE
		MEMBERS+=("/dev/mapper/ml$i")
	done
}

# members_del: whatever the two made; stop the arrays first
members_del() {
	local path
	for path in /dev/mapper/ml*; do
		[ ! -e "$path" ] || dm_del "${path##*/}"
	done
	for path in "$NULLB"/mh* "$NULLB"/ml[sd]*; do
		[ ! -d "$path" ] || nullb_del "${path##*/}"
	done
	MEMBERS=()
}

# ---- md -----------------------------------------------------------------

# md_idle MD SECONDS: until no resync, recovery, check or reshape runs or is due
md_idle() {
	wait_for "$2" "[ \"\$(< /sys/block/$1/md/sync_action)\" = idle ]"
}

# md_stop MD...: within 20 s or a hang
md_stop() {
	local name
	for name in "$@"; do
		within 20 mdadm --stop --quiet "/dev/$name" || return
	done
}

# md_stacks MD: the stacks of the array's own threads, on the console
md_stacks() {
	local task comm
	for task in /proc/[0-9]*; do
		read -r comm 2>/dev/null < "$task/comm" || continue
		case $comm in
		"$1"_*) say "$comm"; cat "$task/stack" 2>/dev/null ;;
		esac
	done
}
