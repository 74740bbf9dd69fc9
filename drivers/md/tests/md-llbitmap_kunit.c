// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the lockless bitmap, included by md-llbitmap.c: one page on
 * one member, which ends its I/O when the test says so.  What another task does
 * in the midst of a function is done at its md_test_point().  Each case fails
 * when its fix is taken out.
 */
#include <linux/completion.h>

#include "kunit-disk.h"

struct llbitmap_task {
	struct work_struct work;
	struct mddev *mddev;
	struct completion done;
};

struct llbitmap_fixture {
	struct mddev mddev;
	struct md_rdev rdev;
	struct kunit_disk *member;
	struct llbitmap llbitmap;
	struct llbitmap_page_ctl *pctl;
	struct llbitmap_task first;
	struct llbitmap_task second;
	unsigned int points;
	unsigned int set_early;	/* bits that were set at one of them */
};

/* A write to the array: its bit, and the bitmap before its data. */
static void llbitmap_task(struct work_struct *work)
{
	struct llbitmap_task *task =
		container_of(work, struct llbitmap_task, work);

	llbitmap_state_machine(task->mddev->bitmap, 0, 0,
			       BitmapActionStartwrite);
	llbitmap_unplug(task->mddev, true);
	complete(&task->done);
}

/* C9: the page is not dirty any more, and not yet written either. */
static void second_write_waits_for_the_bit(struct kunit *test)
{
	struct llbitmap_fixture *f = test->priv;

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
	KUNIT_EXPECT_TRUE(test, llbitmap_unplugged(&f->llbitmap));
}

/* Another task takes the page now, if it is dirty. */
static void unplug_meanwhile(struct mddev *mddev, enum md_test_point point)
{
	struct llbitmap_fixture *f = container_of(mddev, struct llbitmap_fixture,
						  mddev);
	int i;

	if (point != MD_POINT_BLOCK_DIRTY)
		return;
	f->points++;
	for (i = 0; i < f->llbitmap.chunks; i++)
		f->set_early += llbitmap_read(&f->llbitmap, i) == BitDirty;
	clear_bit(LLPageDirty, &f->pctl->flags);
}

/* C9: whoever finds a bit set finds a dirty page, and in it a dirty block. */
static void page_is_dirty_after_its_block(struct kunit *test)
{
	struct llbitmap_fixture *f = test->priv;
	int i;

	md_test_at_point = unplug_meanwhile;
	llbitmap_state_machine(&f->llbitmap, 0, 0, BitmapActionStartwrite);
	KUNIT_EXPECT_EQ(test, f->points, 1);
	KUNIT_EXPECT_EQ(test, f->set_early, 0);
	KUNIT_EXPECT_TRUE(test, test_bit(LLPageDirty, &f->pctl->flags));

	/* all bits of the block are set together now */
	f->set_early = 0;
	llbitmap_state_machine(&f->llbitmap, 1, 1, BitmapActionStartwrite);
	KUNIT_EXPECT_EQ(test, f->points, 2);
	KUNIT_EXPECT_EQ(test, f->set_early, 1);
	KUNIT_EXPECT_TRUE(test, test_bit(LLPageDirty, &f->pctl->flags));
	for (i = 0; i < f->llbitmap.chunks; i++)
		KUNIT_EXPECT_EQ(test, llbitmap_read(&f->llbitmap, i), BitDirty);
}

static void llbitmap_fixture_free(void *data)
{
	struct llbitmap_fixture *f = data;

	md_test_at_point = NULL;
	mddev_destroy(&f->mddev);
	if (f->pctl->page)
		__free_page(f->pctl->page);
}

static int llbitmap_fixture_init(struct kunit *test)
{
	struct llbitmap_fixture *f;
	int i;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->member = kunit_disk_alloc(test, 1024);
	f->pctl = kunit_kzalloc(test, struct_size(f->pctl, dirty, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->pctl);
	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, llbitmap_fixture_free, f), 0);
	f->pctl->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, f->pctl->page);
	f->pctl->state = page_address(f->pctl->page);
	spin_lock_init(&f->pctl->lock);

	f->mddev.level = ID_RAID1;
	f->mddev.bitmap_info.offset = 8;
	f->mddev.bitmap = &f->llbitmap;
	f->rdev.mddev = &f->mddev;
	f->rdev.bdev = f->member->gd->part0;
	f->rdev.sb_start = 8;
	list_add_tail(&f->rdev.same_set, &f->mddev.disks);

	f->llbitmap.mddev = &f->mddev;
	f->llbitmap.pctl = &f->pctl;
	f->llbitmap.nr_pages = 1;
	f->llbitmap.io_size = SECTOR_SIZE;
	f->llbitmap.blocks_per_page = PAGE_SIZE / SECTOR_SIZE;
	/* those of one block */
	f->llbitmap.chunks = SECTOR_SIZE;
	mutex_init(&f->llbitmap.write_mutex);
	/* no timer */
	set_bit(BITMAP_SHUTDOWN, &f->llbitmap.flags);
	for (i = 0; i < f->llbitmap.chunks; i++)
		llbitmap_write(&f->llbitmap, BitClean, i);

	INIT_WORK(&f->first.work, llbitmap_task);
	init_completion(&f->first.done);
	f->first.mddev = &f->mddev;
	INIT_WORK(&f->second.work, llbitmap_task);
	init_completion(&f->second.done);
	f->second.mddev = &f->mddev;
	return 0;
}

static struct kunit_case llbitmap_cases[] = {
	KUNIT_CASE(second_write_waits_for_the_bit),
	KUNIT_CASE(page_is_dirty_after_its_block),
	{}
};

static struct kunit_suite llbitmap_suite = {
	.name = "md-llbitmap",
	.init = llbitmap_fixture_init,
	.test_cases = llbitmap_cases,
};

kunit_test_suite(llbitmap_suite);
