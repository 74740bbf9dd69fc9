#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: T2
# title: as long as one write waits for the bitmap, the array does nothing else
# shows: hang
#
# A RAID5 of three without one member, with an internal bitmap. A block is written whose bit is
# clear, and the bitmap's write for it is held. Then a block of the missing member is read, far
# away from the first: it has to be computed, by the array's thread.
#
# A kernel in which that thread itself waits for the bitmap does not read it before the bitmap's
# write ends. Others do; they also read what the held write needs, and write nothing of it before
# its bit.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

BITMAP='all write 16 2047'
# block 1008 is on disk0, its parity on disk1; block 32 was on disk2
READS='all read 6016 6023' WRITES='all write 6016 6023'

# held_by_now RULE COUNT
# shellcheck disable=SC2317 # called by wait_for
held_by_now() {
	[ "$(held_by "$1")" = "$2" ]
}

# computed: the block of the missing member
computed() {
	within 10 dd if="$MD" of=/tmp/read bs=4k count=1 skip=32 iflag=direct status=none
}

disks_on 3 8 cache=0
array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
	--bitmap=internal --bitmap-chunk=64K /dev/disk0 /dev/disk1 /dev/disk2
# no superblock may be written from here on: the bitmap would go with it
echo 1000 > "$MDSYS/safe_mode_delay" || broken "no safe_mode_delay"
random_blocks /tmp/data 1009
dd if=/tmp/data of="$MD" bs=4k count=48 oflag=direct conv=notrunc,fsync status=none ||
	broken "the array does not take the data"
bits_cleared 1000
mdadm --fail --quiet "$MD" /dev/disk2 || broken "/dev/disk2 does not fail"
computed || broken "nothing can be computed: the set-up is wrong"
wait_for 10 "[ \"\$(< $MDSYS/array_state)\" = active ]" || broken "the array is not active"

hold "$BITMAP" "$READS" "$WRITES"
dd if=/tmp/data of="$MD" bs=4k count=1 skip=1008 seek=1008 oflag=direct conv=notrunc status=none &
WRITER=$!
wait_for 10 "held_by_now '$BITMAP' 2" || broken "no write of the bitmap"
computed || shown "a read waits for the bitmap of a write elsewhere"
dd if=/tmp/data of=/tmp/wanted bs=4k count=1 skip=32 status=none
cmp /tmp/read /tmp/wanted || broken "the read gave other data"

wait_for 10 "held_by_now '$READS' 2" || broken "the write does not read while it waits"
release "$(rule_number "$READS")"
# time to do it wrong
! wait_for 3 "[ \"\$(held_by '$WRITES')\" != 0 ]" 2> /dev/null ||
	broken "the data goes before its bit"
release "$(rule_number "$BITMAP")"
wait_for 10 "held_by_now '$WRITES' 2" || broken "the bit is written, the data is not"
release all
wait "$WRITER" || broken "the write fails"
dd if="$MD" of=/tmp/read bs=4k count=1 skip=1008 iflag=direct status=none
dd if=/tmp/data of=/tmp/wanted bs=4k count=1 skip=1008 status=none
cmp /tmp/read /tmp/wanted || broken "the write is not there"
array_stop
disks_off
exit 0
