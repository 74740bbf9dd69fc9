#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: C18
# title: a store to group_thread_cnt waits for the workers of all arrays, also for one that waits
# shows: hang
#
# A RAID5 of three and, with two disks more, one above it; both have workers. The number of the
# lower one's is changed, for which it is suspended, and that has to wait for a write whose member
# is held. Then blocks of the upper one are written: it reads the lower one first, and its worker
# waits for the end of the suspend. Now the held write goes on.
#
# A kernel that then waits for the workers of all arrays hangs. In the control nothing is written
# to the upper one.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/crashblk stacks

UPPER=/dev/md1
# of the lower array, behind what the upper one uses; the members' data begins at 1 MiB
BLOCK=2048
HELD='all write 10240 10247'

threads() {
	local status=0
	echo "$1" > "$MDSYS/group_thread_cnt" || status=1
	echo "$status" > /run/threads
}

lower_write() {
	dd if=/tmp/data of="$MD" bs=4k count=1 seek="$BLOCK" oflag=direct conv=notrunc status=none
	echo $? > /run/write
}

# cycle [WRITES]: sets STORED
cycle() {
	rm -f /run/threads /run/write
	hold "$HELD"
	lower_write &
	wait_for 10 "[ \"\$(held_by '$HELD')\" -gt 0 ]" || broken "no write of the lower array"
	threads 3 &
	wait_for 10 "sleeps_in mddev_suspend" || broken "no suspend"
	if [ -n "${1:-}" ]; then
		# what is submitted together is the workers', and not the array's thread's
		fio_stripes "$UPPER" "$1" "$1" --size=8m --iodepth_batch="$1" &
		UPPER_WRITES=$!
		wait_for 10 "sleeps_in md_handle_request kworker" ||
			broken "no worker waits for the lower array"
	fi
	release
	wait_for 10 "[ -s /run/write ]" || broken "the held write does not go on"
	STORED=1
	wait_for 10 "[ -s /run/threads ]" || STORED=0
}

random_blocks /tmp/data 1
disks_on 5 16
array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
	/dev/disk0 /dev/disk1 /dev/disk2
within 25 mdadm --create "$UPPER" --run --quiet --metadata=1.2 --level=5 --raid-devices=3 \
	--chunk=64 --assume-clean --data-offset=1M --size=4M "$MD" /dev/disk3 /dev/disk4 \
	> /run/create.log 2>&1 || { cat /run/create.log; broken "no array above"; }
wait_for 10 "[ -b $UPPER ]" || broken "no $UPPER"
# who opens it first looks for partitions
within 20 blockdev --getsz "$UPPER" > /dev/null || broken "$UPPER cannot be opened"
# both are dirty from here on: no superblock is to come in between
for each in md0 md1; do
	echo 1000 > "/sys/block/$each/md/safe_mode_delay" || broken "no safe_mode_delay"
	echo 1 > "/sys/block/$each/md/group_thread_cnt" || broken "no group_thread_cnt"
done
dd if=/tmp/data of="$UPPER" bs=4k count=1 oflag=direct conv=notrunc status=none ||
	broken "$UPPER takes nothing"

cycle
[ "$STORED" -eq 1 ] || broken "the control's store does not end"
echo 1 > "$MDSYS/group_thread_cnt" || broken "group_thread_cnt stays"
cycle 64
[ "$STORED" -eq 1 ] || shown "a store waits for a worker that waits for its end"
wait "$UPPER_WRITES" || { cat /run/fio.log; broken "the upper array is not written"; }
[ "$(< /run/threads)$(< /run/write)" = 00 ] || broken "the store or the write fails"
[ "$(< "$MDSYS/group_thread_cnt")" -eq 3 ] || broken "group_thread_cnt is as it was"
within 25 mdadm --stop --quiet "$UPPER" || broken "the array above does not stop"
array_stop
disks_off
exit 0
