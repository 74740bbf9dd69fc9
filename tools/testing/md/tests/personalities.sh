#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the series must not break: every personality of md, every way in which raid456 keeps
# its parity consistent, mdadm.conf, and dm-raid with a journal. Each array is written, read
# back, stopped, assembled and read again, those without a journal degraded too. No finding;
# it must pass everywhere.

# shellcheck source=rc.sh
. /guest/rc.sh

requires "$MDADM" fio dmsetup cmp /sys/kernel/config/nullb

BLOCKS=256

# written NAME [DEVICE]: random 4K writes with verification, then known data
written() {
	local device=${2:-$MD}
	fio_verified "$1" "$device" 2m
	random_blocks /tmp/data $BLOCKS
	dd if=/tmp/data of="$device" bs=4k oflag=direct conv=notrunc,fsync status=none ||
		broken "$1: dd"
}

# kept NAME [DEVICE]: the known data is there
kept() {
	local lost
	lost=$(lost_blocks /tmp/data "${2:-$MD}") || exit
	[ "$lost" -eq 0 ] || broken "$1: $lost of $BLOCKS blocks read back otherwise"
}

# restart NAME MEMBER...: stop, assemble, look
restart() {
	local name=$1
	shift
	array_stop
	array_assemble "$@"
	kept "$name"
}

# array NAME COUNT CREATE_ARGUMENT...: the whole round for one array of COUNT members
array() {
	local name=$1 count=$2 level
	local members=("${MEMBERS[@]:0:$2}")
	shift 2
	array_create "$@" --raid-devices="$count" "${members[@]}"
	level=$(< "$MDSYS/level")
	written "$name"
	restart "$name" "${members[@]}"
	case $level in
	linear | raid0) ;;
	*)
		mdadm --quiet "$MD" --fail "${members[1]}" || broken "$name: --fail"
		kept "$name, degraded"
		written "$name, degraded"
		;;
	esac
	array_stop
	mdadm --quiet --zero-superblock "${members[@]}"
	say "ok $name"
}

# journal NAME MODE LEVEL COUNT
journal() {
	local name=$1 mode=$2 members=("${MEMBERS[@]:0:$4}")
	array_create --level="$3" --raid-devices="$4" --chunk=64 --assume-clean \
		--write-journal="${MEMBERS[6]}" "${members[@]}"
	echo "$mode" > "$MDSYS/journal_mode" || broken "$name: no $mode"
	written "$name"
	restart "$name" "${members[@]}" "${MEMBERS[6]}"
	[ "$(< "$MDSYS/consistency_policy")" = journal ] || broken "$name: no journal any more"
	array_stop
	mdadm --quiet --zero-superblock "${members[@]}" "${MEMBERS[6]}"
	say "ok $name"
}

# config UUID|name: the UUID in an ARRAY line, or the name, finds the array
config() {
	local value
	array_create --level=6 --raid-devices=4 --assume-clean --homehost=vm --name=store \
		"${MEMBERS[@]:0:4}"
	written "mdadm.conf by $1"
	value=$(mdadm --detail "$MD" | awk -v key="$1" \
		'tolower($1) == tolower(key) { print $3; exit }')
	[ -n "$value" ] || broken "no $1 in --detail"
	array_stop
	array_assemble_by "$1" "$value" "${MEMBERS[@]}"
	kept "mdadm.conf by $1"
	array_stop
	mdadm --quiet --zero-superblock "${MEMBERS[@]:0:4}"
	say "ok mdadm.conf by $1"
}

# dm_raid MODE: dm-raid's raid5 with a journal; its metadata is on disks of its own
dm_raid() {
	local i table
	table="0 $((3 * 16384)) raid raid5_ls 5 128 journal_dev ${MEMBERS[6]} journal_mode $1 4"
	for i in 0 1 2 3; do
		table+=" /dev/meta$i ${MEMBERS[i]}"
	done
	for i in 0 1 2 3; do
		dd if=/dev/zero of="/dev/meta$i" bs=1M count=1 oflag=direct status=none
	done
	dd if=/dev/zero of="${MEMBERS[6]}" bs=1M count=1 oflag=direct status=none
	dm_new lv <<< "$table"
	written "dm-raid $1" /dev/mapper/lv
	within 25 dm_suspend lv || broken "dm-raid $1: suspend"
	within 25 dm_resume lv || broken "dm-raid $1: resume"
	kept "dm-raid $1" /dev/mapper/lv
	written "dm-raid $1, resumed" /dev/mapper/lv
	within 25 dm_del lv || broken "dm-raid $1: remove"
	dm_new lv <<< "$table"
	kept "dm-raid $1, loaded again" /dev/mapper/lv
	within 25 dm_del lv || broken "dm-raid $1: remove"
	say "ok dm-raid raid5 with a journal, $1"
}

members_heavy 7 16 0
array linear 2 --level=linear
array raid0 3 --level=0 --chunk=64
array raid1 2 --level=1 --assume-clean --bitmap=internal
array raid10 4 --level=10 --chunk=64 --assume-clean --bitmap=internal
array raid4 3 --level=4 --chunk=64 --assume-clean
array "raid5 with a bitmap" 3 --level=5 --chunk=64 --assume-clean --bitmap=internal
array "raid5 with PPL" 3 --level=5 --chunk=64 --assume-clean --consistency-policy=ppl
array raid6 4 --level=6 --chunk=64 --assume-clean
journal "raid5 with a journal, write-through" write-through 5 3
journal "raid6 with a journal, write-back" write-back 6 4
config UUID
config name
# dm-raid knows no mdadm: once is enough
if [ "$MDADM" = mdadm ]; then
	for i in 0 1 2 3; do
		nullb_new "meta$i" size=8 memory_backed=1 cache_size=8 irqmode=0
	done
	dm_raid writethrough
	dm_raid writeback
	nullb_del meta0 meta1 meta2 meta3
fi
members_del
say "RESULT: $(uname -r), $(mdadm --version 2>&1)"
