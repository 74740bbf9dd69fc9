#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The trace events of the write protocol, by the command that the documentation gives, and the count
# of stripes that wait to be written out. No finding: the base has none of it.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm trace-cmd awk /sys/kernel/config/crashblk

# seen FILE PATTERN TEXT
seen() {
	trace-cmd report -i "$1" 2> /dev/null > /tmp/report
	grep -q "$2" /tmp/report || { cat /tmp/report; broken "no event says that $3"; }
	say "ok: $3"
}

disks_on 4 16
array_journaled 5 3 write-back
wait_for 20 "[ \"\$(< $MDSYS/array_state)\" = clean ]" || broken "it does not become clean"
# the superblock that says dirty takes its time, so that the write does wait
hold "0 write 8 15"
trace-cmd record -q -e md_write -o /tmp/trace.dat dd if=/dev/urandom of="$MD" bs=4k count=1 \
	oflag=direct status=none > /dev/null 2>&1 &
wait_for 20 "[ \"\$(< $GROUP/held)\" -gt 0 ]" || broken "no superblock is written"
release all
wait $! || broken "trace-cmd records nothing"
seen /tmp/trace.dat "md_in_sync:.*md0 dirty" "the array became dirty"
seen /tmp/trace.dat "md_write_wait:.*md0 sector=0 ns=[1-9]" "the write waited"
seen /tmp/trace.dat "md_writeback_start:.*md0 stripes=1" "a stripe joined the cache"
[ "$(< "$MDSYS/writeback_stripes")" = 1 ] || broken "writeback_stripes is not 1"
trace-cmd record -q -e md_write -o /tmp/trace.dat mdadm --readonly "$MD" > /dev/null 2>&1 ||
	broken "trace-cmd records nothing"
[ "$(< "$MDSYS/writeback_stripes")" = 0 ] || broken "writeback_stripes is not 0"
seen /tmp/trace.dat "md_writeback_end:.*md0 stripes=0" "it left the cache"
seen /tmp/trace.dat "md_writeback_drain:.*md0 stripes=1 ret=0" "somebody waited for it"
seen /tmp/trace.dat "md_in_sync:.*md0 clean" "the array became clean"
array_stop
disks_off
exit 0
