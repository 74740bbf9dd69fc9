#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Rounds of power cuts, failures and rebuilds below a verified load: for make soak.
#
# Round N is made of what RANDOM gives when it is seeded with N: a RAID5 of 3 or 4 or a RAID6 of 5,
# with a journal, its caches, sizes and mode, and a row of events. So FIRST=N, the first round of
# this machine, makes the same choices again; when exactly they come is up to the machine. No round
# begins after LENGTH seconds. There are never more failures at a time than the level takes.
#
# The oracle: each writer owns its blocks and writes the numbers 1, 2, 3... into some of them, each
# sector with the number and the block in it. It notes a number before it is written and again when
# its fsync has ended. After a power cut a block must hold a number that was written to it, and none
# that is older than the newest that was noted as fsynced before the cut. What was read back then,
# and flushed, must not go back either. A write that fails is wrong, but for a failed journal.
#
# The first thing that is wrong ends the machine: lines with SHOWN: say what, lines with COUNT what
# was done since the last such line.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio awk fold /sys/kernel/config/crashblk

WRITERS=4
PIECE=8			# blocks; the writers own pieces in turn, so that they share stripes
BLOCKS=192
# Beside them fio writes without an oracle, to fill the journal. All together has fewer stripes
# than the stripe cache: more of them do not assemble (J17).
FIO_BLOCKS=128
NOTES=/run/soak

declare -A COUNT

# count NAME [BY]
count() {
	COUNT[$1]=$((${COUNT[$1]:-0} + ${2:-1}))
}

# counted: at once, since a machine that hangs leaves nothing but its console
counted() {
	local name line=COUNT
	[ ${#COUNT[@]} -gt 0 ] || return 0
	for name in "${!COUNT[@]}"; do line+=" $name=${COUNT[$name]}"; done
	COUNT=()
	echo "$line"
}

# pick N: sets R, 0 to N - 1. No subshell: RANDOM would begin anew there.
pick() {
	R=$((RANDOM % $1))
}

chance() {
	pick 100
	[ "$R" -lt "$1" ]
}

one_of() {
	pick $#
	R=${*:R+1:1}
}

pause_random() {
	pick "$1"
	local ms=$R
	printf -v ms '%d.%03d' $((ms / 1000)) $((ms % 1000))
	pause "$ms"
}

# wrong TEXT: what the array says goes with it
wrong() {
	counted
	cat /proc/mdstat
	cp "$NOTES"/* /tmp/readback "$OUT" 2> /dev/null
	shown "round $ROUND: $*"
}

# ---- the load -----------------------------------------------------------------

# numbered NUMBER BLOCK COUNT: that many blocks
numbered() {
	local b
	for ((b = $2; b < $2 + $3; b++)); do
		printf '%-512s%-512s%-512s%-512s%-512s%-512s%-512s%-512s' "$1 $b" "$1 $b" \
			"$1 $b" "$1 $b" "$1 $b" "$1 $b" "$1 $b" "$1 $b"
	done
}

# writer W SEED: until it is told to stop; an error ends it, and is noted
writer() {
	local w=$1 n b c bs how
	RANDOM=$2
	n=$(< "$NOTES/number.$w")
	until [ -e "$NOTES/stop" ]; do
		n=$((n + 1))
		pick $PIECE
		b=$R
		pick $((PIECE - b))
		c=$((R + 1))
		if chance 25; then	# a hot block
			b=0 c=1
		else
			pick $((BLOCKS / PIECE / WRITERS))
			b=$((b + R * WRITERS * PIECE))
		fi
		b=$((b + w * PIECE))
		one_of 4 $((c * 4))
		bs=$R
		how='oflag=direct,seek_bytes conv=notrunc,fsync'
		! chance 25 || how='oflag=direct,seek_bytes,dsync conv=notrunc'
		echo "$n" > "$NOTES/number.$w"
		echo "$n $b $c" >> "$NOTES/issued.$w"
		# shellcheck disable=SC2086
		if ! numbered "$n" "$b" "$c" | dd of="$MD" bs="${bs}k" iflag=fullblock $how \
			seek=$((b * 4096)) status=none 2> "$NOTES/dd.$w"; then
			cp "$NOTES/dd.$w" "$NOTES/error.$w"
			break
		fi
		echo "$n $b $c" >> "$NOTES/acked.$w"
	done
	rm -f "$NOTES/running.$w"
}

load_on() {
	local w
	[ ! -e "$NOTES/on" ] || return 0
	rm -f "$NOTES/stop"
	: > "$NOTES/on"
	for ((w = 0; w < WRITERS; w++)); do
		pick 32749
		: > "$NOTES/running.$w"
		writer $w $((R + 1)) &
	done
	if [ "$PRESSURE" != none ]; then
		: > "$NOTES/running.fio"
		pick 32749
		{
			fio --name=pressure --filename="$MD" --offset=$((BLOCKS * 4))k \
				--size=$((FIO_BLOCKS * 4))k --rw="$PRESSURE" --bs=4k --iodepth=8 \
				--ioengine=libaio --direct=1 --time_based --runtime=600 --thread \
				--randseed="$R" --eta=never --output=/dev/null > /dev/null 2>&1 &
			echo $! > "$NOTES/fio.pid"
			wait
			rm -f "$NOTES/fio.pid" "$NOTES/running.fio"
		} &
	fi
}

# shellcheck disable=SC2317 # called by within
load_gone() {
	until ! compgen -G "$NOTES/running.*" > /dev/null; do pause 0.05; done
}

# gone PID
# shellcheck disable=SC2317 # called by within
gone() {
	while kill -0 "$1" 2> /dev/null; do pause 0.05; done
}

# acked_now: what has been acknowledged so far, into ACKED. No fork: what is acknowledged between
# this and a cut is not asked for.
acked_now() {
	local w lines
	ACKED=()
	for ((w = 0; w < WRITERS; w++)); do
		mapfile -t lines < "$NOTES/acked.$w"
		ACKED+=("${lines[@]}")
	done
}

# load_off [failed]: writes may fail only then
load_off() {
	[ -e "$NOTES/on" ] || return 0
	: > "$NOTES/stop"
	[ ! -e "$NOTES/running.fio" ] || {
		wait_for 10 "[ -s $NOTES/fio.pid ]" || broken "fio does not start"
		kill -TERM "$(< "$NOTES/fio.pid")"
	}
	within 25 load_gone || exit 124
	rm -f "$NOTES/on"
	! compgen -G "$NOTES/error.*" > /dev/null || [ "${1:-}" = failed ] ||
		wrong "a write failed: $(cat "$NOTES"/error.*)"
}

# verify WHEN: no load; ACKED is what must be there
verify() {
	local line bad=() writes
	printf '%s\n' "${ACKED[@]}" > "$NOTES/acked"
	cat "$NOTES"/issued.* > "$NOTES/issued"
	within 25 dd if="$MD" of=/tmp/readback bs=64k count=$((BLOCKS / 16)) iflag=direct \
		status=none || wrong "$1: the array cannot be read"
	tr '\0' '0' < /tmp/readback | fold -w 512 > "$NOTES/sectors"
	awk -v blocks="$BLOCKS" '
	FILENAME ~ /acked$/ {
		for (i = 0; i < $3; i++) if ($1 > low[$2 + i]) low[$2 + i] = $1
	}
	FILENAME ~ /issued$/ { for (i = 0; i < $3; i++) was[$2 + i, $1] = 1 }
	FILENAME ~ /sectors$/ {
		b = int((FNR - 1) / 8)
		if (FNR % 8 == 1) got[b] = $1
		if (NF != 2 || $2 != b || !((b, $1) in was))
			what[b] = "never written: " substr($0, 1, 20)
		else if ($1 != got[b])
			what[b] = "torn: " got[b] " and " $1
		else if ($1 < low[b])
			what[b] = "older: " $1
	}
	END {
		for (b = 0; b < blocks; b++) {
			if (!(b in got)) what[b] = "not read"
			if (b in what) print "BAD block " b ", fsynced " low[b] ", " what[b]
			else print got[b], b, 1
		}
	}' "$NOTES/acked" "$NOTES/issued" "$NOTES/sectors" > "$NOTES/found"
	mapfile -t bad < <(grep BAD "$NOTES/found")
	writes=$(awk -v first="$VERIFIED" 'NR > first && NF { s += $3; n++ }
		END { print s + 0, n + 0 }' "$NOTES/acked")
	count writes "${writes% *}"
	count fsyncs "${writes#* }"
	count verified
	if [ ${#bad[@]} -gt 0 ]; then
		for line in "${bad[@]:0:20}"; do say "$line"; done
		wrong "lost=${#bad[@]} blocks=$BLOCKS: $1"
	fi
}

# settled: what has been verified is where the notes begin again; the array must be able to flush
settled() {
	local w
	within 25 dd if=/dev/null of="$MD" conv=notrunc,fsync status=none || wrong "no fsync"
	for ((w = 1; w < WRITERS; w++)); do
		: > "$NOTES/acked.$w"
		: > "$NOTES/issued.$w"
	done
	cp "$NOTES/found" "$NOTES/acked.0"
	cp "$NOTES/found" "$NOTES/issued.0"
	VERIFIED=$BLOCKS
}

# ---- the array ------------------------------------------------------------------

# state_of DISK: sets STATE: in_sync, spare, faulty or out
state_of() {
	local words
	STATE=out
	[ -r "$MDSYS/dev-disk$1/state" ] || return 0
	words=$(< "$MDSYS/dev-disk$1/state")
	case $words in
	*faulty*) STATE=faulty ;;
	*in_sync*) STATE=in_sync ;;
	*) STATE=spare ;;
	esac
}

# members_state: sets GOOD, SPARES and BAD
members_state() {
	local i
	GOOD=() SPARES=() BAD=()
	for ((i = 0; i < NR; i++)); do
		state_of "$i"
		case $STATE in
		in_sync) GOOD+=("$i") ;;
		spare) SPARES+=("$i") ;;
		*) BAD+=("$i") ;;
		esac
	done
}

# tuned: what an assembly forgets
tuned() {
	one_of 17 17 24 64 256
	echo "$R" > "$MDSYS/stripe_cache_size" || wrong "no stripe_cache_size $R"
	one_of 1000 2000 100000
	echo "$R" > "$MDSYS/sync_speed_max"
	echo "$R" > "$MDSYS/sync_speed_min"
	one_of write-through write-back
	members_state
	[ "${#GOOD[@]}" -eq "$NR" ] || R=write-through
	within 25 tee "$MDSYS/journal_mode" <<< "$R" > /dev/null || wrong "no $R"
}

# candidates: sets DISKS to what can be assembled of; failed members are offered now and then
candidates() {
	local i
	DISKS=("/dev/disk$NR")
	for ((i = 0; i < NR; i++)); do
		[[ " ${BAD[*]} " != *" $i "* ]] || chance 30 || continue
		! mdadm --examine "/dev/disk$i" > /dev/null 2>&1 || DISKS+=("/dev/disk$i")
	done
}

# assemble: with --force only without the failed ones, which it would take in
assemble() {
	local i
	if ! within 25 mdadm --assemble "$MD" --run "${DISKS[@]}" > /run/assemble.log 2>&1 ||
		[ ! -e "$MDSYS/journal_mode" ]; then
		cat /run/assemble.log
		[ ! -e "$MDSYS" ] || array_stop
		for i in "${BAD[@]}"; do
			mapfile -t DISKS < <(printf '%s\n' "${DISKS[@]}" | grep -v "disk$i$")
		done
		count forced
		within 25 mdadm --assemble "$MD" --run --force "${DISKS[@]}" || {
			cat /proc/mdstat
			wrong "the array does not assemble"
		}
		# the journal has the last update of the superblocks and the members have not: to
		# mdadm it is stale, and we are to look first
		[ "$(< "$MDSYS/array_state")" != readonly ] ||
			within 25 mdadm --readwrite "$MD" || wrong "no --readwrite after --force"
	fi
	md_opened
}

# power_restored: the ghosts' array goes, the media come back
power_restored() {
	[ ! -e "$MDSYS" ] || {
		within 25 mdadm --stop --quiet "$MD" || wrong "no stop after the cut"
		wait_for 10 "[ ! -e $MDSYS ]" || wrong "the array is there after the stop"
	}
	echo on > "$GROUP/power" || broken "crashblk: power on"
}

# random_hold: a rule that has some I/O wait; sets RULE
random_hold() {
	local disk
	pick $((NR + 1))
	disk=$R
	one_of "$disk write 2048 $LAST" "$disk write" "$disk flush" "$NR write" "all flush" \
		"all flush,fua"
	RULE=$R
	hold "$RULE"
}

cut() {
	acked_now
	echo "$1" > "$GROUP/power" || broken "crashblk: $1"
	count cuts
}

# ---- what happens -----------------------------------------------------------------

event_cut() {
	local how assembly
	if chance 50; then
		random_hold
		say "held: $RULE"
		pause_random 800
	fi
	pick 4
	if [ "$R" -eq 0 ]; then R='cut keep'; else R='cut'; fi
	how=$R
	members_state
	say "$how; members in sync: ${GOOD[*]}; rebuilt: ${SPARES[*]}; failed: ${BAD[*]}"
	cut "$how"
	echo all > "$GROUP/unfail"
	release all
	load_off
	power_restored
	if chance 40; then
		candidates
		random_hold
		mdadm --assemble "$MD" --run "${DISKS[@]}" > /run/assemble.log 2>&1 &
		assembly=$!
		wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ] || ! kill -0 $assembly" 2> /dev/null
		if chance 50; then
			pick 8
			echo $((R + 1)) > "$GROUP/step" 2> /dev/null
		fi
		pause_random 200
		[ "$(< "$GROUP/held")" -eq 0 ] || count recovery_cuts
		say "cut in recovery, held: $(< "$GROUP/held") by $RULE"
		echo cut > "$GROUP/power" || broken "crashblk: cut"
		count cuts
		release all
		within 25 gone "$assembly" || exit 124
		power_restored
	fi
	candidates
	assemble
	verify "after a power cut"
	settled
	tuned
}

event_fail() {
	local disk
	echo all > "$GROUP/unfail"
	members_state
	[ "${#GOOD[@]}" -gt $((NR - SPARE)) ] || return 0
	# a rebuild that is under way does not count as a member
	one_of "${GOOD[@]}"
	disk=$R
	count failures
	if chance 50; then
		say "disk$disk is failed"
		mdadm --fail "$MD" "/dev/disk$disk" 2> /dev/null || wrong "disk$disk does not fail"
		return 0
	fi
	one_of write,flush,fua write
	say "disk$disk fails each $R"
	echo "$disk $R" > "$GROUP/fail" || broken "crashblk: fail"
	state_of "$disk"
	wait_for 10 "state_of $disk; [ \$STATE = faulty ]" 2> /dev/null ||
		mdadm --fail "$MD" "/dev/disk$disk" 2> /dev/null ||
		wrong "disk$disk does not fail"
	echo all > "$GROUP/unfail"
}

# replaced: the failed members are emptied and rebuilt
replaced() {
	local i
	members_state
	for i in "${BAD[@]}"; do
		if [ -e "$MDSYS/dev-disk$i" ]; then
			wait_for 15 "mdadm --remove $MD /dev/disk$i 2> /dev/null" ||
				wrong "disk$i cannot be removed"
		fi
		mdadm --zero-superblock "/dev/disk$i" 2> /dev/null
		within 25 mdadm --add --quiet "$MD" "/dev/disk$i" || wrong "disk$i cannot be added"
		count rebuilds
		say "disk$i is rebuilt"
	done
}

event_replace() {
	echo all > "$GROUP/unfail"
	replaced
}

event_mode() {
	members_state
	one_of write-through write-back
	# write-back is refused then
	[ "${#GOOD[@]}" -eq "$NR" ] || R=write-through
	say "$R"
	within 25 tee "$MDSYS/journal_mode" <<< "$R" > /dev/null 2>&1 || {
		members_state
		[ "${#GOOD[@]}" -lt "$NR" ] || wrong "no $R"
	}
	count switches
}

event_check() {
	members_state
	[ "${#GOOD[@]}" -eq "$NR" ] || return 0
	[ "$(< "$MDSYS/sync_action")" = idle ] || return 0
	say "check"
	echo check > "$MDSYS/sync_action" || return 0
	count checks
	chance 50 || return 0
	wait_for 60 "[ \"\$(< $MDSYS/sync_action)\" = idle ]" || wrong "the check does not end"
	[ "$(< "$MDSYS/mismatch_cnt")" -eq 0 ] || wrong "mismatch=$(< "$MDSYS/mismatch_cnt")"
}

# event_read_error: one of a healthy array, which is corrected
event_read_error() {
	local rule
	echo all > "$GROUP/unfail"
	members_state
	[ "${#GOOD[@]}" -eq "$NR" ] || return 0
	pick "$NR"
	rule="$R read 2048"
	pick 1024
	rule+=" $((2048 + 4 * R)) count=1"
	say "read error: $rule"
	echo "$rule" > "$GROUP/fail" || broken "crashblk: fail"
	count read_errors
	within 25 dd if="$MD" of=/dev/null bs=64k count=$(((BLOCKS + FIO_BLOCKS) / 16)) \
		iflag=direct status=none || wrong "a read error of one member reaches the reader"
}

# journal_failed: the end of a round. Writes fail then, and what was fsynced is on the members.
journal_failed() {
	local i
	load_on
	pause_random 1000
	say "the journal is failed"
	count journal_failures
	mdadm --fail "$MD" "/dev/disk$NR" 2> /dev/null || wrong "the journal does not fail"
	pause 1
	load_off failed
	acked_now
	verify "after a failure of the journal"
	array_stop
	DISKS=()
	for ((i = 0; i < NR; i++)); do DISKS+=("/dev/disk$i"); done
	array_assemble --force --run "${DISKS[@]}"
	verify "assembled without the failed journal"
	array_stop
}

# idle_and_whole: rebuild what is left, and look at all of it
idle_and_whole() {
	echo all > "$GROUP/unfail"
	echo 100000 > "$MDSYS/sync_speed_max"
	echo 100000 > "$MDSYS/sync_speed_min"
	load_off
	acked_now
	verify "the load has ended"
	settled
	replaced
	wait_for 60 "[ \"\$(< $MDSYS/sync_action) \$(< $MDSYS/degraded)\" = 'idle 0' ]" ||
		wrong "the array does not become whole"
	echo check > "$MDSYS/sync_action" || wrong "no check"
	count checks
	wait_for 60 "[ \"\$(< $MDSYS/sync_action)\" = idle ]" || wrong "the check does not end"
	[ "$(< "$MDSYS/mismatch_cnt")" -eq 0 ] || wrong "mismatch=$(< "$MDSYS/mismatch_cnt")"
	acked_now
	verify "after the last check"
	array_stop
	BAD=()
	candidates
	assemble
	verify "stopped and assembled"
	array_stop
}

# round N
round() {
	local i size chunk cache='' events disks=() w
	ROUND=$1
	RANDOM=$(($1 * 7919 % 2147483647))
	# the first ones of two seeds are alike
	for ((i = 0; i < 5; i++)); do pick 2; done
	one_of "5 3" "5 4" "6 5"
	read -r LEVEL NR <<< "$R"
	SPARE=$((LEVEL - 4))
	one_of 5 5 6 16
	size=$R
	LAST=$((size * 2048 - 1))
	one_of 4 16 64
	chunk=$R
	for ((i = 0; i <= NR; i++)); do
		one_of 1 1 1 0
		cache+="$R "
		[ "$i" -eq "$NR" ] || disks+=("/dev/disk$i")
	done
	one_of none randwrite none randrw
	PRESSURE=$R
	say "ROUND $ROUND: RAID$LEVEL of $NR, chunk ${chunk}K, $size MiB, caches $cache, fio: $R"
	disks_on $((NR + 1)) "$size" "cache=$cache"
	array_create --level="$LEVEL" --raid-devices="$NR" --chunk="$chunk" --assume-clean \
		--data-offset=1M --write-journal="/dev/disk$NR" "${disks[@]}"
	rm -rf "$NOTES"
	mkdir "$NOTES"
	for ((w = 0; w < WRITERS; w++)); do
		echo 1 > "$NOTES/number.$w"
		: > "$NOTES/acked.$w"
		: > "$NOTES/issued.$w"
	done
	echo "1 0 $BLOCKS" | tee "$NOTES/acked.0" > "$NOTES/issued.0"
	VERIFIED=1
	tuned
	numbered 1 0 $BLOCKS | dd of="$MD" bs=64k iflag=fullblock oflag=direct \
		conv=notrunc,fsync status=none || wrong "the array does not take the data"
	pick 6
	for ((events = R + 3; events; events--)); do
		load_on
		pause_random 1500
		one_of cut fail cut replace cut mode cut fail replace fail mode check read_error
		case $R in
		cut) event_cut ;;
		fail) event_fail ;;
		replace) event_replace ;;
		mode) event_mode ;;
		check) event_check ;;
		read_error) event_read_error ;;
		esac
		counted
	done
	echo all > "$GROUP/unfail"
	members_state
	if chance 15 && [ "${#GOOD[@]}" -eq "$NR" ]; then
		journal_failed
	else
		idle_and_whole
	fi
	disks_off
	count rounds
	counted
}

: "${FIRST:?}" "${LENGTH:?}"
for ((NEXT = FIRST; ; NEXT++)); do
	round "$NEXT"
	read -r NOW _ < /proc/uptime
	[ "${NOW%.*}" -lt "$LENGTH" ] || break
done
exit 0
