#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J9
# title: recovery waits for stripes that wait for a superblock update
# shows: hang
#
# A RAID5 with a write-back journal, whose cache holds blocks that were fsynced, and the power
# fails. When the array is assembled, what the journal alone holds is written out. One of these
# writes fails, so that a bad block has to be recorded.
#
# A kernel in which only raid5d writes the superblocks that stripes wait for hangs in the assembly,
# which holds the mutex that raid5d needs. In the control no write fails.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=64

# cycle [FAIL]: sets LOST
cycle() {
	disks_on 4 8
	array_journaled 5 3 write-back
	hold "0 read,write 2048 16383" "1 read,write 2048 16383" "2 read,write 2048 16383"
	half_stripes /tmp/data "$((2 * BLOCKS))"
	power_cut
	power_back
	if [ -n "${1:-}" ]; then
		echo "$1" > "$GROUP/fail" || broken "crashblk: fail $1"
	fi
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	[ -z "${1:-}" ] || ! grep -q matched=0 "$GROUP/fail" || broken "nothing has failed"
	echo all > "$GROUP/unfail"
	LOST=$(lost_blocks /tmp/data) || exit
	say "${1:-nothing fails}: assembled, $LOST of $((2 * BLOCKS)) blocks read back otherwise"
	array_stop
	disks_off
	[ "$LOST" -eq 0 ] || broken "blocks are lost"
}

cycle
cycle "1 write 2048 16383 count=1"
exit 0
