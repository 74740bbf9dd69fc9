#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mdadm's own tests, unmodified, in the virtual machine: suite.sh TEST...
#
# They expect a machine with udev, systemd and SELinux. What they call of these answers that it has
# done it: there is no udev here, and devtmpfs makes the nodes at once. After each test a line
# RESULT TEST succeeded|failed|skipped goes to the console, and the test's log to the results.

# shellcheck source=../vm/guest/lib.sh
. /guest/lib.sh

# shellcheck disable=SC2206 # words
TESTS=(${MDADM_TESTS:?which tests?})
mkdir -p /run/stubs /run/mdadm-tests /var/tmp
for stub in udevadm systemctl setenforce modprobe; do
	printf '#!/bin/sh\nexit 0\n' > "/run/stubs/$stub"
done
printf '#!/bin/sh\necho Permissive\n' > /run/stubs/getenforce
printf '#!/bin/sh\nexec mkfs.ext4 "$@"\n' > /run/stubs/mkfs.ext3
printf '#!/bin/sh\nexec e2fsck "$@"\n' > /run/stubs/fsck
chmod +x /run/stubs/*
export PATH=/run/stubs:$PATH

cd /run/mdadm-tests || die "no folder"
tar xf /usr/share/mdadm-tests.tar || die "mdadm-tests.tar does not unpack"
ln -s "$(command -v raid6check)" raid6check
hostname vm
echo "RESULT mdadm $(mdadm --version 2>&1)"
for test in "${TESTS[@]}"; do
	[ -f "tests/$test" ] || die "mdadm has no test $test"
	say "$test"
	bash ./test --keep-going --save-logs --logdir=/run/logs --tests="$test" \
		> "/run/out" 2>&1 < /dev/null &
	pid=$!
	# a line now and then: the machine is not lost
	while kill -0 "$pid" 2> /dev/null; do
		pause 10
		say "$test goes on"
	done
	wait "$pid"
	mkdir -p "$OUT/$test"
	cp /run/out "$OUT/$test/out.txt"
	cp /run/logs/* "$OUT/$test/" 2> /dev/null
	rm -rf /run/logs
	if grep -q 'succeeded' /run/out; then
		echo "RESULT $test succeeded"
	elif grep -q skipping /run/out && ! grep -q FAILED /run/out; then
		echo "RESULT $test skipped"
	else
		echo "RESULT $test failed"
	fi
done
exit 0
