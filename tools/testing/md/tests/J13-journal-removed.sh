#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J13
# title: a journal is removed below a FLUSH that it has not completed
# shows: hang
#
# A RAID5 with a write-back journal. fsync() is called with nothing to write, so all there is of it
# is a FLUSH to the journal, which is held. The journal fails, and is to be removed.
#
# A kernel that looks at stripes only removes it, and frees its log, to which the held FLUSH leads:
# when that completes it completes into freed memory, and fsync() may never end. One that knows of
# the FLUSH removes the journal when it is completed. In the control nothing is held. In the end
# the journal fails, is removed and added again while others write, read and call fsync().

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm /sys/kernel/config/crashblk

array_on() {
	disks_on 4 16
	array_journaled 5 3 write-back
}

# the name of the mode is gone with the log
# shellcheck disable=SC2317 # called by wait_for
removed() {
	[ -z "$(< "$MDSYS/journal_mode")" ]
}

fsync_empty() {
	rm -f /run/ended
	{
		dd if=/dev/zero of="$MD" count=0 conv=notrunc,fsync status=none 2> /dev/null
		: > /run/ended
	} &
}

# cycle [HOLD]
cycle() {
	array_on
	[ -z "${1:-}" ] || hold "$1"
	fsync_empty
	if [ -n "${1:-}" ]; then
		wait_for 10 "[ \"\$(< $GROUP/held)\" = 1 ]" || broken "no FLUSH of the journal"
	else
		wait_for 10 "[ -e /run/ended ]" || broken "fsync() does not end"
	fi
	mdadm --fail "$MD" /dev/disk3 2> /dev/null || broken "the journal does not fail"
	if [ -n "${1:-}" ]; then
		if wait_for 3 removed 2> /dev/null; then
			# nothing may complete any more
			end_by_power_cut
			shown "the journal is removed, its log is freed, and a FLUSH is under way"
		fi
		release
		wait_for 20 "[ -e /run/ended ]" || shown "fsync() does not end"
	fi
	wait_for 20 removed || shown "the journal is never removed"
	say "${1:-nothing held}: removed"
}

# load: until /run/load.stop is there; what fails without a journal does not matter here
load() {
	local i=0
	until [ -e /run/load.stop ]; do
		dd if=/tmp/data of="$MD" bs=4k count=4 seek="$((i % 256))" oflag=direct \
			conv=notrunc,fsync status=none
		dd if="$MD" of=/dev/null bs=64k count=16 iflag=direct status=none
		i=$((i + 1))
		# who holds it open keeps it from becoming read-only
		[ $((i % 8)) -ne 0 ] || pause 0.1
	done 2> /dev/null
}

# another: a journal can be added to a read-only array alone
journal_added() {
	wait_for 10 "mdadm --remove $MD /dev/disk3 2> /dev/null" ||
		broken "the failed journal is not let go"
	wait_for 20 "mdadm --readonly $MD 2> /dev/null" ||
		broken "the array does not become read-only"
	within 20 mdadm --manage "$MD" --add-journal /dev/disk3 > /dev/null 2>&1 ||
		broken "the journal is not added"
	[ "$(< /sys/block/md0/ro)" = 0 ] || broken "the array does not become read-write"
}

cycle
journal_added
array_stop
disks_off
cycle "3 flush"
array_stop
disks_off

random_blocks /tmp/data 4
array_on
echo 2 > "$MDSYS/group_thread_cnt" || broken "no workers"
load &
for ((n = 0; n < 5; n++)); do
	echo write-back > "$MDSYS/journal_mode" || broken "no write-back"
	pause 0.5
	mdadm --fail "$MD" /dev/disk3 2> /dev/null || broken "the journal does not fail"
	wait_for 20 removed || shown "the journal is never removed"
	journal_added
done
: > /run/load.stop
wait
say "removed and added 5 times"
array_stop
disks_off
exit 0
