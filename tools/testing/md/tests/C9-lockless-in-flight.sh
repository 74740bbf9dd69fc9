#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: C9
# title: a write goes before its bit if another one writes the lockless bitmap
# shows: disorder
#
# As C10-bitmap-in-flight.sh, with a lockless bitmap: only who finds a page of it dirty waits for
# its write, and the first one has made it clean when that write is still held.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

bitmap_in_flight lockless
exit 0
