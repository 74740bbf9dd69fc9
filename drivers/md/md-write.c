// SPDX-License-Identifier: GPL-2.0
/*
 * Is the array clean? The part of the answer that outlives the write.
 *
 * A write is counted in mddev->writes_pending from md_write_start() to
 * md_write_end(), and the array is not marked clean meanwhile. That is enough
 * as long as a write ends when the members have it. With a write-back cache it
 * ends when the journal has it; the members, and parity, are behind until the
 * stripe has been written out. So the personality counts such stripes here:
 *
 *   md_writeback_start()   the stripe joins the cache. Its writes have not
 *                          ended, so there is no moment at which neither they
 *                          nor the stripe are counted.
 *   md_writeback_end()     the members have it, or it was given up.
 *
 * W1. While any stripe is counted, one reference to writes_pending is held for
 *     all of them. So whoever relies on writes_pending needs to know nothing of
 *     stripes: a safemode timer, array_state = clean, a stop. set_in_sync()
 *     looks at the count first all the same, as the switch of writes_pending to
 *     atomic mode costs a grace period, and a busy cache would pay it in vain.
 * W2. The count reaches zero, and the reference is dropped, in one section of
 *     mddev->lock. Whoever holds the lock, or was woken by the last stripe,
 *     never finds an empty cache that is still referenced.
 * W3. The first stripe takes the reference without the lock. Nobody can take
 *     the array for clean in between, as the caller has a write of its own.
 *
 * Who has the cache written out
 *
 * The personality's thread writes stripes out as long as md_writeback_wanted(),
 * and does not let a stripe settle down in the cache meanwhile. That is so
 *
 * - while somebody is in md_writeback_drain(), for as long as it takes. Asking
 *   once would not do: a stripe that joins a moment later would stay;
 * - after md_writeback_ask(), for those who must not wait, until the cache is
 *   empty or a stripe joins: then the array is not idle any more.
 *
 * md_writeback_drain() waits for md_writeback_end(), which comes from the
 * personality's threads. They wait for devices, and before any stripe they heed
 * MD_SB_CHANGE_PENDING, which goes away when the thread gets reconfig_mutex. So
 * whoever drains holds neither reconfig_mutex nor anything that its holder may
 * wait for, and is not one of these threads. It may have suspended the array:
 * the thread goes on then. Stripes that the members cannot take, because more of
 * them have failed than the array can lose, are not waited for: each is
 * md_writeback_stuck(), counted still, and in the log.
 *
 * Draining is not what makes a stop safe: quiesce() writes the cache out too,
 * with reconfig_mutex held. It lets the thread record failures meanwhile.
 */

#include <linux/sched/signal.h>
#include <linux/wait.h>
#include "md.h"

#define CREATE_TRACE_POINTS
#include <trace/events/md_write.h>

/**
 * md_writeback_stripes - how many stripes the members do not have yet
 * @mddev: the array
 *
 * Context: any.
 *
 * Return: the number of stripes between md_writeback_start() and
 * md_writeback_end(); 0 for an array without a write-back cache.
 */
int md_writeback_stripes(struct mddev *mddev)
{
	return atomic_read(&mddev->writeback.stripes);
}
EXPORT_SYMBOL_GPL(md_writeback_stripes);

/**
 * md_writeback_wanted - is the cache to be written out?
 * @mddev: the array
 *
 * For the personality: its thread asks each time it is woken, and asks again
 * before a stripe is left in the cache.
 *
 * Context: any.
 */
bool md_writeback_wanted(struct mddev *mddev)
{
	return atomic_read(&mddev->writeback.drainers) ||
	       READ_ONCE(mddev->writeback.wanted);
}
EXPORT_SYMBOL_GPL(md_writeback_wanted);

/**
 * md_writeback_pending - how many stripes the members can take, and do not have
 * @mddev: the array
 *
 * Context: any.
 *
 * Return: md_writeback_stripes() without those that are md_writeback_stuck().
 * The two are not read at one time: it may be a little less than 0.
 */
int md_writeback_pending(struct mddev *mddev)
{
	return md_writeback_stripes(mddev) -
	       atomic_read(&mddev->writeback.stuck);
}
EXPORT_SYMBOL_GPL(md_writeback_pending);

static bool md_writeback_drained(struct mddev *mddev)
{
	return md_writeback_pending(mddev) <= 0;
}

/**
 * md_writeback_start - a stripe joins the write-back cache
 * @mddev: the array
 *
 * From here on the array stays dirty until md_writeback_end(), whatever becomes
 * of the writes that the stripe consists of. A stripe that is in the cache
 * already is not counted again.
 *
 * Context: any; does not sleep. The caller holds a reference from
 * md_write_start() for the stripe, or the array takes no writes yet.
 */
void md_writeback_start(struct mddev *mddev)
{
	struct md_writeback *wb = &mddev->writeback;
	int stripes = atomic_inc_return(&wb->stripes);

	if (stripes == 1)
		percpu_ref_get(&mddev->writes_pending);
	trace_md_writeback_start(mdname(mddev), stripes);
	WRITE_ONCE(wb->joined, jiffies);
	if (READ_ONCE(wb->wanted))
		WRITE_ONCE(wb->wanted, false);
}
EXPORT_SYMBOL_GPL(md_writeback_start);

/**
 * md_writeback_end - a stripe has left the write-back cache
 * @mddev: the array
 *
 * All of it is on the members, though maybe not durable: who marks the array
 * clean flushes them. The last stripe wakes those in md_writeback_drain(), and
 * starts the time after which the array is marked clean.
 *
 * Context: process context, with no lock that is taken inside mddev->lock;
 * does not sleep.
 */
void md_writeback_end(struct mddev *mddev)
{
	struct md_writeback *wb = &mddev->writeback;

	if (!atomic_dec_and_lock(&wb->stripes, &mddev->lock)) {
		trace_md_writeback_end(mdname(mddev),
				       md_writeback_stripes(mddev));
		if (atomic_read(&wb->stuck) && md_writeback_drained(mddev))
			wake_up(&mddev->sb_wait);
		return;
	}
	trace_md_writeback_end(mdname(mddev), 0);
	WRITE_ONCE(wb->wanted, false);
	md_write_end(mddev);
	spin_unlock(&mddev->lock);
	wake_up(&mddev->sb_wait);
}
EXPORT_SYMBOL_GPL(md_writeback_end);

/**
 * md_writeback_stuck - a stripe in the cache cannot be written out, or can again
 * @mddev: the array
 * @stuck: which of the two
 *
 * More members have failed, there, than the array can do without. The stripe
 * stays in the cache, is counted, and keeps the array dirty; nobody waits for it.
 *
 * Context: any; does not sleep.
 */
void md_writeback_stuck(struct mddev *mddev, bool stuck)
{
	if (stuck) {
		atomic_inc(&mddev->writeback.stuck);
		wake_up(&mddev->sb_wait);
	} else {
		atomic_dec(&mddev->writeback.stuck);
	}
}
EXPORT_SYMBOL_GPL(md_writeback_stuck);

/**
 * md_writeback_ask - have the write-back cache written out, without waiting
 * @mddev: the array
 *
 * Context: any; does not sleep.
 */
void md_writeback_ask(struct mddev *mddev)
{
	if (md_writeback_drained(mddev) || READ_ONCE(mddev->writeback.wanted))
		return;
	WRITE_ONCE(mddev->writeback.wanted, true);
	smp_mb(); /* before it is woken, and looks */
	md_wakeup_thread(mddev->thread);
}

/**
 * md_writeback_idle - nobody writes: may the array be marked clean?
 * @mddev: the array
 *
 * For the thread that handles safemode, and must not wait. If there are stripes
 * in the cache the array may not. They are written out if none has joined for
 * MD_WRITEBACK_IDLE; else the safemode timer is set to when that will be so.
 *
 * Context: may not sleep; the array is read-write.
 *
 * Return: true if the cache is empty.
 */
bool md_writeback_idle(struct mddev *mddev)
{
	unsigned long idle = READ_ONCE(mddev->writeback.joined) +
			     MD_WRITEBACK_IDLE;

	if (!md_writeback_stripes(mddev))
		return true;
	if (mddev->safemode == 2 || !time_before(jiffies, idle))
		md_writeback_ask(mddev);
	else
		mod_timer(&mddev->safemode_timer, idle);
	return false;
}

/**
 * md_writeback_drain - write the write-back cache out, and wait for that
 * @mddev: the array
 * @timeout: at most so long, in jiffies; MAX_SCHEDULE_TIMEOUT for no limit
 *
 * If writes go on, stripes may join for ever: who needs it empty has suspended
 * the array, or made sure that nobody has it open.
 *
 * Context: sleeps. See the head of this file for what the caller must not hold.
 *
 * Return: 0 if the cache is empty, -EIO if the members cannot take what is left,
 * -ETIMEDOUT, or -EINTR for a fatal signal. What was not written out is in the
 * cache and in the log as before.
 */
int md_writeback_drain(struct mddev *mddev, unsigned long timeout)
{
	struct md_writeback *wb = &mddev->writeback;
	int stripes = md_writeback_stripes(mddev);
	u64 begin = ktime_get_ns();
	long left;
	int ret;

	lockdep_assert_not_held(&mddev->reconfig_mutex);

	if (!stripes)
		return 0;

	atomic_inc(&wb->drainers);
	smp_mb__after_atomic(); /* before it is woken, and looks */
	md_wakeup_thread(mddev->thread);
	left = wait_event_killable_timeout(mddev->sb_wait,
					   md_writeback_drained(mddev),
					   timeout);
	atomic_dec(&wb->drainers);

	if (!md_writeback_stripes(mddev))
		ret = 0;
	else if (left < 0)
		ret = -EINTR;
	else
		ret = left ? -EIO : -ETIMEDOUT;
	trace_md_writeback_drain(mdname(mddev), stripes, ret,
				 ktime_get_ns() - begin);
	return ret;
}
EXPORT_SYMBOL_GPL(md_writeback_drain);
