#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: T5
# title: a write waits as long as three quarters of the stripe cache are in use, though it grows
# shows: hang
#
# A RAID5 of 3. More blocks are written at once than the stripe cache has stripes, and what they
# read first is held. Then a block elsewhere is written, whose members answer.
#
# A kernel that lets nobody have a new stripe until less than three quarters of the cache are in
# use leaves that write waiting as long as the members do not answer the others, also if the cache
# has grown meanwhile. In the control the cache has stripes for all.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/crashblk

# the first 1024 stripes; the members' data begins at 1 MiB
SLOW='all read 2048 10239'
# stripe 2048
ELSEWHERE=4096

# slow COUNT: writes in the first stripes, a stripe each: those of the first member in each row
slow() {
	fio_stripes "$MD" "$1" "$1" --size=4m
	echo $? > /run/slow
}

elsewhere() {
	dd if=/tmp/data of="$MD" bs=4k count=1 seek="$ELSEWHERE" oflag=direct conv=notrunc \
		status=none
	echo $? > /run/elsewhere
}

# cycle COUNT: of slow writes; sets KEPT
cycle() {
	disks_on 3 16
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		/dev/disk0 /dev/disk1 /dev/disk2
	[ "$(< "$MDSYS/stripe_cache_size")" -eq 256 ] || broken "not 256 stripes"
	rm -f /run/slow /run/elsewhere
	hold "$SLOW"
	slow "$1" &
	# each of them reads a block at least
	wait_for 30 "[ \"\$(held_by '$SLOW')\" -ge $(($1 < 256 ? $1 : 256)) ]" ||
		broken "the writes read nothing"
	KEPT=0
	elsewhere &
	wait_for 10 "[ -s /run/elsewhere ]" || KEPT=1
	say "$1 slow writes: the other is $([ "$KEPT" -eq 0 ] || echo "not ")written in 10 s," \
		"$(< "$MDSYS/stripe_cache_size") stripes"
	[ ! -e /run/slow ] || broken "the slow writes have ended"
	release
	wait
	[ "$(< /run/elsewhere)" -eq 0 ] || broken "the array does not take the other"
	[ "$(< /run/slow)" -eq 0 ] || { cat /run/fio.log; broken "fio"; }
	array_stop
	disks_off
}

random_blocks /tmp/data 1
cycle 128
[ "$KEPT" -eq 0 ] || broken "the control waits: the set-up is wrong"
cycle 260
[ "$KEPT" -eq 0 ] || shown "a write waits for others that do not end, though there are stripes"
exit 0
