#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: C14
# title: mdadm --stop marks the array clean before all members are flushed
# shows: loss
#
# A RAID5 without a journal, whose members have volatile caches, takes writes and is stopped. For
# two of three members every flush is held, whether it comes alone or with a superblock write, and
# let go only when nothing else moves. The power fails as soon as the first member says clean.
#
# A kernel that sends the superblocks that say clean to all members at once, each with the flush of
# its own device alone, has one that says clean by then, while the others lose their part of the
# stripes. It is the freshest, so the array starts as clean: no resync, and parity that does not
# match its data. A member that fails later takes blocks with it that nobody wrote to for years.
# With an internal bitmap it is the page without bits that comes too early. The control is cut
# before the stop, must be resynced, and must match then.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm awk /sys/kernel/config/crashblk

BLOCKS=512

# says_clean none|internal: the first member does, on its media
says_clean() {
	if [ "$1" = internal ]; then
		dirty_bits 0
	else
		mdadm --examine /dev/disk0 | grep -q 'State : clean'
	fi
}

# cycle stop|crash none|internal: sets MISMATCH, in blocks of 4 KiB
cycle() {
	local stop=

	disks_on 3 8
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		--bitmap="$2" /dev/disk0 /dev/disk1 /dev/disk2
	echo 0 > "$MDSYS/safe_mode_delay"
	if [ "$2" = internal ]; then
		# All bits are set at first, and are cleared when the array is idle for a while. A
		# first write, or the bitmap's superblock would be written before its bits.
		dd if=/dev/zero of="$MD" bs=64k count=1 oflag=direct conv=notrunc status=none
		bits_cleared 30
	fi
	random_blocks /tmp/data "$BLOCKS"
	dd if=/tmp/data of="$MD" bs=64k oflag=direct conv=notrunc status=none ||
		broken "the array does not take the data"
	if [ "$1" = stop ]; then
		hold "1 flush" "2 flush"
		mdadm --stop --quiet "$MD" &
		stop=$!
		until says_clean "$2"; do
			# one or both, if a flush was under way when the holds were set
			wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ] || says_clean $2" ||
				broken "no flushes at the stop"
			says_clean "$2" || echo "$(< "$GROUP/held")" > "$GROUP/step"
		done
	fi
	power_cut
	release all
	if [ -n "$stop" ]; then
		wait_for 25 "[ ! -e $MDSYS ]" || broken "the array does not stop"
		wait "$stop"
		echo on > "$GROUP/power" || broken "crashblk: power on"
	else
		power_back
	fi
	array_assemble /dev/disk0 /dev/disk1 /dev/disk2
	say "assembled: $(< "$MDSYS/array_state"), resync from $(< "$MDSYS/resync_start")"
	within 25 mdadm --wait "$MD"
	echo check > "$MDSYS/sync_action" || broken "no check"
	within 25 mdadm --wait "$MD"
	MISMATCH=$(($(< "$MDSYS/mismatch_cnt") / 8))
	array_stop
	disks_off
	say "$1, bitmap $2: $MISMATCH of $((BLOCKS / 2)) rows of 4 KiB do not match their parity"
}

WORST=0
for BITMAP in none internal; do
	cycle crash "$BITMAP"
	[ "$MISMATCH" -eq 0 ] || broken "the control does not match: the set-up is wrong"
	cycle stop "$BITMAP"
	[ "$MISMATCH" -le "$WORST" ] || WORST=$MISMATCH
done
[ "$WORST" -eq 0 ] ||
	shown "lost=$WORST blocks=$((BLOCKS / 2)): rows of a clean array do not match"
exit 0
