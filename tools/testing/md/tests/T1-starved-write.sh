#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: T1
# title: a write without REQ_SYNC waits for as long as O_DIRECT writes go on
# shows: hang
#
# A RAID5 of 3. An O_DIRECT write reads the other block of its stripe, and that read is held: so
# there is always such a write under way, as there is while somebody keeps many of them in flight.
# Then a buffered write to another stripe is written out, as the kernel does that by itself.
#
# A kernel that lets delayed stripes go only when no stripe reads what it needs, though O_DIRECT
# writes are never delayed themselves, leaves the buffered write waiting until the read is let go.
# In the control no O_DIRECT write is under way.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio cmp /sys/kernel/config/crashblk

LIMIT=10	# seconds

# written_out BLOCK: /tmp/new, buffered, by sync_file_range(): without REQ_SYNC. fio calls that only
# in front of another write, which goes to the next block.
written_out() {
	fio --name=buffered --filename="$MD" --ioengine=psync --rw=write --bs=4k --size=8k \
		--offset="$(($1 * 4096))" --sync_file_range=write,wait_after:1 --invalidate=0 \
		--buffer_pattern=0x54 --thread --eta=never --clocksource=clock_gettime \
		--output=/run/fio.log > /dev/null 2>&1
	echo $? > /run/buffered
}

# same BLOCK: is it /tmp/new's?
same() {
	dd if="$MD" bs=4k count=1 skip="$1" iflag=direct status=none | cmp -s - /tmp/new
}

# cycle THREADS [direct]: sets STARVED
cycle() {
	disks_on 3 5
	array_create --level=5 --raid-devices=3 --chunk=64 --assume-clean --data-offset=1M \
		/dev/disk0 /dev/disk1 /dev/disk2
	echo "$1" > "$MDSYS/group_thread_cnt" || broken "no group_thread_cnt"
	STARVED=0
	rm -f /run/buffered
	if [ -n "${2:-}" ]; then
		hold "all read 2048 2055"
		dd if=/tmp/new of="$MD" bs=4k count=1 oflag=direct conv=notrunc status=none &
		wait_for 10 "[ \"\$(< $GROUP/held)\" -gt 0 ]" ||
			broken "the O_DIRECT write reads nothing"
	fi
	written_out 8 &
	wait_for "$LIMIT" "[ -s /run/buffered ]" || STARVED=1
	say "${2:-control}, $1 threads: $([ "$STARVED" -eq 0 ] || echo "not ")written in $LIMIT s"
	[ -z "${2:-}" ] || [ "$(< "$GROUP/held")" -gt 0 ] || broken "nothing is held any more"
	release
	wait_for 10 "[ -s /run/buffered ]" || broken "the buffered write does not end"
	wait
	[ "$(< /run/buffered)" -eq 0 ] || { cat /run/fio.log; broken "fio"; }
	same 8 || broken "the buffered write is not there"
	[ -z "${2:-}" ] || same 0 || broken "the O_DIRECT write is not there"
	array_stop
	disks_off
}

head -c 4096 /dev/zero | tr '\0' T > /tmp/new
for THREADS in 0 2; do
	cycle "$THREADS"
	[ "$STARVED" -eq 0 ] || broken "the control starves: the set-up is wrong"
	cycle "$THREADS" direct
	[ "$STARVED" -eq 0 ] ||
		shown "a buffered write waits for an O_DIRECT write to another stripe"
done
exit 0
