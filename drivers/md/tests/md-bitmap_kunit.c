// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the bitmap, included by md-bitmap.c: a bitmap of one page on
 * one member, which ends its I/O when the test says so.  Each case fails when
 * its fix is taken out.
 */
#include <linux/completion.h>

#include "kunit-disk.h"

struct unplug_task {
	struct work_struct work;
	struct bitmap *bitmap;
	struct completion done;
};

struct bitmap_fixture {
	struct mddev mddev;
	struct md_rdev rdev;
	struct kunit_disk *member;
	struct bitmap bitmap;
	struct page *page;
	unsigned long attr;
	struct bitmap_page counters;
	blk_opf_t opf;		/* of the last bio with data */
	struct unplug_task first;
	struct unplug_task second;
};

static void unplug_task(struct work_struct *work)
{
	struct unplug_task *task = container_of(work, struct unplug_task, work);

	__bitmap_unplug(task->bitmap);
	complete(&task->done);
}

/* C10: the page is not dirty any more, and not yet written either. */
static void second_unplug_waits_for_the_first(struct kunit *test)
{
	struct bitmap_fixture *f = test->priv;

	set_page_attr(&f->bitmap, 0, BITMAP_PAGE_DIRTY);
	schedule_work(&f->first.work);
	while (!READ_ONCE(f->member->writes))
		schedule_timeout_uninterruptible(1);
	schedule_work(&f->second.work);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&f->second.done, HZ / 5), 0);
	KUNIT_EXPECT_EQ(test, kunit_disk_end(f->member, BLK_STS_OK), 1);
	flush_work(&f->first.work);
	flush_work(&f->second.work);
	KUNIT_EXPECT_TRUE(test, try_wait_for_completion(&f->first.done));
	/* it was one write for both */
	KUNIT_EXPECT_EQ(test, f->member->writes, 1);
	KUNIT_EXPECT_TRUE(test, md_bitmap_unplugged(&f->bitmap));
}

static bool note_opf(struct kunit_disk *disk, struct bio *bio)
{
	struct bitmap_fixture *f = disk->private;

	if (bio_sectors(bio))
		f->opf = bio->bi_opf;
	return false;
}

/* Queue the daemon's item: has it a flush of the member under way, or has it ended? */
static bool daemon_flushes(struct bitmap_fixture *f)
{
	unsigned int before = f->member->flushes;

	schedule_work(&f->bitmap.daemon_work);
	while (READ_ONCE(f->member->flushes) == before && work_busy(&f->bitmap.daemon_work))
		schedule_timeout_uninterruptible(1);
	return READ_ONCE(f->member->flushes) != before;
}

/* C16: the flush of a member is under way, and no member may hear of it yet. */
static void bit_is_cleared_after_the_flush(struct kunit *test)
{
	struct bitmap_fixture *f = test->priv;
	struct bitmap *bitmap = &f->bitmap;

	f->mddev.bitmap = bitmap;
	bitmap_start_write(&f->mddev, 0, 8);
	bitmap_end_write(&f->mddev, 0, 8);
	clear_bit(BITMAP_PAGE_DIRTY, &f->attr);
	KUNIT_ASSERT_TRUE(test, md_bitmap_file_test_bit(bitmap, 0));

	/* the first run only sees that nobody writes there */
	bitmap_daemon_run(bitmap);
	KUNIT_EXPECT_EQ(test, f->member->flushes, 0);

	daemon_flushes(f);
	KUNIT_ASSERT_EQ(test, f->member->flushes, 1);
	KUNIT_EXPECT_TRUE(test, md_bitmap_file_test_bit(bitmap, 0));
	KUNIT_EXPECT_EQ(test, f->member->writes, 0);

	/* this one fails, so the bit stays: no flush has covered it */
	KUNIT_EXPECT_EQ(test, kunit_disk_end(f->member, BLK_STS_IOERR), 1);
	flush_work(&bitmap->daemon_work);
	KUNIT_ASSERT_TRUE(test, md_bitmap_file_test_bit(bitmap, 0));
	/* and as long as it is away, whatever the others say */
	f->mddev.degraded = 1;
	daemon_flushes(f);
	kunit_disk_end(f->member, BLK_STS_OK);
	flush_work(&bitmap->daemon_work);
	KUNIT_ASSERT_EQ(test, f->member->flushes, 1);
	KUNIT_EXPECT_TRUE(test, md_bitmap_file_test_bit(bitmap, 0));
	f->mddev.degraded = 0;

	daemon_flushes(f);
	KUNIT_EXPECT_EQ(test, kunit_disk_end(f->member, BLK_STS_OK), 1);
	flush_work(&bitmap->daemon_work);
	KUNIT_ASSERT_FALSE(test, md_bitmap_file_test_bit(bitmap, 0));

	/* it goes to the members in the run after that; all have the data */
	bitmap_daemon_run(bitmap);
	KUNIT_EXPECT_EQ(test, f->member->writes, 1);
	KUNIT_EXPECT_TRUE(test, f->opf & REQ_FUA);
	KUNIT_EXPECT_FALSE(test, f->opf & REQ_PREFLUSH);
	kunit_disk_end(f->member, BLK_STS_OK);
	f->mddev.bitmap = NULL;
}

/* How often the member is flushed when the daemon's item has run. */
static unsigned int flushes_of_a_run(struct bitmap_fixture *f)
{
	unsigned int before = f->member->flushes;

	if (daemon_flushes(f))
		kunit_disk_end(f->member, BLK_STS_OK);
	flush_work(&f->bitmap.daemon_work);
	return f->member->flushes - before;
}

/* There is a write now and then: each run finds that the last one was too early. */
static void bit_in_use_costs_no_flush(struct kunit *test)
{
	struct bitmap_fixture *f = test->priv;

	f->mddev.bitmap = &f->bitmap;
	for (int write = 0; write < 3; write++) {
		bitmap_start_write(&f->mddev, 0, 8);
		bitmap_end_write(&f->mddev, 0, 8);
		clear_bit(BITMAP_PAGE_DIRTY, &f->attr);
		KUNIT_ASSERT_EQ(test, flushes_of_a_run(f), 0);
		KUNIT_EXPECT_TRUE(test, md_bitmap_file_test_bit(&f->bitmap, 0));
	}
	/* nor does an item that was queued again while it ran */
	f->mddev.bitmap_info.daemon_sleep = HZ * 1000;
	f->bitmap.daemon_lastrun = jiffies;
	KUNIT_ASSERT_EQ(test, flushes_of_a_run(f), 0);
	/* without one the bit goes */
	f->mddev.bitmap_info.daemon_sleep = 0;
	KUNIT_EXPECT_EQ(test, flushes_of_a_run(f), 1);
	KUNIT_EXPECT_FALSE(test, md_bitmap_file_test_bit(&f->bitmap, 0));
	f->mddev.bitmap = NULL;
}

/* C16: what resyncs a chunk ends after the members have been flushed for another one. */
static void bit_that_is_resynced_stays(struct kunit *test)
{
	struct bitmap_fixture *f = test->priv;
	struct bitmap *bitmap = &f->bitmap;
	sector_t blocks;

	f->mddev.bitmap = bitmap;
	bitmap_start_write(&f->mddev, 0, 16);
	bitmap_end_write(&f->mddev, 0, 16);
	clear_bit(BITMAP_PAGE_DIRTY, &f->attr);
	bitmap_daemon_run(bitmap);

	md_bitmap_set_memory_bits(bitmap, 0, 1);
	KUNIT_EXPECT_TRUE(test, bitmap_start_sync(&f->mddev, 0, &blocks, false));
	daemon_flushes(f);
	__bitmap_end_sync(bitmap, 0, &blocks, false);
	KUNIT_EXPECT_EQ(test, kunit_disk_end(f->member, BLK_STS_OK), 1);
	flush_work(&bitmap->daemon_work);
	KUNIT_EXPECT_TRUE(test, md_bitmap_file_test_bit(bitmap, 0));
	KUNIT_EXPECT_FALSE(test, md_bitmap_file_test_bit(bitmap, 8));
	f->mddev.bitmap = NULL;
}

/* C17: what no flush of all members has followed may be gone on the one that comes back. */
static void member_that_returns_gets_bits_in_use(struct kunit *test)
{
	struct bitmap_fixture *f = test->priv;
	sector_t blocks;

	f->mddev.bitmap = &f->bitmap;
	bitmap_start_write(&f->mddev, 0, 8);
	bitmap_end_write(&f->mddev, 0, 8);
	clear_bit(BITMAP_PAGE_DIRTY, &f->attr);
	bitmap_daemon_run(&f->bitmap);
	f->mddev.degraded = 1;
	KUNIT_EXPECT_FALSE(test, bitmap_start_sync(&f->mddev, 0, &blocks, false));
	set_bit(MD_RECOVERY_RECOVER, &f->mddev.recovery);
	KUNIT_EXPECT_TRUE(test, bitmap_start_sync(&f->mddev, 0, &blocks, false));
	KUNIT_EXPECT_FALSE(test, bitmap_start_sync(&f->mddev, 8, &blocks, false));
	f->mddev.bitmap = NULL;
}

/* The array's thread must not wait for who writes the bitmap. */
static void thread_leaves_the_daemon_alone(struct kunit *test)
{
	struct bitmap_fixture *f = test->priv;

	f->mddev.bitmap = &f->bitmap;
	mutex_lock(&f->mddev.bitmap_info.io_mutex);
	bitmap_daemon_work(&f->mddev);
	KUNIT_EXPECT_FALSE(test, work_busy(&f->bitmap.daemon_work));
	mutex_unlock(&f->mddev.bitmap_info.io_mutex);

	mutex_lock(&f->bitmap.daemon_mutex);
	f->bitmap.allclean = 0;
	bitmap_daemon_work(&f->mddev);
	KUNIT_EXPECT_TRUE(test, work_busy(&f->bitmap.daemon_work));
	mutex_unlock(&f->bitmap.daemon_mutex);
	flush_work(&f->bitmap.daemon_work);
	f->mddev.bitmap = NULL;
}

/* An idle array comes back to clear bits, though it is not time yet. */
static void thread_comes_back_for_bits(struct kunit *test)
{
	struct bitmap_fixture *f = test->priv;
	struct md_thread thread = { .timeout = MAX_SCHEDULE_TIMEOUT };

	f->mddev.bitmap = &f->bitmap;
	f->mddev.bitmap_info.daemon_sleep = 5 * HZ;
	f->bitmap.daemon_lastrun = jiffies;
	rcu_assign_pointer(f->mddev.thread, &thread);
	f->bitmap.allclean = 1;
	bitmap_daemon_work(&f->mddev);
	KUNIT_EXPECT_EQ(test, thread.timeout, MAX_SCHEDULE_TIMEOUT);

	f->bitmap.allclean = 0;
	bitmap_daemon_work(&f->mddev);
	KUNIT_EXPECT_EQ(test, thread.timeout, 5 * HZ);

	/* one that was degraded has kept some for now */
	f->bitmap.allclean = 1;
	f->bitmap.ones = 1;
	f->mddev.degraded = 1;
	thread.timeout = MAX_SCHEDULE_TIMEOUT;
	bitmap_daemon_work(&f->mddev);
	KUNIT_EXPECT_EQ(test, thread.timeout, MAX_SCHEDULE_TIMEOUT);
	f->mddev.degraded = 0;
	bitmap_daemon_work(&f->mddev);
	KUNIT_EXPECT_EQ(test, thread.timeout, 5 * HZ);

	/* nor does it forget them because somebody else writes the bitmap */
	thread.timeout = MAX_SCHEDULE_TIMEOUT;
	mutex_lock(&f->mddev.bitmap_info.io_mutex);
	bitmap_daemon_work(&f->mddev);
	mutex_unlock(&f->mddev.bitmap_info.io_mutex);
	KUNIT_EXPECT_EQ(test, thread.timeout, 5 * HZ);
	RCU_INIT_POINTER(f->mddev.thread, NULL);
	f->mddev.bitmap = NULL;
}

static void bitmap_fixture_free(void *data)
{
	struct bitmap_fixture *f = data;

	kfree(f->counters.map);
	mddev_destroy(&f->mddev);
	__free_page(f->page);
}

static int bitmap_fixture_init(struct kunit *test)
{
	struct bitmap_storage *store;
	struct bitmap_fixture *f;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->member = kunit_disk_alloc(test, 1024);
	f->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, f->page);
	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	f->member->private = f;
	f->member->at_once = note_opf;
	f->mddev.bitmap_info.offset = 8;
	f->rdev.mddev = &f->mddev;
	f->rdev.bdev = f->member->gd->part0;
	f->rdev.sb_start = 8;
	f->rdev.data_offset = 64;
	list_add_tail(&f->rdev.same_set, &f->mddev.disks);

	f->bitmap.mddev = &f->mddev;
	mutex_init(&f->bitmap.unplug_mutex);
	store = &f->bitmap.storage;
	store->filemap = &f->page;
	store->filemap_attr = &f->attr;
	store->file_pages = 1;
	store->bytes = PAGE_SIZE;
	mutex_init(&f->bitmap.daemon_mutex);
	spin_lock_init(&f->bitmap.counts.lock);
	f->bitmap.counts.bp = &f->counters;
	f->bitmap.counts.pages = 1;
	f->bitmap.counts.missing_pages = 1;
	f->bitmap.counts.chunks = 8;
	f->bitmap.counts.chunkshift = 3;
	init_waitqueue_head(&f->bitmap.write_wait);
	init_waitqueue_head(&f->bitmap.overflow_wait);
	INIT_WORK(&f->bitmap.daemon_work, bitmap_daemon_fn);

	INIT_WORK(&f->first.work, unplug_task);
	init_completion(&f->first.done);
	f->first.bitmap = &f->bitmap;
	INIT_WORK(&f->second.work, unplug_task);
	init_completion(&f->second.done);
	f->second.bitmap = &f->bitmap;
	return kunit_add_action_or_reset(test, bitmap_fixture_free, f);
}

static struct kunit_case bitmap_cases[] = {
	KUNIT_CASE(second_unplug_waits_for_the_first),
	KUNIT_CASE(bit_is_cleared_after_the_flush),
	KUNIT_CASE(bit_in_use_costs_no_flush),
	KUNIT_CASE(bit_that_is_resynced_stays),
	KUNIT_CASE(member_that_returns_gets_bits_in_use),
	KUNIT_CASE(thread_leaves_the_daemon_alone),
	KUNIT_CASE(thread_comes_back_for_bits),
	{}
};

static struct kunit_suite bitmap_suite = {
	.name = "md-bitmap",
	.init = bitmap_fixture_init,
	.test_cases = bitmap_cases,
};

kunit_test_suite(bitmap_suite);
