/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The write-back cache: dirty for as long as a member is behind.
 *
 * writer()	a write that ends once its stripe is in the journal
 * raid5d()	md_check_recovery() with safemode; writes stripes out when asked to
 * timer()	safemode_timer
 * stop()	drain, then __md_stop_writes() under reconfig_mutex
 * mode()	switch to write-through: suspend, drain, lock
 * error()	a member fails; or too many do (A_BROKEN): stripes get stuck then
 *
 * Safety: nothing acknowledged is behind and no write is on its way once the
 * superblocks may say clean; the mode changes with an empty cache only. (On disk
 * an array with a journal always says clean; media_clean stands for what in_sync
 * was when the superblocks were written.)
 * At the end all are done; a cache that was asked for is written out, and the
 * array is clean again, unless it is broken.
 */
#include "md.pml"

#ifndef WRITERS
#define WRITERS	2
#endif

byte writes_pending;
byte writeback;			/* stripes in the write-back cache */
byte stuck;			/* of these: so many cannot be written out */
byte active_io;
bool killed, suspended;
bool BROKEN, write_through;
bool asked;			/* the personality is to write its cache out */
byte draining;			/* so many wait for that, so it stays asked for */
byte cached;			/* stripes to be written out: on raid5d's lists */
bool safemode, timer_armed;
byte done, writers_done;

inline md_write_end()
{
	writes_pending--;
#ifndef A_NO_TIMER
	timer_armed = true
#endif
}

inline md_writeback_start()
{
#ifndef B_J14
	atomic {
		writeback++;
		first = (writeback == 1)
	};
#ifndef M_NO_REFERENCE
	if
	:: first -> writes_pending++
	:: else -> skip
	fi
#endif
#else
	skip
#endif
}

/*
 * The last one drops the reference, wakes who drains, and arms the timer of
 * safemode. Who holds the lock sees the counter and the reference agree.
 */
inline md_writeback_end(last)
{
#ifndef B_J14
#ifndef P_PUT_OUTSIDE
	spin_lock();
#endif
	atomic {
		writeback--;
		last = (writeback == 0)
	};
	if
	:: last ->
#ifdef P_PUT_OUTSIDE
		wake_up(sb_wait);
		md_write_end()
#else
#ifndef M_NO_REFERENCE
		writes_pending--;
#endif
		spin_unlock();
#if !defined(M_END_TIMER) && !defined(A_NO_TIMER)
		timer_armed = true;
#endif
#ifndef M_DRAIN_WAKE
		wake_up(sb_wait)
#endif
#endif
	:: else ->
#ifndef P_PUT_OUTSIDE
		spin_unlock()
#else
		skip
#endif
	fi
#else
	skip
#endif
}

/* Who may wait: nobody with reconfig_mutex, not raid5d. */
inline md_writeback_drain()
{
	draining++;
	asked = true;
	wake_thread();
#ifdef WITNESS_TWO
	assert(writeback < 2);
#endif
	wait_event(sb_wait, writeback <= stuck);
	draining--
}

proctype writer(byte me)
{
	bool first;

	do
	:: wait_event(sb_wait, !suspended && !killed);
	   if
	   :: atomic { !killed -> active_io++ }; break
	   :: else -> skip
	   fi
	od;
	/* md_write_start(); clean.pml has all of it */
	atomic {
		writes_pending++;
		if
		:: in_sync -> CLEAN = true; PENDING = true; in_sync = false; wake_thread()
		:: else -> skip
		fi
	};
	wait_event(sb_wait, !PENDING);
	atomic { writing++; assert(!media_clean) };
	if
	:: write_through -> skip
	:: BROKEN -> skip			/* the write fails */
	:: else ->
#ifdef M_START_AFTER_END
		atomic { behind++; writing-- };
		md_write_end();
		md_writeback_start();
		cached++;
		goto ended
#else
		/* it joins the journal's list, and is acknowledged after that */
		md_writeback_start();
		cached++;
		behind++
#endif
	fi;
	writing--;
	md_write_end();
ended:
	if
	:: draining || write_through -> wake_thread()
	:: else -> skip
	fi;
	atomic {
		active_io--;
		if
		:: active_io == 0 && killed -> wake_up(sb_wait)
		:: else -> skip
		fi
	};
	atomic { writers_done++; done++ }
}

/* sync_checkers is in clean.pml. */
inline set_in_sync()
{
	spin_lock();
#if !defined(B_J14) && !defined(M_COUNTER_NOT_READ)
	if
	:: writeback != 0 ->
#ifndef M_NO_WRITE_OUT
		asked = true
#else
		skip
#endif
	:: else ->
#endif
		atomic {
			if
			:: !in_sync && writes_pending == 0 -> in_sync = true; CLEAN = true
			:: else -> skip
			fi
		}
#if !defined(B_J14) && !defined(M_COUNTER_NOT_READ)
	fi;
#else
	;
#endif
	spin_unlock()
}

inline check_recovery(req, safe)
{
	if
	:: CLEAN || DEVS || safemode ->
		if
		:: atomic { !mutex -> mutex = true };
			atomic { safe = safemode; safemode = false };
			if
			:: safe && !in_sync -> set_in_sync()
			:: else -> skip
			fi;
			if
			:: CLEAN || DEVS || PENDING -> md_update_sb(req)
			:: else -> skip
			fi;
			wake_up(sb_wait);
			mddev_unlock()
		:: else -> skip
		fi
	:: else -> skip
	fi
}

proctype raid5d()
{
	bool req, safe, last;

end:
	do
	:: thread_wakeup ->
		thread_wakeup = false;
		check_recovery(req, safe);
		do
		:: PENDING -> break
#ifdef M_ASK_ONCE
		:: !PENDING && !BROKEN && cached && asked ->
#else
		:: !PENDING && !BROKEN && cached && (asked || draining) ->
#endif
			cached--;
#ifdef M_END_BEFORE_WRITE
			md_writeback_end(last);
			behind--
#else
			behind--;
			md_writeback_end(last)
#endif
		:: !PENDING && BROKEN && cached && (asked || draining) ->
			cached--;
#ifndef M_STUCK_WAKE
			stuck++;
			wake_up(sb_wait)
#else
			stuck++
#endif
		:: !PENDING && !(cached && (asked || draining)) ->
			asked = false;
			break
		od
	od
}

proctype timer()
{
end:
	do
	:: atomic { timer_armed -> timer_armed = false };
		safemode = true;
		wake_thread()
	od
}

#ifdef A_STOP
/* STOP_ARRAY: nobody has it open, the page cache has been written */
proctype stop()
{
	bool req;

#ifndef A_LIVE_WRITERS
	writers_done == WRITERS;
#endif
#ifdef M_DRAIN_LOCKED
	mddev_lock();
	md_writeback_drain();
#else
	md_writeback_drain();
	mddev_lock();
#endif
	/* quiesce.pml has raid5_quiesce() */
#ifdef B_STOP_IN_SYNC
	in_sync = true;
#else
	set_in_sync();
#ifndef A_LIVE_WRITERS
	assert(in_sync || BROKEN);
#endif
#endif
	md_update_sb(req);
	mddev_unlock();
	done++
}
#endif

#ifdef A_MODE
/* journal_mode = write-through */
proctype mode()
{
#ifdef M_DRAIN_FIRST
	md_writeback_drain();
#endif
#ifdef M_MODE_LOCKED
	mddev_lock();
#endif
	killed = true;
	wait_event(sb_wait, active_io == 0);
	suspended = true;
#if !defined(M_DRAIN_FIRST) && !defined(M_NO_DRAIN)
	md_writeback_drain();
#endif
#ifndef M_MODE_LOCKED
	mddev_lock();
#endif
	if
	:: BROKEN && writeback -> skip		/* refused */
	:: else ->
		atomic { write_through = true; assert(behind == 0 && cached == 0) }
	fi;
	mddev_unlock();
	suspended = false;
	killed = false;
	wake_up(sb_wait);
	wake_thread();
	done++
}
#endif

#ifdef A_ERROR
proctype error()
{
	atomic { DEVS = true; PENDING = true };
	wake_thread()
}
#endif

#ifdef A_BROKEN
/* One member more than the array can lose; the base's md_error() wakes nobody. */
proctype broken()
{
	BROKEN = true;
	atomic { DEVS = true; PENDING = true };
#ifndef B_BROKEN_WAKE
	wake_thread()
#endif
}
#endif

#ifdef A_STOP
#define N_STOP		1
#else
#define N_STOP		0
#endif
#ifdef A_MODE
#define N_MODE		1
#else
#define N_MODE		0
#endif

proctype monitor()
{
	timeout;
	if
	:: done == WRITERS + N_STOP + N_MODE ->
		assert(!PENDING && !CLEAN && !DEVS && !mutex);
		assert(media_clean == in_sync);
#if !defined(A_NO_TIMER) || !defined(A_LIVE_WRITERS)
		assert(BROKEN || (in_sync && behind == 0 && writeback == 0));
#endif
#ifdef WITNESS_END
		assert(false)
#endif
	:: else -> false		/* not reached: somebody sleeps for ever */
	fi
}

init
{
	atomic {
		if
		:: in_sync = true; media_clean = true
		:: in_sync = false; media_clean = false
		fi;
#ifndef A_NO_TIMER
		timer_armed = !in_sync;
#endif
		run raid5d();
		run timer();
		run monitor();
#ifdef A_STOP
		run stop();
#endif
#ifdef A_MODE
		run mode();
#endif
#ifdef A_ERROR
		run error();
#endif
#ifdef A_BROKEN
		run broken();
#endif
#if WRITERS > 1
		run writer(1);
#endif
		run writer(0)
	}
}
