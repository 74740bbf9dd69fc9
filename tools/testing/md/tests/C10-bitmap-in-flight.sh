#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# finding: C10
# title: a write goes before its bit if another one writes the bitmap
# shows: disorder
#
# A RAID1 with an internal bitmap. A first write sets the bit of its chunk, and the bitmap's write
# is held on both members. A second task writes another block of that chunk. The power fails when
# that block is on one member and not on the other.
#
# A kernel in which only the first one waits for the bitmap, because for the second no page of it
# is dirty any more, has sent the second block by then. There is no bit for it, so no resync, and
# from then on what a read gives depends on which member it is sent to. In the control the bitmap
# is written first, and the resync makes the members equal.

# shellcheck source=rc.sh
. /guest/rc.sh

requires mdadm cmp awk /sys/kernel/config/crashblk

bitmap_in_flight internal
exit 0
