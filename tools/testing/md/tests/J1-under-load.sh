#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: J1
# title: the mode of the journal changes under load
# shows: crash or hang
#
# A RAID5 with a journal takes random writes, which fio reads back at the end, while its mode is
# switched back and forth. At last a member fails, in the midst of more writes.
#
# A kernel that switches above stripes that are cached forgets some: writes wait for them for ever,
# or fio reads back what was there before.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm fio /sys/kernel/config/crashblk

# load NAME: in the background; says in /run/load how it ended
load() {
	rm -f /run/load
	{
		if (fio_verified "$1" "$MD" 16m); then
			echo verified > /run/load
		else
			echo failed > /run/load
		fi
	} &
	LOAD=$!
}

disks_on 4 16
array_journaled 5 3 write-back
for turn in 1 2 3; do
	load "turn $turn"
	SWITCHES=0
	until [ -e /run/load ]; do
		for MODE in write-through write-back; do
			within 25 tee "$MDSYS/journal_mode" <<< "$MODE" > /dev/null ||
				broken "no $MODE"
			SWITCHES=$((SWITCHES + 1))
		done
		((SWITCHES % 20)) || say "turn $turn: $SWITCHES switches so far"
	done
	wait "$LOAD"
	[ "$(< /run/load)" = verified ] || shown "turn $turn: fio reads back something else"
	say "turn $turn: $SWITCHES switches"
done
load "a member fails"
wait_for 10 "[ \"\$(< $MDSYS/writeback_stripes)\" -gt 20 ]" 2> /dev/null
mdadm --fail "$MD" /dev/disk1 2> /dev/null || broken "disk1 does not fail"
wait_for 25 "grep -qF '[write-through]' $MDSYS/journal_mode" ||
	broken "write-back is not turned off"
wait "$LOAD"
[ "$(< /run/load)" = verified ] || shown "a member failed: fio reads back something else"
say "a member failed under load"
array_stop
disks_off
exit 0
