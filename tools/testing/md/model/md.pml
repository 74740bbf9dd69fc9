/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the models share: locks, wait queues, sb_flags, the superblock writer.
 *
 * Spin's memory is sequentially consistent; litmus/ has what depends on more.
 * Each statement is one step, so other processes run between any two of them,
 * within a critical section too: who reads without the lock sees it all.
 *
 * B_* switches a fix off (the base's logic), M_* takes one barrier, wake-up or
 * order out of the fixed logic, A_* adds an actor. See run.py.
 */

/* mddev->lock, reconfig_mutex */
bool lock, mutex;

inline spin_lock()	{ atomic { !lock -> lock = true } }
inline spin_unlock()	{ lock = false }
inline mddev_lock()	{ atomic { !mutex -> mutex = true } }

/*
 * Wait queues: a set of sleepers each. To look at the condition and to join the
 * queue is one step: a wake-up between prepare_to_wait() and the look at the
 * condition only makes wait_event() look again.
 */
short sb_wait, wait_for_quiescent;
bool thread_wakeup;			/* THREAD_WAKEUP of raid5d */

#define ME	(1 << _pid)

#define wait_event(queue, cond)						\
	do								\
	:: atomic {							\
		if							\
		:: cond -> break					\
		:: else -> queue = queue | ME				\
		fi							\
	   };								\
	   (queue & ME) == 0						\
	od

#define wake_up(queue)		queue = 0
#define wake_thread()		thread_wakeup = true

/* sb_flags and recovery: atomic bits */
bool CLEAN, PENDING, DEVS, NEEDED;
bool in_sync;
byte ro;				/* MD_RDWR, MD_AUTO_READ, MD_RDONLY */
#define RDWR		0
#define AUTO_READ	1
#define RDONLY		2

/*
 * What the superblocks on the members say. While clean ones are being written
 * the array may be found clean, while dirty ones are being written it may be
 * found clean still: clean counts from the start of the write, dirty from its
 * end.
 */
bool media_clean;
byte writing;			/* writes between md_write_start() and md_write_end() */
byte behind;			/* acknowledged, in the journal, not on the members */

inline mddev_unlock()
{
	mutex = false;
#ifndef M_UNLOCK_THREAD
	wake_thread();
#endif
#ifndef M_UNLOCK_SB_WAIT
	wake_up(sb_wait);
#endif
}

/* Under reconfig_mutex, of a read-write array. */
inline md_update_sb(req)
{
	do
	:: spin_lock();
	   atomic { DEVS = false; CLEAN = false; req = in_sync };
	   spin_unlock();
	   if
	   :: req ->
		/* no write may be on its way once the array may be found clean */
		atomic { media_clean = true; assert(writing == 0 && behind == 0) };
		skip
	   :: else ->
		skip;
		media_clean = false
	   fi;
	   if
	   :: in_sync != req -> skip		/* write it again */
	   :: else ->
		atomic {
			if
			:: CLEAN || DEVS -> skip
			:: else -> PENDING = false; break
			fi
		}
	   fi
	od;
#ifndef M_UPDATE_SB_WAIT
	wake_up(sb_wait)
#else
	skip
#endif
}
