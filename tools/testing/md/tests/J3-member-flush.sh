#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J3
# title: the journal's new tail is durable before a member's cache is
# shows: loss
#
# A RAID5 with a write-through journal; members and journal have volatile caches. Blocks are
# written and fsynced one by one, enough that the tail of the journal moves. Every flush of one
# member is held, whether it comes alone or with a superblock write. The power fails.
#
# A kernel that writes the new tail without waiting for the members' flushes has it on the journal
# by then, and recovery starts behind records whose data the held member lost. One that waits takes
# no more writes when the journal is full. The control holds the journal's superblock too, and must
# keep everything.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

BLOCKS=200

# writer: one block after the other, until /run/stop; says how far it got in /run/acked
writer() {
	local i
	for ((i = 0; i < BLOCKS; i++)); do
		[ ! -e /run/stop ] || break
		dd if=/tmp/data of="$MD" bs=4k count=1 skip="$i" seek="$i" oflag=direct \
			conv=notrunc,fsync status=none || break
		echo "$((i + 1))" > /run/acked.new
		mv /run/acked.new /run/acked
	done
	: > /run/passes.ended
}

# cycle HOLD...: sets LOST and ACKED
cycle() {
	local pid

	disks_on 4 5
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--write-journal=/dev/disk3 /dev/disk0 /dev/disk1 /dev/disk2
	echo 0 > "$MDSYS/safe_mode_delay"
	random_blocks /tmp/data "$BLOCKS"
	dd if=/dev/zero of="$MD" bs=4k count=1 oflag=direct,dsync conv=notrunc status=none
	rm -f /run/acked /run/stop /run/passes.ended
	hold "$@"
	writer &
	pid=$!
	passes_ended_or_stalled false
	ACKED=$(cat /run/acked)
	power_cut
	: > /run/stop
	release all
	wait_for 25 passes_ended || broken "the writer does not end"
	wait "$pid"
	power_back
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3
	truncate -s "$((ACKED * 4096))" /tmp/data
	LOST=$(lost_blocks /tmp/data) || exit
	array_stop
	disks_off
	say "$ACKED of $BLOCKS blocks were acknowledged, $LOST of these are lost"
	[ "$ACKED" -gt 80 ] || broken "the tail of the journal had no reason to move"
}

cycle "1 flush" "3 write 8 15"
[ "$LOST" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle "1 flush"
none_lost "$LOST" "$ACKED"
exit 0
