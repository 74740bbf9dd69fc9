// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for md_write_start() and its kin: may this write begin, and is the
 * array clean?  Real functions on an array without members, whose superblocks
 * are written at once.  What another task does in the midst of one of them is
 * done at its md_test_point().  Each case fails when its fix is taken out.
 */
#include <kunit/test.h>
#include <linux/raid/md_p.h>

#include "../md.h"
#include "kunit-disk.h"

#define LONG_AGO	(2 * MD_WRITEBACK_IDLE)

struct write_fixture {
	struct mddev mddev;
	struct md_personality pers;
	struct md_rdev rdev;
	struct kunit_disk *member;	/* rdev's, if the case has one */
	struct page *pages;	/* its superblock and bad blocks */
	blk_opf_t opf;		/* of the last bio with data */
	struct bio write;
	struct work_struct task;	/* somebody else */
	struct completion runs;		/* of the array's thread */
	int drained;			/* what the drain gave */
	struct wait_queue_entry waiter;	/* on sb_wait */
	unsigned int points;		/* that were met */
	unsigned int removals;
	unsigned int woken;
	bool as_it_should;
	struct task_struct *thread;	/* the array's */
};

/* set by a case, for its own array; arrays that are in use meet no case */
void (*md_test_at_point)(struct mddev *mddev, enum md_test_point point);

/* As raid5d() begins. */
static void array_thread(struct md_thread *thread)
{
	struct write_fixture *f = container_of(thread->mddev,
					       struct write_fixture, mddev);

	md_check_recovery(thread->mddev);
	complete(&f->runs);
}

static void add_thread(struct kunit *test, struct write_fixture *f)
{
	struct md_thread *thread;

	thread = md_register_thread(array_thread, &f->mddev, "kunit");
	KUNIT_ASSERT_NOT_NULL(test, thread);
	rcu_assign_pointer(f->mddev.thread, thread);
}

/* The safemode timer has fired, and the thread sees to it. */
static void safemode(struct write_fixture *f)
{
	f->mddev.safemode = 1;
	md_check_recovery(&f->mddev);
	flush_work(&f->mddev.clean_work);
	md_check_recovery(&f->mddev);
}

/* set_in_sync() has found nobody who writes; here is the rest of it. */
static void turn_clean(struct mddev *mddev, enum md_test_point point)
{
	struct write_fixture *f = container_of(mddev, struct write_fixture,
					       mddev);

	if (point != MD_POINT_FIRST_LOAD || f->points++)
		return;
	WRITE_ONCE(f->mddev.in_sync, 1);
	smp_mb(); /* as there */
	set_bit(MD_SB_CHANGE_CLEAN, &f->mddev.sb_flags);
	f->mddev.sync_checkers--;
}

/* C3: a write begins while the array is being marked clean. */
static void write_meets_an_array_turning_clean(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	add_thread(test, f);
	f->mddev.sync_checkers = 1;
	md_test_at_point = turn_clean;
	md_write_start(&f->mddev, &f->write);
	KUNIT_EXPECT_EQ(test, f->points, 1);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 0);
	md_write_end(&f->mddev);
}

/* Another write, which takes no lock: does it wait, if it must? */
static void look_at_dirty(struct mddev *mddev, enum md_test_point point)
{
	struct write_fixture *f = container_of(mddev, struct write_fixture,
					       mddev);

	if (point != MD_POINT_DIRTY || f->points++)
		return;
	f->as_it_should = READ_ONCE(f->mddev.in_sync) ||
			  test_bit(MD_SB_CHANGE_PENDING, &f->mddev.sb_flags);
}

/* C4: of two writes to a clean array, neither goes ahead of the superblocks. */
static void second_write_waits_for_the_superblocks(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	add_thread(test, f);
	f->mddev.in_sync = 1;
	md_test_at_point = look_at_dirty;
	md_write_start(&f->mddev, &f->write);
	KUNIT_EXPECT_EQ(test, f->points, 1);
	KUNIT_EXPECT_TRUE(test, f->as_it_should);
	md_write_end(&f->mddev);
}

static void write_task(struct work_struct *work)
{
	struct write_fixture *f = container_of(work, struct write_fixture, task);

	md_write_start(&f->mddev, &f->write);
	md_write_end(&f->mddev);
}

/* The thread takes the array for read-only; now comes the first write. */
static void write_first(struct mddev *mddev, enum md_test_point point)
{
	struct write_fixture *f = container_of(mddev, struct write_fixture,
					       mddev);

	if (point != MD_POINT_READ_ONLY || f->points++)
		return;
	schedule_work(&f->task);
	while (!test_bit(MD_SB_CHANGE_PENDING, &f->mddev.sb_flags))
		schedule_timeout_uninterruptible(1);
}

/* C6: what the first write to an auto-read-only array asks for is done. */
static void first_write_is_not_forgotten(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	f->mddev.in_sync = 1;
	f->mddev.ro = MD_AUTO_READ;
	set_bit(MD_RECOVERY_NEEDED, &f->mddev.recovery);
	INIT_WORK(&f->task, write_task);
	md_test_at_point = write_first;
	md_check_recovery(&f->mddev);
	KUNIT_EXPECT_EQ(test, f->points, 1);
	KUNIT_EXPECT_TRUE(test, test_bit(MD_SB_CHANGE_PENDING,
					 &f->mddev.sb_flags));
	KUNIT_EXPECT_TRUE(test, test_bit(MD_RECOVERY_NEEDED,
					 &f->mddev.recovery));
	md_check_recovery(&f->mddev);
	flush_work(&f->task);
}

static void break_array(struct mddev *mddev, struct md_rdev *rdev)
{
	set_bit(Faulty, &rdev->flags);
	set_bit(MD_BROKEN, &mddev->flags);
}

/* Writes wait for the record of the failure that was one too many, too. */
static void failure_of_a_failed_array_is_recorded(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	f->pers.error_handler = break_array;
	add_thread(test, f);
	md_error(&f->mddev, &f->rdev);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&f->runs, 10 * HZ), 0);
}

/* The last I/O to a failed device ends. */
static void end_last_io(struct mddev *mddev, enum md_test_point point)
{
	struct write_fixture *f = container_of(mddev, struct write_fixture,
					       mddev);

	if (point != MD_POINT_SPARES || f->points++)
		return;
	atomic_dec(&f->rdev.nr_pending);
}

static int note_suspended(struct mddev *mddev, struct md_rdev *rdev)
{
	struct write_fixture *f = container_of(mddev, struct write_fixture,
					       mddev);

	f->removals++;
	f->as_it_should = READ_ONCE(mddev->suspended);
	return -EBUSY;
}

static void run_sync_work(struct write_fixture *f, sector_t resync_offset)
{
	f->mddev.resync_offset = resync_offset;
	schedule_work(&f->mddev.sync_work);
	flush_work(&f->mddev.sync_work);
}

/* Personalities rely on it: no request sees a device go. */
static void device_leaves_a_suspended_array(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	f->pers.hot_remove_disk = note_suspended;
	f->rdev.raid_disk = 0;
	set_bit(Faulty, &f->rdev.flags);
	atomic_set(&f->rdev.nr_pending, 1);
	list_add(&f->rdev.same_set, &f->mddev.disks);
	md_test_at_point = end_last_io;
	run_sync_work(f, MaxSector);
	KUNIT_EXPECT_EQ(test, f->points, 1);
	KUNIT_EXPECT_EQ(test, f->removals, 0);
	run_sync_work(f, MaxSector);
	KUNIT_EXPECT_EQ(test, f->removals, 1);
	KUNIT_EXPECT_TRUE(test, f->as_it_should);

	/* with a resync to do */
	f->points = 0;
	f->removals = 0;
	atomic_set(&f->rdev.nr_pending, 1);
	run_sync_work(f, 0);
	KUNIT_EXPECT_EQ(test, f->removals, 0);
	run_sync_work(f, 0);
	KUNIT_EXPECT_EQ(test, f->removals, 1);
	KUNIT_EXPECT_TRUE(test, f->as_it_should);
	KUNIT_EXPECT_EQ(test, f->mddev.suspended, 0);
	list_del(&f->rdev.same_set);
}

/* A stripe of a write that has ended. */
static void cache_stripe(struct write_fixture *f)
{
	percpu_ref_get(&f->mddev.writes_pending);
	md_writeback_start(&f->mddev);
	md_write_end(&f->mddev);
}

/* J14: it is clean when the cache is empty, and no sooner. */
static void array_is_as_dirty_as_its_cache(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	cache_stripe(f);
	cache_stripe(f);
	safemode(f);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 0);
	md_writeback_end(&f->mddev);
	safemode(f);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 0);
	md_writeback_end(&f->mddev);
	safemode(f);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 1);
}

static bool counted(struct write_fixture *f)
{
	percpu_ref_switch_to_atomic_sync(&f->mddev.writes_pending);
	return !percpu_ref_is_zero(&f->mddev.writes_pending);
}

/* W1: whoever knows writes_pending alone knows of the stripes. */
static void stripes_hold_a_reference(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	KUNIT_EXPECT_FALSE(test, counted(f));
	cache_stripe(f);
	KUNIT_EXPECT_TRUE(test, counted(f));
	cache_stripe(f);
	md_writeback_end(&f->mddev);
	KUNIT_EXPECT_TRUE(test, counted(f));
	md_writeback_end(&f->mddev);
	KUNIT_EXPECT_FALSE(test, counted(f));
}

static int look_at_the_count(struct wait_queue_entry *wq, unsigned int mode,
			     int flags, void *key)
{
	struct write_fixture *f = container_of(wq, struct write_fixture, waiter);

	f->woken++;
	f->as_it_should = percpu_ref_is_zero(&f->mddev.writes_pending);
	return 0;
}

/* W2: who waits for the last stripe, and then stops the array, finds it idle. */
static void empty_cache_holds_no_reference(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	percpu_ref_switch_to_atomic_sync(&f->mddev.writes_pending);
	init_waitqueue_func_entry(&f->waiter, look_at_the_count);
	add_wait_queue(&f->mddev.sb_wait, &f->waiter);
	cache_stripe(f);
	md_writeback_end(&f->mddev);
	remove_wait_queue(&f->mddev.sb_wait, &f->waiter);
	KUNIT_EXPECT_EQ(test, f->woken, 1);
	KUNIT_EXPECT_TRUE(test, f->as_it_should);
}

static void drain_task(struct work_struct *work)
{
	struct write_fixture *f = container_of(work, struct write_fixture, task);

	f->drained = md_writeback_drain(&f->mddev, 10 * HZ);
}

/* A stripe that joins meanwhile is written out as well. */
static void drain_asks_until_it_is_done(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	cache_stripe(f);
	INIT_WORK(&f->task, drain_task);
	schedule_work(&f->task);
	while (!md_writeback_wanted(&f->mddev))
		schedule_timeout_uninterruptible(1);
	cache_stripe(f);
	KUNIT_EXPECT_TRUE(test, md_writeback_wanted(&f->mddev));
	md_writeback_end(&f->mddev);
	md_writeback_end(&f->mddev);
	flush_work(&f->task);
	KUNIT_EXPECT_EQ(test, f->drained, 0);
	KUNIT_EXPECT_FALSE(test, md_writeback_wanted(&f->mddev));
}

static void drain_gives_up(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, md_writeback_drain(&f->mddev, 0), 0);
	cache_stripe(f);
	cache_stripe(f);
	KUNIT_EXPECT_EQ(test, md_writeback_drain(&f->mddev, 1), -ETIMEDOUT);
	md_writeback_stuck(&f->mddev, true);
	KUNIT_EXPECT_EQ(test, md_writeback_drain(&f->mddev, 1), -ETIMEDOUT);
	/* the last one that can be written out, not the last one */
	init_waitqueue_func_entry(&f->waiter, look_at_the_count);
	add_wait_queue(&f->mddev.sb_wait, &f->waiter);
	md_writeback_end(&f->mddev);
	remove_wait_queue(&f->mddev.sb_wait, &f->waiter);
	KUNIT_EXPECT_EQ(test, f->woken, 1);
	KUNIT_EXPECT_EQ(test, md_writeback_drain(&f->mddev, 10 * HZ), -EIO);
	md_writeback_stuck(&f->mddev, false);
	md_writeback_end(&f->mddev);
	KUNIT_EXPECT_EQ(test, md_writeback_drain(&f->mddev, 0), 0);
}

/* A stripe that gets stuck, as its members fail, lets the drain go. */
static void stuck_stripe_ends_a_drain(struct kunit *test)
{
	struct write_fixture *f = test->priv;
	unsigned long begin = jiffies;

	cache_stripe(f);
	INIT_WORK(&f->task, drain_task);
	schedule_work(&f->task);
	while (!md_writeback_wanted(&f->mddev))
		schedule_timeout_uninterruptible(1);
	md_writeback_stuck(&f->mddev, true);
	flush_work(&f->task);
	KUNIT_EXPECT_EQ(test, f->drained, -EIO);
	/* as it was woken, and not as its time was up */
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, begin + 5 * HZ));
	md_writeback_stuck(&f->mddev, false);
	md_writeback_end(&f->mddev);
}

/* The cache of an idle array is written out, but not that of a busy one. */
static void idle_cache_is_written_out(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	cache_stripe(f);
	timer_delete(&f->mddev.safemode_timer);
	safemode(f);
	KUNIT_EXPECT_FALSE(test, md_writeback_wanted(&f->mddev));
	KUNIT_EXPECT_TRUE(test, timer_pending(&f->mddev.safemode_timer));
	f->mddev.writeback.joined = jiffies - LONG_AGO;
	safemode(f);
	KUNIT_EXPECT_TRUE(test, md_writeback_wanted(&f->mddev));
	/* so it is not idle */
	cache_stripe(f);
	KUNIT_EXPECT_FALSE(test, md_writeback_wanted(&f->mddev));
	md_writeback_end(&f->mddev);
	md_writeback_end(&f->mddev);
}

/* T3: a write each now and then finds the array dirty, up to a limit. */
static void clean_marking_backs_off(struct kunit *test)
{
	struct write_fixture *f = test->priv;
	struct mddev *mddev = &f->mddev;
	unsigned long delay = mddev->safemode_delay;
	int i;

	add_thread(test, f);
	for (i = 1; i < MD_BACKOFF_MAX + 3; i++) {
		mddev->in_sync = 1;
		mddev->clean_since = jiffies;
		md_write_start(mddev, &f->write);
		md_write_end(mddev);
		delay = mddev->safemode_delay << min(i, MD_BACKOFF_MAX);
		KUNIT_EXPECT_GE(test, mddev->safemode_timer.expires,
				jiffies + delay - 1);
		KUNIT_EXPECT_LE(test, mddev->safemode_timer.expires,
				jiffies + 2 * delay);
	}
	/* it was not in vain this time */
	mddev->in_sync = 1;
	mddev->clean_since = jiffies - 9 * delay;
	md_write_start(mddev, &f->write);
	md_write_end(mddev);
	KUNIT_EXPECT_LE(test, mddev->safemode_timer.expires,
			jiffies + 2 * mddev->safemode_delay);
}

static void look_who_waits(struct mddev *mddev, enum md_test_point point)
{
	struct write_fixture *f = container_of(mddev, struct write_fixture,
					       mddev);

	if (point != MD_POINT_SWITCHED || f->points++)
		return;
	f->as_it_should = current != f->thread;
}

/* T3: the thread has stripes to handle, and waits for no grace period. */
static void thread_waits_for_no_grace_period(struct kunit *test)
{
	struct write_fixture *f = test->priv;
	unsigned long end = jiffies + 10 * HZ;

	add_thread(test, f);
	f->thread = f->mddev.thread->tsk;
	md_test_at_point = look_who_waits;
	f->mddev.safemode = 1;
	md_wakeup_thread(f->mddev.thread);
	/* until it has written the superblocks that say clean */
	while ((!READ_ONCE(f->mddev.in_sync) || READ_ONCE(f->mddev.sb_flags)) &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, f->points, 1);
	KUNIT_EXPECT_TRUE(test, f->as_it_should);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 1);
	KUNIT_EXPECT_EQ(test, f->mddev.sb_flags, 0);
}

static bool note_opf(struct kunit_disk *disk, struct bio *bio)
{
	struct write_fixture *f = disk->private;

	if (bio_sectors(bio))
		f->opf = bio->bi_opf;
	return true;
}

/* An array of one member, with superblocks that say clean. */
static void add_member(struct kunit *test, struct write_fixture *f)
{
	struct mdp_superblock_1 *sb;

	f->member = kunit_disk_alloc(test, 1024);
	f->member->private = f;
	f->member->at_once = note_opf;
	f->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, 1);
	KUNIT_ASSERT_NOT_NULL(test, f->pages);
	sb = page_address(f->pages);
	sb->max_dev = cpu_to_le32(4);
	sb->bblog_offset = cpu_to_le32(8);
	sb->bblog_size = cpu_to_le16(8);
	KUNIT_ASSERT_EQ(test, badblocks_init(&f->rdev.badblocks, 1), 0);
	f->rdev.bdev = f->member->gd->part0;
	f->rdev.sb_page = f->pages;
	f->rdev.bb_page = f->pages + 1;
	f->rdev.sb_start = 8;
	f->rdev.sb_size = SECTOR_SIZE;
	f->rdev.raid_disk = 0;
	set_bit(In_sync, &f->rdev.flags);
	init_waitqueue_head(&f->rdev.blocked_wait);
	list_add_tail(&f->rdev.same_set, &f->mddev.disks);
	f->mddev.persistent = 1;
	f->mddev.major_version = 1;
	f->mddev.resync_offset = MaxSector;
	f->mddev.events = 2;
	f->mddev.in_sync = 1;
}

/* How was the superblock written that made a clean array dirty? */
static blk_opf_t dirty_opf(struct write_fixture *f)
{
	f->mddev.in_sync = 1;
	f->opf = 0;
	set_mask_bits(&f->mddev.sb_flags, 0,
		      BIT(MD_SB_CHANGE_CLEAN) | BIT(MD_SB_CHANGE_PENDING));
	f->mddev.in_sync = 0;
	md_check_recovery(&f->mddev);
	return f->opf & (REQ_PREFLUSH | REQ_FUA);
}

/* T3: "dirty" needs nothing before it on the members. */
static void dirty_superblock_flushes_nothing(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	add_member(test, f);
	KUNIT_EXPECT_EQ(test, dirty_opf(f), REQ_FUA);
	KUNIT_EXPECT_EQ(test, f->member->writes, 1);
	/* "clean" does, as what was written before shall be there */
	safemode(f);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 1);
	KUNIT_EXPECT_EQ(test, f->member->writes, 2);
	KUNIT_EXPECT_EQ(test, f->opf & (REQ_PREFLUSH | REQ_FUA),
			REQ_PREFLUSH | REQ_FUA);
	KUNIT_EXPECT_EQ(test, dirty_opf(f), REQ_FUA);
}

/* A superblock that says more than "dirty" comes after what it speaks of. */
static void expect_a_flush(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dirty_opf(test->priv), REQ_PREFLUSH | REQ_FUA);
}

static void superblock_of_a_recovery_flushes(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	add_member(test, f);
	f->mddev.degraded = 1;
	expect_a_flush(test);
	f->mddev.degraded = 0;
	clear_bit(In_sync, &f->rdev.flags);
	expect_a_flush(test);
	set_bit(In_sync, &f->rdev.flags);
	f->mddev.reshape_position = 8;
	expect_a_flush(test);
	f->mddev.reshape_position = MaxSector;
	set_bit(MD_RECOVERY_RUNNING, &f->mddev.recovery);
	expect_a_flush(test);
	clear_bit(MD_RECOVERY_RUNNING, &f->mddev.recovery);
	KUNIT_EXPECT_EQ(test, dirty_opf(f), REQ_FUA);
}

static void superblock_of_a_failure_flushes(struct kunit *test)
{
	struct write_fixture *f = test->priv;
	struct md_rdev failed = { .mddev = &f->mddev, .raid_disk = 1,
				  .desc_nr = 1,
				  .flags = BIT(Faulty) | BIT(In_sync) };

	add_member(test, f);
	set_bit(MD_SB_CHANGE_DEVS, &f->mddev.sb_flags);
	expect_a_flush(test);
	KUNIT_EXPECT_EQ(test, dirty_opf(f), REQ_FUA);

	/* it has failed, and has not asked for the update yet */
	KUNIT_ASSERT_EQ(test, badblocks_init(&failed.badblocks, 0), 0);
	init_waitqueue_head(&failed.blocked_wait);
	failed.sb_events = f->mddev.events + 1;	/* it has no superblock */
	list_add_tail(&failed.same_set, &f->mddev.disks);
	expect_a_flush(test);
	list_del(&failed.same_set);
	badblocks_exit(&failed.badblocks);
}

static void superblock_with_bad_blocks_flushes(struct kunit *test)
{
	struct write_fixture *f = test->priv;
	struct badblocks *bb = &f->rdev.badblocks;

	add_member(test, f);
	badblocks_set(bb, 0, 8, 0);
	expect_a_flush(test);
	badblocks_set(bb, 64, 8, 1);
	bb->changed = 0;
	KUNIT_EXPECT_EQ(test, dirty_opf(f), REQ_FUA);
	/* blocks are good again: one, and then all of them */
	badblocks_clear(bb, 0, 8);
	expect_a_flush(test);
	badblocks_clear(bb, 64, 8);
	expect_a_flush(test);
}

static void superblock_of_a_journal_flushes(struct kunit *test)
{
	struct write_fixture *f = test->priv;

	add_member(test, f);
	set_bit(MD_HAS_JOURNAL, &f->mddev.flags);
	expect_a_flush(test);
	clear_bit(MD_HAS_JOURNAL, &f->mddev.flags);
	set_bit(MD_JOURNAL_CLEAN, &f->mddev.flags);
	expect_a_flush(test);
}

static void write_fixture_free(void *data)
{
	struct write_fixture *f = data;

	md_test_at_point = NULL;
	mutex_lock(&f->mddev.reconfig_mutex);
	md_unregister_thread(&f->mddev, &f->mddev.thread);
	cancel_work_sync(&f->mddev.clean_work);
	mutex_unlock(&f->mddev.reconfig_mutex);
	badblocks_exit(&f->rdev.badblocks);
	if (f->pages)
		__free_pages(f->pages, 1);
	mddev_destroy(&f->mddev);
}

static int write_fixture_init(struct kunit *test)
{
	struct write_fixture *f;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	f->mddev.pers = &f->pers;
	f->pers.head.id = ID_RAID5;
	f->mddev.safemode_delay = HZ / 5;
	set_bit(MD_HAS_SUPERBLOCK, &f->mddev.flags);
	/* no resync: there is nothing to work on */
	set_bit(MD_RECOVERY_FROZEN, &f->mddev.recovery);
	f->rdev.mddev = &f->mddev;
	bio_init(&f->write, NULL, NULL, 0, REQ_OP_WRITE);
	init_completion(&f->runs);
	return kunit_add_action_or_reset(test, write_fixture_free, f);
}

static struct kunit_case md_write_cases[] = {
	KUNIT_CASE(write_meets_an_array_turning_clean),
	KUNIT_CASE(second_write_waits_for_the_superblocks),
	KUNIT_CASE(first_write_is_not_forgotten),
	KUNIT_CASE(failure_of_a_failed_array_is_recorded),
	KUNIT_CASE(device_leaves_a_suspended_array),
	KUNIT_CASE(array_is_as_dirty_as_its_cache),
	KUNIT_CASE(stripes_hold_a_reference),
	KUNIT_CASE(empty_cache_holds_no_reference),
	KUNIT_CASE(drain_asks_until_it_is_done),
	KUNIT_CASE(drain_gives_up),
	KUNIT_CASE(stuck_stripe_ends_a_drain),
	KUNIT_CASE(idle_cache_is_written_out),
	KUNIT_CASE(clean_marking_backs_off),
	KUNIT_CASE(thread_waits_for_no_grace_period),
	KUNIT_CASE(dirty_superblock_flushes_nothing),
	KUNIT_CASE(superblock_of_a_recovery_flushes),
	KUNIT_CASE(superblock_of_a_failure_flushes),
	KUNIT_CASE(superblock_with_bad_blocks_flushes),
	KUNIT_CASE(superblock_of_a_journal_flushes),
	{}
};

static struct kunit_suite md_write_suite = {
	.name = "md-write",
	.init = write_fixture_init,
	.test_cases = md_write_cases,
};

kunit_test_suite(md_write_suite);
