#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# make deps: install what building and testing need, on Debian; prints what is missing.
set -eu

PACKAGES="bash-static bc bison busybox-static bzip2 ca-certificates ccache coreutils cpio
	debhelper debian-archive-keyring diffutils dmsetup dpkg-dev e2fsprogs flake8 flex gcc git
	gzip jq kmod libaio-dev libc6-dev libdw-dev libelf-dev libssl-dev lz4 lzop make mypy
	openssl perl python3 python3-flake8 python3-git python3-matplotlib python3-ply
	qemu-system-x86 rsync shellcheck spin trace-cmd util-linux xz-utils zlib1g-dev zstd"

if ! command -v apt-get > /dev/null; then
	echo "error: no apt-get here. Install what these Debian packages hold:" >&2
	echo "$PACKAGES" >&2
	exit 1
fi

missing=
for package in $PACKAGES; do
	state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2> /dev/null || true)
	[ "$state" = "ii " ] || missing="$missing $package"
done
[ -n "$missing" ] || { echo "everything is installed"; exit 0; }

sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo > /dev/null || {
		echo "error: as root: apt-get install$missing" >&2
		exit 1
	}
	sudo=sudo
fi
echo "installing:$missing"
$sudo apt-get -qq update || echo "warning: the package lists could not be renewed" >&2
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $missing
