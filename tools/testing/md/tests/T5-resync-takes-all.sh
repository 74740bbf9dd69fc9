#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: T5
# title: a check takes all stripes that there are, and a write beside it waits for one
# shows: hang
#
# A RAID5 of 3. It is checked, and what the check reads is held, so it comes as far as it has
# stripes. Then a block elsewhere is written, whose members answer.
#
# A kernel that lets a check have all stripes leaves that write waiting for the members of the
# check. In the control there is no check.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm /sys/kernel/config/crashblk

# the first 1024 stripes; the members' data begins at 1 MiB
CHECKED='all read 2048 10239'
# stripe 2048
ELSEWHERE=4096

elsewhere() {
	within 10 dd if=/tmp/data of="$MD" bs=4k count=1 seek="$ELSEWHERE" oflag=direct \
		conv=notrunc status=none
}

# held_now COUNT
# shellcheck disable=SC2317 # called by wait_for
held_now() {
	[ "$(held_by "$CHECKED")" -ge "$1" ]
}

random_blocks /tmp/data 1
disks_on 3 16
array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
	/dev/disk0 /dev/disk1 /dev/disk2
[ "$(< "$MDSYS/stripe_cache_size")" -eq 256 ] || broken "not 256 stripes"
# no superblock is written from here on
echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
elsewhere || broken "the control is not written"

# it is not to wait for anything else
echo 1000000 > "$MDSYS/sync_speed_min" || broken "no sync_speed_min"
hold "$CHECKED"
echo check > "$MDSYS/sync_action" || broken "no check"
# each of its stripes reads three blocks
wait_for 30 "held_now 300" || broken "the check reads nothing"
# a kernel that leaves some to others does not come that far
wait_for 5 "held_now $((256 * 3))" 2> /dev/null || say "the check does not take all stripes"
say "the check has $(($(held_by "$CHECKED") / 3)) stripes of $(< "$MDSYS/stripe_cache_size")"
elsewhere || shown "a write waits for what a check reads elsewhere"

release
wait_for 60 "[ \"\$(< $MDSYS/sync_action)\" = idle ]" || broken "the check does not end"
[ "$(< "$MDSYS/mismatch_cnt")" -eq 0 ] || say "mismatch_cnt $(< "$MDSYS/mismatch_cnt")"
array_stop
disks_off
exit 0
