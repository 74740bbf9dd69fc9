# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests of this folder share: . /guest/rc.sh
#
# A test's exit status is its verdict:
#   0  nothing was lost or out of order
#   1  the bug was shown: the last line says what was lost (shown)
#   2  the test itself did not get as far as it must (broken, die)
#   4  it cannot run here (requires)
# Only 1 counts as "fails": a test that breaks proves nothing on any kernel.

# shellcheck source=../vm/guest/lib.sh
. /guest/lib.sh

GROUP=/sys/kernel/config/crashblk/disk
MD=/dev/md0
MDSYS=/sys/block/md0/md
MDADM=${MDADM:-mdadm}

# mdadm ARGUMENT...: the version that is asked for. One a boot: 4.6 turns the kernel's
# legacy_async_del_gendisk off, and from then on 4.2 makes and assembles nothing.
mdadm() {
	command "$MDADM" "$@"
}

shown() {
	say "SHOWN: $*"
	exit 1
}

broken() {
	say "BROKEN: $*" >&2
	exit 2
}

die() {
	broken "$@"
}

# requires COMMAND|PATH|stacks...: before anything is set up; stacks: other tasks have one to read
requires() {
	local need
	for need in "$@"; do
		case $need in
		/*) [ -e "$need" ] ;;
		stacks) grep -qs wait "/proc/$$/stack" ;; # this shell waits for grep
		*) command -v "$need" > /dev/null ;;
		esac || { say "SKIP: no $need here"; exit 4; }
	done
}

# ---- disks with a power plug ---------------------------------------------

# disks_on COUNT SIZE [ATTRIBUTE=VALUE...]: /dev/disk0..., SIZE in MiB, volatile caches; with
# another GROUP its name names them, and they have a power plug of their own
disks_on() {
	local count=$1 size=$2 last=/dev/${GROUP##*/}$(($1 - 1)) word
	shift 2
	mkdir "$GROUP" || broken "no crashblk"
	echo "$count" > "$GROUP/disks"
	echo "$size" > "$GROUP/size_mb"
	for word in "$@"; do
		echo "${word#*=}" > "$GROUP/${word%%=*}" || broken "crashblk: $word"
	done
	echo on > "$GROUP/power" || broken "crashblk: power on"
	wait_for 10 "[ -b $last ]" || broken "no $last"
}

disks_off() {
	echo off > "$GROUP/power" || broken "crashblk: power off"
	rmdir "$GROUP"
}

# hold 'RULE'...: see crashblk's README
hold() {
	local rule
	for rule in "$@"; do
		echo "$rule" > "$GROUP/hold" || broken "crashblk: hold $rule"
	done
}

release() {
	echo "${1:-all}" > "$GROUP/release" || broken "crashblk: release ${1:-all}"
}

# power_cut: what is not on the media at this instant is gone
power_cut() {
	echo cut > "$GROUP/power" || broken "crashblk: cut"
	say "power cut"
}

# power_back: stop the array on the ghosts, put the media back
power_back() {
	local limit=30
	release all
	within "$limit" mdadm --stop --quiet "$MD" || broken "the array does not stop after the cut"
	wait_for 10 "[ ! -e $MDSYS ]" || broken "the array is still there after the stop"
	echo on > "$GROUP/power" || broken "crashblk: power on"
	say "power on"
}

# ---- arrays ----------------------------------------------------------------

# md_opened: the first open of a disk scans it for partitions; have that behind us
md_opened() {
	wait_for 10 "[ -b $MD ]" || broken "no $MD"
	within 20 blockdev --getsz "$MD" > /dev/null || broken "$MD cannot be opened"
}

# array_create MDADM_ARGUMENT...
array_create() {
	within 25 mdadm --create "$MD" --run --quiet --metadata=1.2 "$@" > /run/create.log 2>&1 ||
		{ cat /run/create.log; broken "mdadm --create $*"; }
	md_opened
}

# array_assemble DEVICE...
array_assemble() {
	within 25 mdadm --assemble "$MD" --quiet "$@" > /run/assemble.log 2>&1 ||
		{ cat /run/assemble.log; broken "mdadm --assemble $*"; }
	md_opened
}

# fio_stripes FILE COUNT DEPTH ARGUMENT...: write a block in each of COUNT stripes, those of the
# first member in each row; the array has two data members and chunks of 64K
fio_stripes() {
	fio --name=stripes --filename="$1" --ioengine=libaio --direct=1 --rw=write --bs=4k \
		--zonemode=strided --zonesize=64k --zonerange=64k --zoneskip=64k \
		--number_ios="$2" --iodepth="$3" --thread --eta=never \
		--clocksource=clock_gettime --output=/run/fio.log "${@:4}" > /dev/null 2>&1
}

# sleeps_in FUNCTION [NAME]: some task waits there, one whose name begins like that; wants stacks,
# which user-mode Linux does not have
sleeps_in() {
	local task
	for task in /proc/[0-9]*; do
		if grep -qs "$1" "$task/stack" && grep -qs "^${2:-}" "$task/comm"; then
			return 0
		fi
	done
	return 1
}

# array_assemble_by UUID|name VALUE DEVICE...: as an ARRAY line of mdadm.conf finds it. mdadm 4.6
# ignores a name there and takes it on the command line only.
array_assemble_by() {
	local word=$1=$2 scan=(--scan)
	{
		echo "DEVICE ${*:3}"
		echo "HOMEHOST vm"
		if [ "$1" = name ] && [[ $(mdadm --version 2>&1) != *v4.2* ]]; then
			scan=("$MD" --name="${2#*:}")
		else
			echo "ARRAY $MD $word"
		fi
	} > /run/mdadm.conf
	if ! within 25 mdadm --assemble "${scan[@]}" --config=/run/mdadm.conf \
		> /run/assemble.log 2>&1 || [ ! -d "$MDSYS" ]; then
		cat /run/mdadm.conf /run/assemble.log
		broken "mdadm --assemble ${scan[*]}, $word"
	fi
	md_opened
}

# array_journaled LEVEL MEMBERS MODE: of /dev/disk0..., with the next disk for a journal
array_journaled() {
	local disks=() i
	for ((i = 0; i < $2; i++)); do disks+=("/dev/disk$i"); done
	array_create --level="$1" --raid-devices="$2" --chunk=64 --assume-clean \
		--data-offset=1M --write-journal="/dev/disk$2" "${disks[@]}"
	echo "$3" > "$MDSYS/journal_mode" || broken "no $3"
}

array_stop() {
	within 25 mdadm --stop --quiet "$MD" || broken "the array does not stop"
	wait_for 10 "[ ! -e $MDSYS ]" || broken "the array is still there after the stop"
}

# dm_raid_table MODE: a raid5 of /dev/disk0 to 2, whose metadata is on disk3 to 5 and whose journal
# is disk6
dm_raid_table() {
	local i
	printf '0 32768 raid raid5_ls 6 128 nosync journal_dev /dev/disk6 journal_mode %s 3' "$1"
	for i in 0 1 2; do
		printf ' /dev/disk%d /dev/disk%d' $((3 + i)) "$i"
	done
	echo
}

# dm_power_back NAME < TABLE: remove the device on the ghosts, put the media back, make it again
dm_power_back() {
	release all
	within 25 dm_del "$1" || broken "$1 cannot be removed after the cut"
	echo on > "$GROUP/power" || broken "crashblk: power on"
	say "power on"
	dm_new "$1"
}

# dm_off NAME: and the disks below it
dm_off() {
	within 25 dm_del "$1" || broken "$1 cannot be removed"
	disks_off
}

# ---- data ------------------------------------------------------------------

# random_blocks FILE COUNT: COUNT blocks of 4 KiB, none of them zero
random_blocks() {
	dd if=/dev/urandom of="$1" bs=4k count="$2" status=none
}

# half_stripes FILE BLOCKS: random data in the first of two chunks of 64 KiB of each stripe, with
# fsync; a full stripe could be written out without a read. FILE is what the array holds then.
half_stripes() {
	local file=$1 blocks=$2 i
	random_blocks "$file" "$blocks"
	for ((i = 0; i < blocks; i += 32)); do
		dd if="$file" of="$MD" bs=4k count=16 skip="$i" seek="$i" oflag=direct \
			conv=notrunc,fsync status=none || broken "the array does not take the data"
		dd if=/dev/zero of="$file" bs=4k count=16 seek="$((i + 16))" conv=notrunc \
			status=none
	done
}

# stripes_forgotten BLOCKS FIRST: have the stripes of the first BLOCKS blocks leave the stripe
# cache: read them, which makes them the newest, then write 1024 full stripes of two chunks of 64
# KiB, from block FIRST on
stripes_forgotten() {
	dd if="$MD" of=/dev/null bs=4k count="$1" iflag=direct status=none ||
		broken "$MD cannot be read"
	dd if=/dev/zero of="$MD" bs=128k count=64 seek="$(($2 / 32))" oflag=direct \
		conv=notrunc,fsync status=none || broken "the array does not take the data"
}

# blocks_compared COUNT FILE FILE: /tmp/compared gets a line for each block of 4 KiB, 0 or 1 if it
# differs; cmp -l prints one for each byte
blocks_compared() {
	paste -d '\n' <(od -An -v -t x8 -w4096 "$2") <(od -An -v -t x8 -w4096 "$3") |
		awk 'NR % 2 { want = $0; next } { print ($0 != want) }' > /tmp/compared
	[ "$(wc -l < /tmp/compared)" -eq "$1" ] || broken "$2 and $3 cannot be compared"
}

# lost_blocks FILE [DEVICE]: how many 4 KiB blocks of FILE differ on DEVICE; in $(),
# follow it by || exit
lost_blocks() {
	local file=$1 device=${2:-$MD} blocks
	blocks=$(($(stat -c %s "$file") / 4096))
	dd if="$device" of=/tmp/readback bs=4k count="$blocks" iflag=direct status=none ||
		broken "$device cannot be read"
	[ "$(stat -c %s /tmp/readback)" -eq "$(stat -c %s "$file")" ] ||
		broken "$device gave less than was asked for"
	blocks_compared "$blocks" "$file" /tmp/readback
	awk '$1 { print NR - 1 }' /tmp/compared | count_lost "$blocks"
}

# blocks_lost COUNT: how many of /tmp/data's blocks cannot be read, or differ
blocks_lost() {
	local i count=0
	for ((i = 0; i < $1; i++)); do
		dd if="$MD" bs=4k count=1 skip="$i" iflag=direct status=none 2> /dev/null |
			cmp -s - <(dd if=/tmp/data bs=4k count=1 skip="$i" status=none) ||
			count=$((count + 1))
	done
	echo "$count"
}

# count_lost BLOCKS: how many block numbers are on stdin; notes which, for the pictures
count_lost() {
	local lost
	mapfile -t lost < <(sort -n)
	echo "$1 ${lost[*]}" >> "$OUT/lost.txt"
	echo "${#lost[@]}"
}

# fio_verified NAME DEVICE SIZE: random 4K writes that fio reads back. Without --clocksource
# it waits for a counter of the CPU, which stands still in mode tt.
fio_verified() {
	fio --name=verify --filename="$2" --direct=1 --bs=4k --rw=randwrite --size="$3" \
		--iodepth=16 --ioengine=libaio --verify=crc32c --do_verify=1 --randrepeat=1 \
		--thread --eta=never --clocksource=clock_gettime --output=/run/fio.log \
		> /dev/null || { cat /run/fio.log; broken "$1: fio"; }
}

# none_lost LOST BLOCKS: the verdict
none_lost() {
	[ "$1" -eq 0 ] || shown "lost=$1 blocks=$2: fsynced blocks read back as they were before"
}

# on_members FILE: how many blocks of half_stripes' FILE the members of a RAID5 of 3 have. In the
# first row of chunks the first chunk is on disk0, then on disk2, disk1, disk0 and so on; row R
# begins at block 256 + 16 * R of each member.
on_members() {
	local rows row
	rows=$(($(stat -c %s "$1") / 131072))
	for ((row = 0; row < rows; row++)); do
		dd if="$1" bs=64k count=1 skip=$((row * 2)) status=none > /tmp/want
		dd if="/dev/disk$(((3 - row % 3) % 3))" bs=64k count=1 skip=$((16 + row)) \
			iflag=direct status=none > /tmp/have
		blocks_compared 16 /tmp/want /tmp/have
		awk '!$1 { n++ } END { print n + 0 }' /tmp/compared
	done | awk '{ n += $1 } END { print n }'
}

# row_torn [HOLD]: a RAID5 of 3 has a row of /tmp/old, whose first block, on disk0, is overwritten
# by /tmp/new; with HOLD disk2 does not get the parity of that. Then the power fails and comes
# back.
row_torn() {
	local writer
	random_blocks /tmp/old 32
	dd if=/tmp/old of="$MD" bs=128k count=1 oflag=direct conv=notrunc,fsync status=none ||
		broken "the array does not take the data"
	[ -z "${1:-}" ] || hold "2 write 2048 2055"
	random_blocks /tmp/new 1
	dd if=/tmp/new of="$MD" bs=4k count=1 oflag=direct conv=notrunc,fsync status=none &
	writer=$!
	if [ -n "${1:-}" ]; then
		wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "no parity is written"
		wait_for 10 "dd if=/dev/disk0 bs=4k count=1 skip=256 iflag=direct status=none |
			cmp -s - /tmp/new" || broken "the data is not written"
	else
		wait "$writer" || broken "the array does not take the data"
		wait_for 10 "! cmp -s /tmp/old <(dd if=/dev/disk2 bs=4k count=1 skip=256 \
			iflag=direct status=none)"
	fi
	echo "cut keep" > "$GROUP/power" || broken "crashblk: cut keep"
	release all
	wait "$writer"
	power_back
}

# parity_looked_at MEMBER BLOCK FILE NUMBER: a check, then the member fails, and block BLOCK of the
# array, which was on it, must be block NUMBER of FILE; sets MISMATCH and LOST, 0 or 1
# shellcheck disable=SC2034 # for who calls this
parity_looked_at() {
	echo check > "$MDSYS/sync_action"
	wait_for 30 "[ \"\$(< $MDSYS/sync_action)\" = idle ]" || broken "the check does not end"
	MISMATCH=$(< "$MDSYS/mismatch_cnt")
	mdadm --fail "$MD" "$1" 2> /dev/null || broken "$1 does not fail"
	dd if="$MD" of=/tmp/readback bs=4k count=1 skip="$2" iflag=direct status=none ||
		broken "$MD cannot be read"
	LOST=0
	dd if="$3" bs=4k count=1 skip="$4" status=none | cmp -s - /tmp/readback || LOST=1
}

# ---- a writer that may stall -------------------------------------------------

# put BLOCK: /tmp/data's first 4 KiB, to MD; says so in /run/put when it is acknowledged
put() {
	dd if=/tmp/data of="$MD" bs=4k count=1 seek="$1" oflag=direct conv=notrunc status=none ||
		broken "the array does not take block $1"
	echo "$1" > /run/put
}

# stalls SECONDS COMMAND...: does the command, which put()s, make no headway for so long?
stalls() {
	local limit=$1 before='' now quiet=0
	shift
	rm -f /run/put /run/put.done
	{ "$@"; : > /run/put.done; } &
	until [ -e /run/put.done ] || [ "$quiet" -ge "$((limit * 10))" ]; do
		now=$(cat /run/put 2> /dev/null)
		if [ "$now" = "$before" ]; then quiet=$((quiet + 1)); else quiet=0; fi
		before=$now
		pause 0.1
	done
	[ ! -e /run/put.done ]
}

# ---- a bitmap whose write is under way ------------------------------------------

# held_by 'RULE': how many bios a rule of hold holds
held_by() {
	sed -n "s/^[0-9]*: $1 .*held=\([0-9]*\)$/\1/p" "$GROUP/hold"
}

# rule_number 'RULE': for release
rule_number() {
	sed -n "s/^\([0-9]*\): $1 matched=.*/\1/p" "$GROUP/hold"
}

# fsynced BLOCK: that block of /tmp/data, from a task that unplugs its writes itself; a single bio
# with O_DIRECT would be left to the array's thread
fsynced() {
	dd if=/tmp/data of="$MD" bs=4k count=1 skip="$1" seek="$1" conv=notrunc,fsync status=none ||
		broken "the array does not take block $1"
}

# dirty_bits COUNT: are as many bits set on the first member?
dirty_bits() {
	mdadm --examine-bitmap /dev/disk0 | grep -q ", $1 dirty"
}

# bits_cleared SECONDS: mdadm sets all bits; wait until none is, then have the daemon sleep so long
bits_cleared() {
	echo 1 > "$MDSYS/bitmap/time_base" || broken "no time_base"
	wait_for 30 "dirty_bits 0" || broken "the bitmap does not become clean"
	echo "$1" > "$MDSYS/bitmap/time_base"
}

# bitmap_cycle internal|lockless held|free: a RAID1 of two, whose members have no volatile caches.
# Blocks 512 and 513 are in one chunk, whose bit is not set. 512 is written, and the bitmap's write
# for it is held or not; then 513, whose write to the second member is held. The power fails, and
# the array is resynced as its bitmap says. Sets EARLY, 1 if 513 was sent to the members before the
# bitmap, and DIFFER: how many blocks the members differ in.
# shellcheck disable=SC2034 # for who calls this
bitmap_cycle() {
	local bitmap='all write 16 2047' data='1 write 2048 16383' writers=() i

	disks_on 2 8 cache=0
	array_create --level=1 --raid-devices=2 --assume-clean --data-offset=1M --bitmap="$1" \
		/dev/disk0 /dev/disk1
	random_blocks /tmp/data 514
	# no superblock may be written from here on: the bitmap would go with it
	echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
	fsynced 0
	if [ "$1" = internal ]; then
		bits_cleared 30
	fi
	[ "$(< "$MDSYS/array_state")" = active ] || broken "not active: $(< "$MDSYS/array_state")"

	EARLY=0
	if [ "$2" = free ]; then
		fsynced 512
		hold "$data"
		fsynced 513 &
		writers=($!)
		wait_for 10 "[ \"\$(held_by '$data')\" = 1 ]" || broken "block 513 is not written"
	else
		hold "$bitmap" "$data"
		fsynced 512 &
		writers=($!)
		wait_for 10 "[ \"\$(held_by '$bitmap')\" = 2 ]" || broken "no write of the bitmap"
		fsynced 513 &
		writers+=($!)
		wait_for 10 "[ \"\$(awk '{ print \$2 }' /sys/block/md0/inflight)\" = 2 ]" ||
			broken "two writes should be under way"
		# time to do it wrong
		if wait_for 3 "[ \"\$(held_by '$data')\" = 1 ]" 2> /dev/null; then
			EARLY=1
		else
			release "$(rule_number "$bitmap")"
			wait_for 10 "[ \"\$(held_by '$data')\" = 2 ]" ||
				broken "blocks 512 and 513 are not written"
		fi
	fi
	power_cut
	release all
	for i in "${writers[@]}"; do
		wait "$i" || broken "a write does not end"
	done
	power_back
	array_assemble /dev/disk0 /dev/disk1
	within 25 mdadm --wait "$MD"
	for i in 0 1; do
		dd if="/dev/disk$i" of="/tmp/member$i" bs=4k skip=256 count=514 iflag=direct \
			status=none || broken "/dev/disk$i cannot be read"
	done
	DIFFER=$(cmp -l /tmp/member0 /tmp/member1 |
		awk '{ other[int(($1 - 1) / 4096)] = 1 } END { print length(other) }')
	array_stop
	disks_off
	say "the $1 bitmap's write is $2: early $EARLY, after a resync $DIFFER blocks differ"
}

# bitmap_in_flight internal|lockless
bitmap_in_flight() {
	bitmap_cycle "$1" free
	[ "$DIFFER" -eq 0 ] || broken "the control is not resynced: the set-up is wrong"
	bitmap_cycle "$1" held
	[ "$EARLY" -eq 0 ] ||
		shown "data went before its bit; differ=$DIFFER: no resync knows of it"
	[ "$DIFFER" -eq 0 ] || shown "differ=$DIFFER: the bit was not on the members"
}

# ---- passes: the same blocks again and again ---------------------------------
#
# Pass N writes the number N, filled up to 4 KiB with spaces (zeroes in front would make it octal
# for some awk), into each of the first COUNT blocks in order, and then calls fsync(): O_DSYNC
# would put FUA on the members' writes as well. A pass whose dd has ended is acknowledged.

# passes_begin COUNT LAST: passes up to LAST in the background, from where the last one ended
passes_begin() {
	local count=$1 last=$2 from
	from=$(passes_acked)
	rm -f /run/passes.ended
	{
		for ((pass = from + 1; pass <= last; pass++)); do
			[ ! -e /run/passes.stop ] || break
			for ((i = 0; i < count; i++)); do printf '%-4096d' "$pass"; done |
				dd of="$MD" bs=4k iflag=fullblock oflag=direct \
					conv=notrunc,fsync status=none || break
			echo "$pass" > /run/passes.acked.new
			mv /run/passes.acked.new /run/passes.acked
		done
		: > /run/passes.ended
	} &
	PASSES_PID=$!
}

passes_acked() {
	cat /run/passes.acked 2>/dev/null || echo 0
}

passes_ended() {
	[ -e /run/passes.ended ]
}

# passes_ended_or_stalled [CONDITION]: until all are done, the array has taken no write for 2 s,
# or the command says so
passes_ended_or_stalled() {
	local before='' now quiet=0
	until passes_ended || [ "$quiet" -ge 20 ] || "${1:-false}"; do
		now=$(awk '{ print $5, $7 }' "/sys/block/${MD#/dev/}/stat")
		if [ "$now" = "$before" ]; then quiet=$((quiet + 1)); else quiet=0; fi
		before=$now
		pause 0.1
	done
}

# passes_stop: stop the writer; the array must take writes
passes_stop() {
	: > /run/passes.stop
	wait_for 25 passes_ended || broken "the writer does not end"
	wait "$PASSES_PID"
}

# passes_end: the same, and forget what it acknowledged
passes_end() {
	passes_stop
	rm -f /run/passes.*
}

# passes_lost COUNT ACKED: how many blocks are older than pass ACKED; in $(), || exit
passes_lost() {
	dd if="$MD" of=/tmp/readback bs=4k count="$1" iflag=direct status=none ||
		broken "$MD cannot be read"
	tr '\0' '0' < /tmp/readback | fold -w 4096 |
		awk -v acked="$2" '$1 + 0 < acked { print NR - 1 }' | count_lost "$1"
}
