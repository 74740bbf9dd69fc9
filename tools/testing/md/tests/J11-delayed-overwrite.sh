#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J11
# title: parity is made of pages that were never read
# shows: loss
#
# A RAID5 of 5 with a write-back journal, full of single blocks of as many stripes, so that log
# space is critical. The first stripe is written out: its old block is read for that, and the read
# is held. Meanwhile the other three blocks of that stripe are overwritten, which has to wait until
# the stripe has left the journal. Then the read ends, and when parity and block go to the members
# the power fails. Recovery replays both. At last a member fails, and its block, which was never
# overwritten, is read.
#
# A kernel that takes a block which is to be overwritten for one that need not be read, although the
# write is delayed, makes parity of whatever those pages held before. In the control nothing else is
# written to the stripe.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp /sys/kernel/config/crashblk

CHUNK=256	# blocks
DISKS=(/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3 /dev/disk4 /dev/disk5)

# inflight: writes that the array has not ended
# shellcheck disable=SC2317 # called by wait_for
inflight() {
	awk '{ print $2 }' "/sys/block/${MD#/dev/}/inflight"
}

# shellcheck disable=SC2317 # called by stalls
fill() {
	local i
	for ((i = 0; i < CHUNK - 8; i++)); do put "$i"; done
}

# cycle [OVERWRITE]: sets LOST and MISMATCH
cycle() {
	local chunk

	disks_on 6 5 cache=0
	array_create --level=5 --raid-devices=5 --chunk=$((4 * CHUNK)) --assume-clean \
		--data-offset=1M --write-journal=/dev/disk5 \
		/dev/disk0 /dev/disk1 /dev/disk2 /dev/disk3 /dev/disk4
	random_blocks /tmp/old 4
	random_blocks /tmp/new 4
	random_blocks /tmp/data 1
	for chunk in 0 1 2 3; do
		dd if=/tmp/old of="$MD" bs=4k count=1 skip="$chunk" seek="$((chunk * CHUNK))" \
			oflag=direct conv=notrunc,fsync status=none ||
			broken "the array does not take the data"
	done
	# forget the pages
	array_stop
	array_assemble "${DISKS[@]}"
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"

	# the first block of the first member, to be let go first; and the others
	hold "0 read 2048 2055"
	hold "0 read 2056 8191"
	hold "0 write 2048 2055"
	stalls 2 fill || broken "log space does not get critical"
	wait_for 10 "grep -q 'read 2048 2055 .*held=1' $GROUP/hold" ||
		broken "the first stripe is not written out"
	if [ -n "${1:-}" ]; then
		for chunk in 1 2 3; do
			dd if=/tmp/new of="$MD" bs=4k count=1 skip="$chunk" \
				seek="$((chunk * CHUNK))" oflag=direct conv=notrunc status=none &
		done
		wait_for 10 "[ \$(inflight) -eq 4 ]" || broken "three writes and a parked one"
	fi
	release "$(sed -n 's/^\([0-9]*\): 0 read 2048 2055 .*/\1/p' "$GROUP/hold")"
	wait_for 10 "grep -q 'write 2048 2055 .*held=1' $GROUP/hold" ||
		broken "the first stripe does not go to the members"
	power_cut
	release all
	wait
	power_back
	array_assemble "${DISKS[@]}"
	parity_looked_at /dev/disk1 "$CHUNK" /tmp/old 1
	say "${1:-control}: mismatch_cnt $MISMATCH, $LOST of 1 block of the failed member is lost"
	array_stop
	disks_off
}

cycle
[ "$((LOST + MISMATCH))" -eq 0 ] || broken "the control loses data: the set-up is wrong"
cycle overwrite
[ "$((LOST + MISMATCH))" -eq 0 ] ||
	shown "lost=$LOST blocks=1 mismatch=$MISMATCH: parity that fits no data"
exit 0
