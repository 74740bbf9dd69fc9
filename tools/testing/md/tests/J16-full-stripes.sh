#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J16
# title: reclaim is woken for full stripes and leaves them in the cache
# shows: stall
#
# A RAID5 with a write-back journal and chunks of 16 stripes. 16 full stripes are written: nothing
# can be gained by waiting, and reclaim is woken to write them out.
#
# A kernel in which the one who wakes it and reclaim itself disagree on how many are enough has
# woken it for nothing: they stay in the cache, and in the log.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

disks_on 4 16
array_journaled 5 3 write-back
# an array that is idle for long enough to be marked clean writes its cache out
echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
random_blocks /tmp/data 32
dd if=/tmp/data of="$MD" bs=128k count=1 oflag=direct conv=notrunc,fsync status=none ||
	broken "the array does not take the data"
wait_for 10 "[ \$(on_members /tmp/data) -eq 16 ]" ||
	shown "$(on_members /tmp/data) of 16 full stripes are written out"
array_stop
disks_off
exit 0
