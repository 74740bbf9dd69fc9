#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What every mode of the VM must be able to do: make arrays with mdadm, write to them with
# fio and read back the same, degrade and reassemble one. No finding; it must pass everywhere.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio dmsetup jq /sys/kernel/config/nullb

verify() {
	fio_verified "$1" "$MD" 4m
	say "$1: 4 MiB of random 4K writes read back as written"
}

members_heavy 6 32 50000
array_create --level=6 --raid-devices=6 --chunk=64 --assume-clean --bitmap=internal \
	"${MEMBERS[@]}"
verify "raid6 of 6"
mdadm --quiet "$MD" --fail "${MEMBERS[1]}" || die "raid6: --fail"
verify "raid6 degraded"
random_blocks /tmp/data 256
dd if=/tmp/data of="$MD" bs=64k oflag=direct conv=fsync status=none || die "raid6: dd"
array_stop
array_assemble "${MEMBERS[@]}"
[ "$(lost_blocks /tmp/data)" = 0 ] || die "raid6: other data after it was assembled again"
say "raid6 assembled again, degraded: what was written is there"
array_stop

array_create --level=5 --raid-devices=4 --chunk=64 --assume-clean \
	--write-journal="${MEMBERS[5]}" "${MEMBERS[@]:0:4}"
echo write-back > "$MDSYS/journal_mode" || die "no write-back"
verify "raid5 with a write-back journal"
array_stop
members_del
say "RESULT: $(uname -rm), $(nproc) CPUs, $(cut -d' ' -f1 /proc/uptime) s of guest time"
