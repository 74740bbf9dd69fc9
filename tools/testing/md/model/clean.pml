/* SPDX-License-Identifier: GPL-2.0 */
/*
 * May this write begin, and is the array clean?
 *
 * writer()	md_write_start(), a write to the members, md_write_end()
 * raid5d()	md_check_recovery(): safemode, superblock, the read-only branch
 * cleaner()	md_clean_work(): the grace period, for raid5d(), which queues it
 * timer()	safemode_timer
 * sysfs()	array_state = clean, active or readonly; or md_allow_write()
 *
 * Safety: no write is on its way to the members while the superblocks may say
 * clean, nobody writes to a read-only array. At the end (nothing can run any
 * more) all writers are done, nothing is left to be recorded, the array is clean
 * again, and a recovery that was asked for has been started.
 */
#include "md.pml"

#ifndef WRITERS
#define WRITERS	2
#endif
#ifndef WRITES
#define WRITES	1		/* of each writer */
#endif

byte writes_pending;
bool percpu = true;		/* the mode of the reference */
byte sync_checkers;
bool safemode, timer_armed, clean_work, clean_ready;
byte done;
bool started, switched;		/* a recovery was started; auto-read became read-write */
bool in_rcu[WRITERS];

/* Needs lock; sets CLEAN and PENDING, so that the superblocks become dirty. */
inline mark_dirty()
{
#if defined(B_C4)
	in_sync = false;
	CLEAN = true;
	PENDING = true;
#elif defined(M_FLAGS_AFTER_IN_SYNC)
	in_sync = false;
	atomic { CLEAN = true; PENDING = true };
#elif defined(M_PENDING_FIRST)
	PENDING = true;
	CLEAN = true;
	in_sync = false;
#elif defined(R_CLEAN_FIRST)
	CLEAN = true;
	PENDING = true;
	in_sync = false;
#else
	atomic { CLEAN = true; PENDING = true };
	in_sync = false;
#endif
}

/* Needs lock, and an atomic reference. */
inline mark_clean()
{
	if
	:: !in_sync && writes_pending == 0 ->
#ifdef M_CHECKERS_FIRST
		sync_checkers--;
#endif
		in_sync = true;
		CLEAN = true;
#ifdef M_CHECKERS_FIRST
		sync_checkers++
#endif
	:: else -> skip
	fi
}

/* Needs lock, drops and takes it. */
inline set_in_sync()
{
	if
	:: in_sync -> skip
	:: else ->
		sync_checkers++;
		spin_unlock();
		/* percpu_ref_switch_to_atomic_sync(): a grace period, if it was percpu */
		if
		:: percpu ->
			percpu = false;
			!in_rcu[0];
#if WRITERS > 1
			!in_rcu[1];
#endif
			skip
		:: else -> skip
		fi;
		spin_lock();
		mark_clean();
		atomic {
			sync_checkers--;
			if
			:: sync_checkers == 0 -> percpu = true
			:: else -> skip
			fi
		}
	fi
}

proctype writer(byte me)
{
	bool seen, refused;
	byte n;

again:
	if
	:: ro == AUTO_READ ->
#if defined(B_C6) || defined(M_SWITCH_NO_LOCK)
		ro = RDWR;
		switched = true;
		NEEDED = true;
		wake_thread();
#else
		spin_lock();
		if
		:: ro == AUTO_READ ->
			ro = RDWR;
			switched = true;
			NEEDED = true;
			spin_unlock();
#ifndef M_SWITCH_WAKE
			wake_thread();
#endif
		:: else ->
#ifdef P_READONLY
			refused = (ro == RDONLY);
#endif
			spin_unlock()
		fi
#endif
	:: ro == RDONLY -> refused = true	/* md_submit_bio() */
	:: else -> skip
	fi;
	if
	:: refused -> goto out
	:: else -> skip
	fi;

	in_rcu[me] = true;
	writes_pending++;
	safemode = false;
#if defined(B_C3)
	seen = in_sync;
	seen = seen || (sync_checkers != 0);
#else
	seen = (sync_checkers != 0);
	seen = seen || in_sync;
#endif
	if
	:: seen ->
		spin_lock();
		if
		:: in_sync ->
			mark_dirty();
#ifndef M_DIRTY_WAKE
			wake_thread();
#endif
		:: else -> skip
		fi;
		spin_unlock()
	:: else -> skip
	fi;
	in_rcu[me] = false;
#ifndef M_NO_WAIT
	wait_event(sb_wait, !PENDING);
#endif

	atomic { writing++; assert(!media_clean && ro != RDONLY) };
#ifdef WITNESS_WRITE_WHILE_CHECKED
	assert(sync_checkers == 0);
#endif
	writing--;

	writes_pending--;
#if !defined(M_END_TIMER) && !defined(A_NO_TIMER)
	timer_armed = true;
#endif
	n++;
	if
	:: n < WRITES -> goto again
	:: else -> skip
	fi;
out:
	done++
}

proctype raid5d()
{
	bool safe, req;

end:
	do
	:: thread_wakeup ->
		thread_wakeup = false;
		if
		:: NEEDED || (ro == RDWR && (CLEAN || DEVS || safemode || clean_ready)) ->
			if
			:: atomic { !mutex -> mutex = true };
				atomic { safe = safemode; safemode = false };
				if
				:: ro != RDWR ->
#ifdef B_C6
					NEEDED = false;
					PENDING = false;
#elif defined(M_NO_RECHECK)
					spin_lock();
					NEEDED = false;
					PENDING = false;
					spin_unlock();
#elif defined(M_RECHECK_NO_LOCK)
					if
					:: ro != RDWR ->
						NEEDED = false;
						PENDING = false
					:: else -> skip
					fi;
#else
					spin_lock();
					if
					:: ro != RDWR ->
						NEEDED = false;
						PENDING = false
					:: else -> skip
					fi;
					spin_unlock();
#endif
					skip
				:: else ->
					if
					:: clean_ready ->
						spin_lock();
						mark_clean();
						atomic {
							clean_ready = false;
							sync_checkers--;
							if
							:: sync_checkers == 0 -> percpu = true
							:: else -> skip
							fi
						};
						spin_unlock()
					:: else -> skip
					fi;
					if
					:: safe && !in_sync -> clean_work = true
					:: else -> skip
					fi;
					if
					:: CLEAN || DEVS || PENDING -> md_update_sb(req)
					:: else -> skip
					fi;
					if
					:: NEEDED -> NEEDED = false; started = true
					:: else -> skip
					fi
				fi;
#ifndef M_RECOVERY_SB_WAIT
				wake_up(sb_wait);
#endif
				mddev_unlock()
			:: else -> skip
			fi
		:: else -> skip
		fi
	od
}

proctype cleaner()
{
	bool was;

end:
	do
	:: atomic {
		clean_work && !lock ->
		clean_work = false;
#ifndef M_CLEAN_TWICE
		if
		:: clean_ready -> goto end
		:: else -> skip
		fi;
#endif
		sync_checkers++;
		was = percpu;
		percpu = false
	   };
		/* percpu_ref_switch_to_atomic_sync(): a grace period, if it was percpu */
		!was || !in_rcu[0];
#if WRITERS > 1
		!was || !in_rcu[1];
#endif
#ifdef M_CLEAN_NO_MUTEX
		spin_lock();
		mark_clean();
		spin_unlock();
#endif
		atomic {
			was = false;
			clean_ready = true;
#ifndef M_CLEAN_WAKE
			wake_thread()
#endif
		}
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

#ifdef A_STORE_CLEAN
/* array_state = clean, without reconfig_mutex; -EBUSY if it cannot be. */
proctype store_clean()
{
	spin_lock();
	set_in_sync();
	spin_unlock();
#ifndef B_STORE_CLEAN
	wake_thread()
#endif
}
#endif

#ifdef A_STORE_ACTIVE
/* array_state = active of an array that is read-write already */
proctype store_active()
{
	spin_lock();
#ifdef B_STORE_ACTIVE
	PENDING = false;
#endif
	wake_thread();
	wake_up(sb_wait);
	spin_unlock()
}
#endif

#ifdef A_ALLOW_WRITE
/* md_allow_write() */
proctype allow_write()
{
	bool req;

	mddev_lock();
	spin_lock();
	if
	:: in_sync ->
#ifdef B_ALLOW_WRITE
		in_sync = false;
		CLEAN = true;
		PENDING = true;
#else
		mark_dirty();
#endif
		safemode = true;
		spin_unlock();
		md_update_sb(req);
		wait_event(sb_wait, !PENDING)	/* not reached: the sleep in it */
	:: else -> spin_unlock()
	fi;
	mddev_unlock()
}
#endif

#ifdef A_HOLDER
/* Has reconfig_mutex for a while, and nothing for the superblocks. */
proctype holder()
{
	mddev_lock();
	skip;
	mddev_unlock()
}
#endif

#ifdef A_ERROR
/* A member fails. */
proctype error()
{
	atomic { DEVS = true; PENDING = true };
	NEEDED = true;
	wake_thread()
}
#endif

#ifdef A_READONLY
/* array_state = readonly of an array that is auto-read-only */
proctype store_readonly()
{
	mddev_lock();
#ifdef P_READONLY
	spin_lock();
	if
	:: ro == AUTO_READ -> ro = RDONLY
	:: else -> skip			/* -EBUSY: somebody writes */
	fi;
	spin_unlock();
#else
	if
	:: ro == AUTO_READ -> ro = RDONLY
	:: else -> skip
	fi;
#endif
	mddev_unlock()
}
#endif

/* When nothing else can run. */
proctype monitor()
{
	timeout;
	if
	:: done == WRITERS && !lock && !mutex ->
		assert(!CLEAN && !PENDING && !DEVS && writes_pending == 0);
		assert(percpu && sync_checkers == 0);
		assert(media_clean == in_sync);
#ifndef A_NO_TIMER
		assert(ro == RDONLY || in_sync);
#endif
		assert(!NEEDED);
		assert(!switched || started);
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
#ifndef A_DIRTY
		:: in_sync = true; media_clean = true
#endif
		:: in_sync = false; media_clean = false
		fi;
#ifdef A_AUTO_READ
		ro = AUTO_READ;
		NEEDED = true;
		wake_thread();
#else
		/* an array that is found dirty and idle: the timer is armed */
#ifndef A_NO_TIMER
		timer_armed = !in_sync;
#endif
#endif
		run raid5d();
		run cleaner();
		run timer();
		run monitor();
#ifdef A_STORE_CLEAN
		run store_clean();
#endif
#ifdef A_STORE_ACTIVE
		run store_active();
#endif
#ifdef A_ALLOW_WRITE
		run allow_write();
#endif
#ifdef A_HOLDER
		run holder();
#endif
#ifdef A_ERROR
		run error();
#endif
#ifdef A_READONLY
		run store_readonly();
#endif
#if WRITERS > 1
		run writer(1);
#endif
		run writer(0)
	}
}
