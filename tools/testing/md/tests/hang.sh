#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hangs, on purpose: for the test of the VM's hang detection. With KIND=write the hung task
# detector must see it; with KIND=flush only silence gives it away, since the kernel excuses
# those who wait for a bio of their own.

# shellcheck source=rc.sh
. /guest/rc.sh

disks_on 1 4
hold "all ${KIND:?}"
say "hanging in a $KIND"
dd if=/dev/zero of=/dev/disk0 bs=4k count=1 conv=fsync status=none
