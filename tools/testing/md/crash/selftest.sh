#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Selftest of crashblk: does the device lose what it may lose, keep what it must
# keep, and refuse bad use? Run as root in a throwaway VM:
#
#   insmod crashblk.ko && ./selftest.sh
#
# Prints "ok NAME", "not ok NAME why" or "skip NAME why"; exits with 0 only if
# nothing is not ok. Every check that data survives has a partner that shows the
# same data lost, and the other way round: see the controls.
#
# Needs: bash, coreutils' dd, configfs mounted. Uses if present:
# blkdiscard, dmsetup, mkfs.ext4, md with raid1 or raid456.

set -u
CFG=/sys/kernel/config/crashblk
G=ctest
GD=$CFG/$G
TMP=$(mktemp -d)
bad=0 failed=''
nr_ok=0

ok() { echo "ok $1"; nr_ok=$((nr_ok + 1)); }
notok() { echo "not ok $1 ${*:2}"; bad=$((bad + 1)); failed+=" $1"; }
skip() { echo "skip $1 ${*:2}"; }
is() { # NAME WANT GOT
	if [ "$2" = "$3" ]; then ok "$1"; else notok "$1" "want '$2', got '$3'"; fi
}

succeeds() { # NAME COMMAND...
	if "${@:2}"; then ok "$1"; else notok "$1" "failed: ${*:2}"; fi
}
refused() { # NAME COMMAND...
	if "${@:2}" 2>/dev/null; then notok "$1" "succeeded: ${*:2}"; else ok "$1"; fi
}

set_attr() { printf '%s\n' "$2" 2>/dev/null >"$GD/$1"; }
# Several rules in one write(); printf alone makes one for each line.
lines() { printf '%s\n' "$@" | dd of=$GD/hold bs=4k iflag=fullblock status=none 2>/dev/null; }
power() { set_attr power "$1" || notok "power-$1" "refused: $(dmesg | tail -n 1)"; }
dev() { echo "/dev/$G$1"; }

# A sector filled with a tag.
sector() { printf '%-511s\n' "$1"; }
w() { # DISK SECTOR TAG [extra dd arguments]
	sector "$3" | dd of="$(dev "$1")" bs=512 seek="$2" iflag=fullblock \
		oflag=direct conv=notrunc status=none "${@:4}" 2>/dev/null
}
w_fsync() { w "$1" "$2" "$3" conv=fsync; }
# O_DIRECT and O_DSYNC make a FUA write, and a flush after it.
w_fua() { w "$1" "$2" "$3" oflag=dsync; }
flush() { dd if=/dev/null of="$(dev "$1")" conv=notrunc,fsync status=none 2>/dev/null; }
r() { # DISK SECTOR
	local tag
	tag=$(dd if="$(dev "$1")" bs=512 count=1 skip="$2" iflag=direct status=none |
		tr -d '\0')
	tag=${tag%% *}
	echo "${tag:-zero}"
}
discard() { blkdiscard -o $(($2 * 512)) -l $(($3 * 512)) "$(dev "$1")"; }
stat() { # DISK FIELD
	sed -n "s/^$1 .*$2=\([0-9]*\).*/\1/p" "$GD/stats"
}
wait_held() { # N
	local i
	for ((i = 0; i < 200; i++)); do
		[ "$(cat $GD/held)" = "$1" ] && return 0
		sleep 0.05
	done
	notok wait-held "want $1 bios held, got $(cat $GD/held)"
	return 1
}
cut_on() { power "${1:-cut}"; power on; }
msgs() { dmesg | grep -c 'crashblk: '; }

up() { # DISKS CACHE DISCARD
	mkdir $GD && set_attr disks "$1" && set_attr size_mb 16 &&
		set_attr cache "$2" && set_attr discard "$3" && power on
}
down() {
	[ -d $GD ] || return 0
	set_attr unfail all
	set_attr release all
	wait
	power off
	rmdir $GD
}
cleanup() {
	# A child that is killed before it calls exec() may come here too.
	[ "$BASHPID" = $$ ] || return
	trap - EXIT
	: >"$TMP/stop"
	exec 9<&- 2>/dev/null
	umount "$TMP/mnt" 2>/dev/null
	dmsetup remove --noudevsync crashtest 2>/dev/null
	[ -d /sys/block/md77/md ] && echo clear >/sys/block/md77/md/array_state
	[ -d $GD ] && down
	rm -rf "$TMP"
}
trap cleanup EXIT

[ -d $CFG ] || { echo "not ok requires $CFG (insmod crashblk.ko, mount configfs)"; exit 1; }
dd --version >/dev/null 2>&1 ||
	{ echo "not ok requires the dd of coreutils"; exit 1; }

# The checker itself must be able to say no.
case $(is x a b) in "not ok"*) ok control-checker ;; *) notok control-checker ;; esac

# --- What a cut loses and keeps --------------------------------------------
up 3 "1 1 0" "1 1 1" || { notok up; exit 1; }
is feature-write-cache "write back write back write through" \
	"$(cat /sys/block/${G}{0,1,2}/queue/write_cache | paste -sd ' ')"
is feature-fua "1 1 0" "$(cat /sys/block/${G}{0,1,2}/queue/fua | paste -sd ' ')"
is feature-block-size "512" "$(cat /sys/block/${G}0/queue/logical_block_size)"

# Returns the survivor: old was flushed, new only written.
overwrite() { # DISK [cut]
	w "$1" 8 old; flush "$1"; w "$1" 8 new
	[ "$(r "$1" 8)" = new ] || echo -n "live:"
	cut_on "${2:-cut}"
	r "$1" 8
}
is lose-unflushed-overwrite old "$(overwrite 0)"
is control-cut-keep new "$(overwrite 0 'cut keep')"
is control-no-cache new "$(overwrite 2)"

w 0 9 new; cut_on
is lose-unflushed-first-write zero "$(r 0 9)"
w_fsync 0 9 new; cut_on
is keep-flushed new "$(r 0 9)"
w 1 9 new; flush 0; cut_on
is flush-is-per-disk zero "$(r 1 9)"
dd if="$(dev 0)" of="$TMP/buffered" bs=4096 count=1 skip=1 status=none
w 0 9 newer; cut_on
is page-cache-invalidated "$(dd if="$(dev 0)" bs=4096 count=1 skip=1 status=none | md5sum)" \
	"$(md5sum <"$TMP/buffered")"

w 0 16 old; w 0 17 old; w 0 18 old; flush 0
w 0 16 new; set_attr hold "0 flush"
w_fua 0 17 new & wait_held 1
power cut; set_attr release all; wait; power on
is fua-alone-is-durable new "$(r 0 17)"
is control-sector-granularity "old old" "$(r 0 16) $(r 0 18)"
set_attr hold "0 flush"
w_fsync 0 17 lost & wait_held 1
power cut; set_attr release all; wait; power on
is control-held-flush-not-done new "$(r 0 17)"

# A write of many sectors that a FUA write and a later write divide.
dd if=/dev/zero bs=64k count=1 status=none | tr '\0' x |
	dd of="$(dev 0)" bs=64k seek=1 oflag=direct conv=notrunc,fsync iflag=fullblock status=none
dd if=/dev/zero of="$(dev 0)" bs=64k seek=1 count=1 oflag=direct conv=notrunc status=none
is live-large-write zero "$(r 0 130)"
cut_on
is lose-large-write xxxxxxxx "$(r 0 255 | cut -c 1-8)"

if command -v blkdiscard >/dev/null; then
	w 0 24 old; flush 0; discard 0 24 8
	is discard-reads-zero zero "$(r 0 24)"
	cut_on
	is discard-is-volatile old "$(r 0 24)"
	discard 0 24 8; flush 0; cut_on
	is discard-flushed zero "$(r 0 24)"
	w 2 24 old; discard 2 24 8; cut_on
	is discard-no-cache zero "$(r 2 24)"
else
	skip discard "no blkdiscard"
fi

# --- Ghosts -----------------------------------------------------------------
w_fsync 0 32 old; w 2 32 old
power cut
is power-shows-cut cut "$(cat $GD/power)"
succeeds ghost-write-flush w_fsync 0 32 ghost
succeeds ghost-fua w_fua 0 33 ghost
succeeds ghost-no-cache w_fsync 2 32 ghost
is ghost-reads-back "ghost ghost ghost" "$(r 0 32) $(r 0 33) $(r 2 32)"
power on
is ghost-not-on-media "old zero old" "$(r 0 32) $(r 0 33) $(r 2 32)"

# --- Hold and release -------------------------------------------------------
w_fsync 0 40 old
set_attr hold "0 write 40"
w 0 40 new & wait_held 1
is hold-not-applied old "$(r 0 40)"
w 0 41 new
is hold-range-only new "$(r 0 41)"
flush 0
set_attr release all; wait
is release-applies new "$(r 0 40)"
cut_on
is flush-before-release-does-not-cover "old new" "$(r 0 40) $(r 0 41)"

w 0 48 old; w 0 49 old; flush 0
w 0 48 new; set_attr hold "0 flush"
flush 0 & wait_held 1
w 0 49 new
set_attr release all; wait
cut_on
is held-flush-covers-only-earlier "new old" "$(r 0 48) $(r 0 49)"
w 0 48 a; set_attr hold "0 flush"
flush 0 & wait_held 1
w 0 48 b
set_attr release all; wait
cut_on
case $(r 0 48) in
a | b) ok held-flush-covers-rewritten ;;
*) notok held-flush-covers-rewritten "got $(r 0 48)" ;;
esac
# Clean at the issue of the held flush, dirty again before its release.
w_fsync 0 48 old; set_attr hold "0 flush"
flush 0 & wait_held 1
w 0 48 new
power "cut"; set_attr release all; wait; power on
is held-flush-after-cut old "$(r 0 48)"

set_attr hold "all write 56 63"
for i in 1 2 3 4; do w 0 56 $i & wait_held $i; done
set_attr hold "1 read"
is hold-lists "all write 56 63 matched=4 held=4;1 read matched=0 held=0" \
	"$(sed 's/^[0-9]*: //' $GD/hold | paste -sd ';')"
set_attr step 1; got=$(r 0 56)
set_attr step "2 $(sed -n '1s/:.*//p' $GD/hold)"; got+=" $(r 0 56)"
is step-in-order-of-issue "1 3" "$got"
is held-count 1 "$(cat $GD/held)"
set_attr release "$(sed -n '1s/:.*//p' $GD/hold)"
wait
is release-one-rule "4 1" "$(r 0 56) $(wc -l <$GD/hold)"
r 1 0 >"$TMP/r" & wait_held 1
is hold-read "" "$(cat "$TMP/r")"
set_attr release all; wait
is release-read zero "$(cat "$TMP/r")"
lines '0 write 1' '1 write 2 3'
is hold-two-lines 2 "$(wc -l <$GD/hold)"
set_attr release all
is release-drops-rules 0 "$(wc -l <$GD/hold)"

# --- Failures ---------------------------------------------------------------
w_fsync 0 64 old
set_attr fail "0 write 64 71 count=1"
refused fail-write w 0 64 new
is fail-not-applied old "$(r 0 64)"
succeeds fail-count w 0 64 new
succeeds control-fail-range w 0 72 new
is fail-lists "0 write 64 71 count=1 matched=1" "$(sed 's/^[0-9]*: //' $GD/fail)"
set_attr unfail all
set_attr fail "all flush"
refused fail-flush flush 0
set_attr unfail all
succeeds unfail flush 0
is unfail-drops-rules 0 "$(wc -l <$GD/fail)"

# --- Statistics -------------------------------------------------------------
flush 1
set_attr stats 0
w 1 80 a; w 1 81 a; r 1 80 >/dev/null
is stats-volatile 2 "$(stat 1 volatile)"
w_fua 1 80 b
is stats "1 reads=1 writes=3 flushes=1 fuas=1 discards=0 volatile=0" \
	"$(sed -n 2p $GD/stats)"
set_attr stats 0
is stats-reset 0 "$(stat 1 writes)"

# --- Bad use: an errno, and one line that says what to do --------------------
refuse() { # NAME ATTR TEXT
	local before after
	before=$(msgs)
	if set_attr "$2" "$3"; then
		notok "refuse-$1" "accepted"
		return
	fi
	after=$(msgs)
	is "refuse-$1" 1 $((after - before))
}
before=$(msgs); set_attr hold "0 write"; set_attr release all
is control-good-use-is-silent "$before" "$(msgs)"
refuse kind hold "0 scribble"
refuse kind-empty hold "0 write,"
refuse disk hold "3 write"
refuse disk-word hold "one write"
refuse incomplete hold "0"
refuse empty hold ""
refuse range hold "0 write 9 8"
refuse beyond-end hold "0 write 32768"
refuse junk hold "0 write 1 2 3"
refuse count-on-hold hold "0 write count=1"
refuse count-0 fail "0 write count=0"
lines '0 write' '0 scribble'
is refuse-all-lines-or-none 0 "$(wc -l <$GD/hold)"
refuse no-such-rule release 99999
refuse unfail-word unfail "everything"
refuse step-0 step 0
refuse step-too-many step 1
refuse size-while-on size_mb 32
refuse cache-while-on cache 0
refuse on-while-on power on
refuse power-word power maybe
refuse stats-word stats 1
for ((i = 0; i < 24; i++)); do set_attr hold "0 write $i"; done
refuse too-many-rules hold "0 write 100"
set_attr release all
refused rmdir-while-on rmdir $GD
refused rmmod-while-on rmmod crashblk
exec 9<"$(dev 1)"
refuse off-while-open power off
power cut
refuse cut-twice power cut
refuse on-while-open power on
exec 9<&-
succeeds on-after-close set_attr power on
set_attr hold "0 write 0"
w 0 0 x & wait_held 1
power cut
refuse on-while-held power on
set_attr release all; wait; power on
before=$(msgs)
mkdir $CFG/ctest1 2>/dev/null && notok refuse-name "accepted"
is refuse-name 1 $(($(msgs) - before))
down
is rmdir-after-off no "$([ -e $GD ] && echo yes || echo no)"
mkdir $GD
is off-by-default off "$(cat $GD/power)"
set_attr disks 3; set_attr cache "1 0"
refuse list-length power on
refuse list-word cache "1 yes"
refuse disks-0 disks 0
refuse disks-33 disks 33
refuse rule-while-off hold "0 write"
refuse cut-while-off power cut
rmdir $GD

# --- A cut takes one instant of all disks -----------------------------------
# One writer fills two striped disks without a cache, 4k to each in turn. After a
# cut the blocks on media must be the first N of the stripe, for some N.
blocks() { tr -d '\0' <"$(dev "$1")" | wc -c | awk '{ print $1 / 4096 }'; }
first_n() { # A B: blocks on disk 0 and disk 1
	[ $(($1 - $2)) = 0 ] || [ $(($1 - $2)) = 1 ]
}
refused control-first-n first_n 3 4
if command -v dmsetup >/dev/null; then
	atomic=ok some=0
	tr '\0' x </dev/zero | dd bs=1M count=32 iflag=fullblock of="$TMP/x" status=none
	for round in 1 2 3 4 5 6; do
		up 2 0 0
		echo "0 $((32 * 2048)) striped 2 8 $(dev 0) 0 $(dev 1) 0" |
			dmsetup create --noudevsync crashtest
		dm=/dev/dm-$(dmsetup info -c --noheadings -o minor crashtest | tr -d ' ')
		# The writer stops at a block of the first half, and is running again when
		# the power goes: the second half is what it can't have finished by then.
		set_attr hold "0 write $((RANDOM % 2048 * 8))"
		dd if="$TMP/x" of="$dm" bs=4k oflag=direct conv=notrunc status=none &
		wait_held 1
		set_attr release all
		power cut
		kill $! 2>/dev/null; wait $!
		dmsetup remove --noudevsync crashtest
		power on
		a=$(blocks 0) b=$(blocks 1)
		echo "# round $round: $a and $b blocks of 4096"
		first_n "$a" "$b" || atomic="disk 0 has $a blocks, disk 1 has $b"
		[ "$a" -gt 0 ] && [ "$a" -lt 4096 ] && some=$((some + 1))
		down
	done
	is cut-atomic ok "$atomic"
	succeeds control-cut-in-the-midst [ $some -gt 0 ]
else
	skip cut-atomic "no dmsetup"
fi

# --- Stacked on it ----------------------------------------------------------
if command -v mkfs.ext4 >/dev/null && grep -qw ext4 /proc/filesystems; then
	up 1 1 1
	fs=$(dev 0)
	if command -v dmsetup >/dev/null; then
		echo "0 $((16 * 2048)) linear $fs 0" |
			dmsetup create --noudevsync crashtest &&
			fs=/dev/dm-$(dmsetup info -c --noheadings -o minor crashtest | tr -d ' ')
	fi
	mkdir "$TMP/mnt"
	mkfs.ext4 -q -F "$fs" >/dev/null 2>&1
	succeeds ext4-mount mount -t ext4 "$fs" "$TMP/mnt"
	echo old >"$TMP/mnt/f"; sync
	# jbd2 writes its commit block with PREFLUSH and FUA.
	set_attr stats 0
	echo kept >"$TMP/mnt/kept"
	dd if=/dev/null of="$TMP/mnt/kept" conv=notrunc,fsync status=none
	succeeds ext4-sends-fua [ "$(stat 0 fuas)" -gt 0 ]
	echo new >"$TMP/mnt/new"
	power cut
	echo ghost >"$TMP/mnt/ghost"; sync
	succeeds ext4-umount-ghost umount "$TMP/mnt"
	[ "$fs" != "$(dev 0)" ] && dmsetup remove --noudevsync crashtest
	power on
	succeeds ext4-remount mount -t ext4 "$(dev 0)" "$TMP/mnt"
	names=$(cd "$TMP/mnt" && echo kept* new* ghost* | sed 's/ new\*//; s/ ghost\*//')
	is ext4-after-cut "kept old" "$names $(cat "$TMP/mnt/f")"
	umount "$TMP/mnt"
	rmdir "$TMP/mnt"
	down
else
	skip ext4 "no mkfs.ext4 or no ext4"
fi

# An array without metadata needs no mdadm.
new_array=/sys/module/md_mod/parameters/new_array
level=$(grep -o -E 'raid456|raid1\b' /proc/mdstat 2>/dev/null | head -n 1)
grep -q 'raid5' /proc/mdstat 2>/dev/null && level=raid5
grep -q 'raid1\]' /proc/mdstat 2>/dev/null && [ "$level" != raid5 ] && level=raid1
if [ -w $new_array ] && [ -n "$level" ]; then
	up 3 1 0
	echo md77 >$new_array
	md=/sys/block/md77/md
	echo "# md: $level of 3 disks"
	echo none >$md/metadata_version
	echo "$level" >$md/level
	echo 3 >$md/raid_disks
	[ "$level" = raid5 ] && echo 65536 >$md/chunk_size
	echo 8192 >$md/component_size
	for i in 0 1 2; do
		cat /sys/block/$G$i/dev >$md/new_dev
		echo $i >$md/dev-$G$i/slot
	done
	echo none >$md/resync_start
	echo active >$md/array_state 2>/dev/null
	tag() {
		sector "$1" |
			dd of=/dev/md77 bs=512 oflag=direct conv=notrunc status=none "${@:2}"
	}
	mdr() { dd if=/dev/md77 bs=512 count=1 iflag=direct status=none | cut -d ' ' -f 1; }
	tag kept conv=fsync
	tag lost
	is md-live lost "$(mdr)"
	power cut
	succeeds md-ghost tag ghost conv=fsync
	succeeds md-stop-ghost eval "echo clear >$md/array_state"
	power on
	is md-after-cut 1 "$(for i in 0 1 2; do r $i 0; done | grep -c kept | sed 's/[1-3]/1/')"
	down
else
	skip md "no md_mod, or neither raid5 nor raid1 built in"
fi

# --- Stress: what was acknowledged as flushed before the cut survives it -----
up 4 "1 1 1 0" 1
lost=0
for round in 1 2 3; do
	# A file ends the writers: bash can lose a trapped signal between two commands.
	rm -f "$TMP/stop"
	for ((d = 0; d < 4; d++)); do
		(
			for ((i = 1; ; i++)); do
				[ ! -e "$TMP/stop" ] || exit 0
				w_fsync $d $((100 + d)) $((round * 1000 + i)) || exit 1
				echo $((round * 1000 + i)) >"$TMP/ack$d.new"
				mv "$TMP/ack$d.new" "$TMP/ack$d"
			done
		) &
		(
			while [ ! -e "$TMP/stop" ]; do
				dd if=/dev/zero of="$(dev $d)" bs=64k seek=8 count=20 \
					conv=notrunc oflag=direct status=none
			done
		) &
	done
	for ((i = 0; i < 8; i++)); do
		set_attr hold "$((RANDOM % 4)) flush,write"
		set_attr hold "all read,fua"
		sleep 0.1
		set_attr release all
	done
	sleep 0.3
	acks=()
	for ((d = 0; d < 4; d++)); do acks+=("$(cat "$TMP/ack$d" 2>/dev/null || echo 0)"); done
	power cut
	sleep 0.1
	: >"$TMP/stop"; wait
	power on
	for ((d = 0; d < 4; d++)); do
		got=$(r $d $((100 + d)))
		[ "$got" = zero ] && got=0
		if [ "$got" -lt "${acks[d]}" ]; then
			lost=$((lost + 1))
			echo "# round $round disk $d: acknowledged ${acks[d]}, has $got"
		fi
	done
	echo "# round $round: acknowledged ${acks[*]}"
done
is stress-keeps-acknowledged 0 $lost
succeeds control-stress-progress [ "${acks[0]}" -gt 3000 ]
down

patterns='WARNING:|BUG:|Oops|circular locking|INFO: task|sleeping function'
is kernel-log-clean "" "$(dmesg | grep -E "$patterns")"
echo "# $nr_ok ok, $bad not ok$failed"
[ $bad = 0 ]
