/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may wait for stripes, and who for the superblocks?
 *
 * writer()	a write from md_handle_request() to its end: active_io, then
 *		MD_SB_CHANGE_PENDING, then no quiesce, then a stripe
 * raid5d()	md_check_recovery(), then the stripes, unless PENDING
 * worker()	a worker thread of raid5, instead of raid5d for the stripes
 * disk()	completes the I/O of stripes; a member may fail
 * stop()	__md_stop_writes(): raid5_quiesce() under reconfig_mutex, then the
 *		clean superblocks
 * suspend()	mddev_suspend_and_lock()
 * holder()	has reconfig_mutex for a while
 *
 * Progress: all of them come to their end. Safety: no stripe is active while the
 * array is quiesced or suspended, no write is on its way under clean superblocks.
 */
#include "md.pml"

#ifndef WRITERS
#define WRITERS	2
#endif

/* a stripe for each writer */
#define NONE	0
#define HANDLE	1		/* on handle_list, or to be put there (STRIPE_HANDLE) */
#define IO	2		/* its reads or writes are with the members */
#define DONE	3		/* its bio was ended */
byte stripe[WRITERS];
#if WRITERS > 1
#define ANY_HANDLE	(stripe[0] == HANDLE || stripe[1] == HANDLE)
#else
#define ANY_HANDLE	(stripe[0] == HANDLE)
#endif
byte passes[WRITERS];		/* of handle_stripe() that were done: read, then write */

/* The stripes of an array that is not read-write do not wait for superblocks. */
#define BLOCKED		(PENDING && ro == RDWR)

byte active_stripes, active_io;
byte quiesce;
bool killed, suspended;		/* active_io, mddev->suspended */
bool failed;			/* the one member error has happened */
bool quiesced;			/* raid5_quiesce(1) has returned */
byte done;
byte writes_pending;

proctype writer(byte me)
{
	bool seen;

	/* md_handle_request() */
	do
	:: wait_event(sb_wait, !suspended && !killed);
	   if
	   :: atomic { !killed -> active_io++ }; break
	   :: else -> skip
	   fi
	od;
#ifndef A_AUTO_READ
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
#endif
	/* raid5_get_active_stripe(); the look at quiesce is under a hash lock */
	do
	:: atomic {
		if
		:: quiesce == 0 ->
			active_stripes++;
			stripe[me] = HANDLE;
			assert(!quiesced && !suspended);
			break
		:: else -> wait_for_quiescent = wait_for_quiescent | ME
		fi
	   };
	   (wait_for_quiescent & ME) == 0
	od;
	wake_thread();
	stripe[me] == DONE;
#ifndef A_AUTO_READ
	writing--;
	writes_pending--;
#endif
	/* a clone's end drops active_io, and the last one wakes mddev_suspend() */
	atomic {
		active_io--;
		if
		:: active_io == 0 && killed ->
#ifndef M_ACTIVE_IO_WAKE
			wake_up(sb_wait)
#endif
		:: else -> skip
		fi
	};
	done++
}

/* handle_stripe() and the release of the stripe */
inline handle_stripe(n)
{
	if
	:: BLOCKED ->
		wake_thread()			/* stays on handle_list */
	:: else ->
		if
		:: passes[n] < 2 -> passes[n] = passes[n] + 1; stripe[n] = IO
		:: else ->
			stripe[n] = DONE;
			atomic {
				active_stripes--;
#ifndef M_STRIPE_WAKE
				if
				:: active_stripes == 0 -> wake_up(wait_for_quiescent)
				:: else -> skip
				fi
#endif
			}
		fi
	fi
}

inline handle_active_stripes()
{
	if
	:: stripe[0] == HANDLE -> handle_stripe(0)
#if WRITERS > 1
	:: stripe[1] == HANDLE -> handle_stripe(1)
#endif
	:: else -> break
	fi
}

inline check_recovery(req)
{
	if
	:: NEEDED || (ro == RDWR && (CLEAN || DEVS)) ->
		if
		:: atomic { !mutex -> mutex = true };
			if
#ifdef A_AUTO_READ
			:: ro != RDWR -> PENDING = false	/* the failure stays to be recorded */
#endif
			:: CLEAN || DEVS || PENDING -> md_update_sb(req)
			:: else -> skip
			fi;
			NEEDED = false;
			wake_up(sb_wait);
			mddev_unlock()
		:: else -> skip
		fi
	:: else -> skip
	fi
}

proctype raid5d()
{
	bool req;

end:
	do
	:: thread_wakeup ->
		thread_wakeup = false;
		check_recovery(req);
#if !defined(B_J9) && !defined(M_PENDING_WAKE)
		if
		:: BLOCKED -> wake_up(wait_for_quiescent)
		:: else -> skip
		fi;
#endif
		do
#ifdef B_CVE
		/* 5e2cf333b7bd: what only this thread can clear */
		:: wait_event(sb_wait, !PENDING);
#else
		:: if
		   :: BLOCKED -> break
		   :: else -> skip
		   fi;
#endif
#ifdef A_WORKER
		   break
#else
		   handle_active_stripes();
		   if
		   :: CLEAN || DEVS -> check_recovery(req)
		   :: else -> skip
		   fi
#endif
		od
	od
}

#ifdef A_WORKER
/* raid5_do_work(): queued by whoever puts a stripe on the list. */
proctype worker()
{
end:
	do
	:: ANY_HANDLE ->
		do
		:: handle_active_stripes();
		   wait_event(sb_wait, !PENDING)
		od
	od
}
#endif

proctype disk()
{
end:
	do
	:: stripe[0] == IO -> stripe[0] = HANDLE; wake_thread()
#if WRITERS > 1
	:: stripe[1] == IO -> stripe[1] = HANDLE; wake_thread()
#endif
#ifdef A_ERROR
	/* raid5_error() from the end of an I/O; then md_error() */
	:: !failed && stripe[0] == IO ->
		failed = true;
		atomic { DEVS = true; PENDING = true };
#ifndef R_ERROR_WAKE
		NEEDED = true;
		wake_thread()
#endif
#endif
	od
}

/* raid5_quiesce(1), under reconfig_mutex. */
inline quiesce_start(req)
{
	quiesce = 2;
#ifdef B_J9
	wait_event(wait_for_quiescent, active_stripes == 0);
#else
	do
#ifdef M_IGNORES_RO
	:: wait_event(wait_for_quiescent, active_stripes == 0 || PENDING);
#else
	:: wait_event(wait_for_quiescent, active_stripes == 0 || BLOCKED);
#endif
	   if
	   :: active_stripes == 0 -> break
	   :: else -> skip
	   fi;
#if !defined(M_NO_UPDATE) && !defined(A_AUTO_READ)
	   md_update_sb(req);
#endif
#ifdef WITNESS_UPDATE
	   assert(false);
#endif
#ifndef M_QUIESCE_THREAD
	   wake_thread()
#else
	   skip
#endif
	od;
#endif
	quiesce = 1;
	atomic { quiesced = true; assert(active_stripes == 0) }
}

inline quiesce_end()
{
	quiesced = false;
	quiesce = 0;
#ifndef M_QUIESCE_END_WAKE
	wake_up(wait_for_quiescent)
#else
	skip
#endif
}

#ifdef A_STOP
proctype stop()
{
	bool req;

	mddev_lock();
	quiesce_start(req);
	quiesce_end();
#ifndef A_AUTO_READ
#ifdef B_STOP_IN_SYNC
	in_sync = true;
#else
	/* set_in_sync(); clean.pml has all of it */
	atomic {
		if
		:: writes_pending == 0 -> in_sync = true; CLEAN = true
		:: else -> skip
		fi
	};
#endif
	md_update_sb(req);
#endif
	mddev_unlock();
	done++
}
#endif

#ifdef A_SUSPEND
proctype suspend()
{
	bool req;

#ifdef M_SUSPEND_LOCKED
	mddev_lock();
#endif
	killed = true;
	wait_event(sb_wait, active_io == 0);
	suspended = true;
#ifndef M_SUSPEND_LOCKED
	mddev_lock();
#endif
	/* bios are ended before their stripes are released: stripes may be active */
	quiesce_start(req);
	quiesce_end();
	mddev_unlock();
	suspended = false;
	killed = false;
#ifndef M_RESUME_WAKE
	wake_up(sb_wait);
#endif
	wake_thread();
	done++
}
#endif

#ifdef A_HOLDER
proctype holder()
{
	mddev_lock();
	skip;
	mddev_unlock();
	done++
}
#endif

#define EXPECTED	(WRITERS + N_STOP + N_SUSPEND + N_HOLDER)
#ifdef A_STOP
#define N_STOP		1
#else
#define N_STOP		0
#endif
#ifdef A_SUSPEND
#define N_SUSPEND	1
#else
#define N_SUSPEND	0
#endif
#ifdef A_HOLDER
#define N_HOLDER	1
#else
#define N_HOLDER	0
#endif

proctype monitor()
{
	timeout;
	if
	:: done == EXPECTED ->
		assert(active_stripes == 0 && !mutex && !PENDING && !CLEAN);
		assert(!DEVS || ro != RDWR);
		assert(media_clean == in_sync);
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
#ifdef A_AUTO_READ
		ro = AUTO_READ;			/* writer() reads */
#endif
		run raid5d();
		run disk();
		run monitor();
#ifdef A_WORKER
		run worker();
#endif
#ifdef A_STOP
		run stop();
#endif
#ifdef A_SUSPEND
		run suspend();
#endif
#ifdef A_HOLDER
		run holder();
#endif
#if WRITERS > 1
		run writer(1);
#endif
		run writer(0)
	}
}
