#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Arrays that one kernel leaves behind dirty, and that another one finds. PHASE=dirty makes them
# on the disks of vm.py --disk, writes, and dies under writes; PHASE=check, on the same disks,
# makes sure that they are dirty, assembles them by mdadm.conf, compares, lets md check parity,
# writes, stops, assembles and compares again. No finding; it must pass from and to everywhere.
#
# That each is really dirty:
#   wb      all of the data is in the journal only: the members' data areas still are as they
#           were made, zero; and md finds every stripe in the journal, with no parity
#   wt      md finds every stripe in the journal; after a stop it finds the last ones only
#   ppl     the superblocks are not clean, and md takes entries from the PPL
#   bitmap  the superblocks are not clean, some bits are set, and md resyncs
#   plain   the superblocks are not clean, and md resyncs

# shellcheck source=rc.sh
. /guest/rc.sh

ARRAYS=(wb wt ppl bitmap plain)
BLOCKS=144
# that many a stripe, in an array of four with one parity
STRIPES=$((BLOCKS / 3))

requires "$MDADM" fio dmsetup cmp awk

# on ARRAY: what $MD and $MDSYS mean from here on
on() {
	local i
	for i in "${!ARRAYS[@]}"; do
		[ "${ARRAYS[i]}" != "$1" ] || NUMBER=$i
	done
	NAME=$1
	MD=/dev/md$NUMBER MDSYS=/sys/block/md$NUMBER/md
	UUID=6d642d77:72697465:00000000:0000000$NUMBER
	SLICES=(/dev/mapper/"$NAME"[0-9])
}

# slices: /dev/mapper/wb0 and on: each disk in as many parts as there are arrays
slices() {
	local disk i number=0 size
	for disk in /dev/vd[a-z] /dev/ubd[a-z]; do
		[ -b "$disk" ] || continue
		size=$(($(sectors "$disk") / ${#ARRAYS[@]}))
		for i in "${!ARRAYS[@]}"; do
			dm_new "${ARRAYS[i]}$number" <<< "0 $size linear $disk $((i * size))"
		done
		number=$((number + 1))
	done
	[ "$number" -eq 5 ] || broken "5 disks are wanted, there are $number"
}

# image: what is written to the array, in /tmp/data: two chunks of 64 KiB in three, so that no
# stripe is whole, and some blocks once more. It is the same in every kernel.
image() {
	awk -v name="$NAME" -v lines=$((BLOCKS * 32)) \
		'BEGIN { for (n = 0; n < lines; n++) printf "%-10s %0116d\n", name, n }' \
		> /tmp/first
	tr 0-9 k-t < /tmp/first > /tmp/second
	rm -f /tmp/data
	truncate -s $((BLOCKS * 4096)) /tmp/data
	known /tmp/data
}

# known TARGET [FLAG]: to a file or a disk; what dd has written is acknowledged
known() {
	local i
	for ((i = 0; i < BLOCKS / 16; i++)); do
		[ $((i % 3)) -eq 2 ] || known_part "$1" first 64k "$i" "${@:2}"
	done
	for ((i = 3; i < BLOCKS; i += 29)); do
		known_part "$1" second 4k "$i" "${@:2}"
	done
}

# known_part TARGET FILE SIZE NUMBER [FLAG]
known_part() {
	dd if="/tmp/$2" of="$1" bs="$3" skip="$4" seek="$4" count=1 "${@:5}" \
		conv=notrunc,fsync status=none || broken "$1 cannot be written"
}

kept() {
	local lost
	lost=$(lost_blocks /tmp/data) || exit
	[ "$lost" -eq 0 ] || broken "$NAME, $1: $lost of $BLOCKS blocks read back otherwise"
}

# untouched: the members hold nothing of what was written
untouched() {
	local offsets i
	mapfile -t offsets < <(mdadm --examine "${SLICES[@]:0:4}" |
		awk '/Data Offset :/ { print $4 }')
	[ ${#offsets[@]} -eq 4 ] || broken "$NAME: no data offset"
	for i in "${!offsets[@]}"; do
		cmp -s -i "$((offsets[i] * 512)):0" -n $((BLOCKS * 4096)) "${SLICES[i]}" \
			/dev/zero || return
	done
}

# resynced: parity is as it must be, and the superblock says so
resynced() {
	wait_for 60 "[ \"\$(< $MDSYS/sync_action) \$(< $MDSYS/resync_start)\" = 'idle none' ]" ||
		broken "$NAME: the resync does not end"
}

# ---- in the one kernel ---------------------------------------------------------

# create ARRAY CREATE_ARGUMENT...: members that are larger than what md takes of them, for
# journals that hold all that is written here, and a resync that is over soon
create() {
	on "$1"
	shift
	array_create --uuid="$UUID" --homehost=vm --name="$NAME" --chunk=64 --size=12M "$@"
	# seconds in which an array without writes stays active
	echo 1000 > "$MDSYS/safe_mode_delay" || broken "$NAME: safe_mode_delay"
}

# writes: how many $MD has completed
writes() {
	awk '{ print $5 }' "/sys/block/md$NUMBER/stat"
}

# noise ARRAY...: writes of which nobody knows how far they got. At this rate the journal is
# not full before the end.
noise() {
	local name jobs=()
	for name in "$@"; do
		on "$name"
		jobs+=(--name="$name" --filename="$MD")
	done
	fio --direct=1 --bs=4k --rw=randwrite --offset=2m --size=2m --iodepth=4 --ioengine=libaio \
		--rate_iops=200 --time_based --runtime=600 --thread --eta=never \
		--clocksource=clock_gettime --output=/run/fio.log "${jobs[@]}"
}

dirty() {
	local name state before
	# first, and with a resync: only that clears the bits that mdadm sets in a new bitmap
	create bitmap --level=6 --raid-devices=5 --bitmap=internal --bitmap-chunk=64K --delay=1 \
		/dev/mapper/bitmap[0-4]
	create wb --level=5 --raid-devices=4 --assume-clean --write-journal=/dev/mapper/wb4 \
		/dev/mapper/wb[0-3]
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
	create wt --level=5 --raid-devices=4 --assume-clean --write-journal=/dev/mapper/wt4 \
		/dev/mapper/wt[0-3]
	create ppl --level=5 --raid-devices=5 --assume-clean --consistency-policy=ppl \
		/dev/mapper/ppl[0-4]
	create plain --level=6 --raid-devices=5 --assume-clean --bitmap=none /dev/mapper/plain[0-4]
	# write-back last: it writes back after 30 s
	for name in plain bitmap ppl wt wb; do
		on "$name"
		resynced
		image
		known "$MD" oflag=direct
		kept "just written"
		say "$NAME is written"
	done
	on wt
	! untouched || broken "wt: the members should hold the data"
	on wb
	untouched || broken "wb: there is data on the members already"
	on bitmap
	wait_for 20 "mdadm --examine-bitmap ${SLICES[0]} | grep -q ', 0 dirty'" ||
		broken "the bitmap does not become clean"
	noise wt ppl bitmap plain &
	for name in wt ppl bitmap plain; do
		on "$name"
		before=$(writes)
		wait_for 20 "[ \$(writes) -gt $((before + 20)) ]" || broken "$name gets no writes"
	done
	for name in "${ARRAYS[@]}"; do
		on "$name"
		state=$(< "$MDSYS/array_state")
		[ "$state" = active ] || broken "$name is $state, not active"
		say "$name is $state, $(< "$MDSYS/consistency_policy")"
	done
	end_by_power_cut
}

# ---- in the other ----------------------------------------------------------------

# assemble UUID|name
assemble() {
	local value=$UUID
	[ "$1" = UUID ] || value=vm:$NAME
	array_assemble_by "$1" "$value" "${SLICES[@]}"
}

# not_clean: every member says so
not_clean() {
	[ "$(mdadm --examine "${SLICES[@]}" | grep -c 'State : active$')" -eq ${#SLICES[@]} ] ||
		broken "$NAME is clean"
}

# some_bits: of the bitmap on the first member some bits are set, and not all
some_bits() {
	local all dirty
	read -r all dirty < <(mdadm --examine-bitmap "${SLICES[0]}" |
		sed -n 's/.*: \([0-9]*\) bits (chunks), \([0-9]*\) dirty.*/\1 \2/p')
	[ "${dirty:-0}" -gt 0 ] || broken "no bit is set in the bitmap"
	[ "$dirty" -lt "$all" ] || broken "all $all bits are set in the bitmap"
	say "bitmap: $dirty bits of $all are set"
}

# kernel_said EXTENDED_REGEX: of this array
kernel_said() {
	dmesg | grep -oE "(md/raid:md$NUMBER|ppl_load): $1" | tail -n 1 | grep . ||
		broken "$NAME was not dirty: the kernel did not say: $1"
}

# replayed KIND: every stripe of what was written was in the journal
replayed() {
	local said count
	said=$(kernel_said "recovering .*") || exit
	say "$said"
	count=$(grep -o "[0-9]* $1 stripes" <<< "$said")
	[ "${count%% *}" -ge "$STRIPES" ] ||
		broken "$NAME was not dirty: not all of $STRIPES stripes were in the journal"
}

# left UUID|name: it was left dirty, and is assembled
left() {
	case $NAME in
	wb) untouched || broken "wb: there is data on the members already" ;;
	ppl | bitmap | plain) not_clean ;;
	esac
	[ "$NAME" != bitmap ] || some_bits
	assemble "$1"
	case $NAME in
	wb) replayed data-only ;;
	wt) replayed data-parity ;;
	ppl) kernel_said '.* recovered_entries: [1-9][0-9]*' ;;
	*) kernel_said 'not clean -- starting background reconstruction' ;;
	esac
}

# parity: what a resync leaves, md's own check finds in order
parity() {
	resynced
	echo check > "$MDSYS/sync_action" || broken "$NAME: no check"
	md_idle "md$NUMBER" 60 || broken "$NAME: the check does not end"
	[ "$(< "$MDSYS/last_sync_action") $(< "$MDSYS/mismatch_cnt")" = 'check 0' ] ||
		broken "$NAME: $(< "$MDSYS/mismatch_cnt") sectors of parity do not fit"
	kept "after the check"
}

check() {
	local keys=(UUID name UUID name UUID name) i
	echo 'func ppl_load +p' > /proc/dynamic_debug/control || broken "no dynamic debug"
	for i in "${!ARRAYS[@]}"; do
		on "${ARRAYS[i]}"
		image
		left "${keys[i]}"
		kept "assembled by ${keys[i]}"
		say "$NAME: all that was acknowledged is there"
		parity
		if [ "$NAME" = wb ]; then
			echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
		fi
		random_blocks /tmp/data $BLOCKS
		dd if=/tmp/data of="$MD" bs=4k oflag=direct conv=notrunc,fsync status=none ||
			broken "$NAME cannot be written"
		array_stop
		assemble "${keys[i + 1]}"
		kept "assembled again, by ${keys[i + 1]}"
		array_stop
		say "ok $NAME"
	done
}

slices
case ${PHASE:-} in
dirty | check) "$PHASE" ;;
*) broken "PHASE=dirty or PHASE=check is wanted" ;;
esac
say "RESULT: $PHASE on $(uname -r), $(mdadm --version 2>&1)"
