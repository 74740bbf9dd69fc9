/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk for KUnit tests of md: it takes bios and keeps them, in order of
 * arrival, until the test ends them.  So a test decides which I/O completes,
 * when, and with which status, and sees what md sends to its members without
 * a hook in md.  A test that has to call what waits for its I/O gives the disk
 * an at_once(), which may set the status of a bio and have it ended as it comes.
 *
 * The disk has a volatile write cache.  It stores nothing: a read ends with
 * whatever its pages held.
 */
#ifndef _MD_TESTS_KUNIT_DISK_H
#define _MD_TESTS_KUNIT_DISK_H

#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/spinlock.h>

struct kunit_disk {
	struct gendisk *gd;
	spinlock_t lock;	/* the fields below; taken in any context */
	struct bio_list held;
	unsigned int flushes;	/* empty bios with REQ_PREFLUSH so far */
	unsigned int writes;	/* bios with data to write so far */
	/* true: end this bio now, with its bi_status; false: keep it */
	bool (*at_once)(struct kunit_disk *disk, struct bio *bio);
	void *private;		/* for at_once() */
};

static void kunit_disk_submit_bio(struct bio *bio)
{
	struct kunit_disk *disk = bio->bi_bdev->bd_disk->private_data;
	bool now = disk->at_once && disk->at_once(disk, bio);
	unsigned long flags;

	spin_lock_irqsave(&disk->lock, flags);
	if (bio_sectors(bio))
		disk->writes += op_is_write(bio_op(bio));
	else
		disk->flushes += !!(bio->bi_opf & REQ_PREFLUSH);
	if (!now)
		bio_list_add(&disk->held, bio);
	spin_unlock_irqrestore(&disk->lock, flags);

	if (now)
		bio_endio(bio);
}

static const struct block_device_operations kunit_disk_fops = {
	.submit_bio = kunit_disk_submit_bio,
};

/*
 * End the bios held now with @status; returns how many there were.  Those
 * that ending them brings are kept for the next call.
 */
static unsigned int kunit_disk_end(struct kunit_disk *disk, blk_status_t status)
{
	struct bio_list bios = BIO_EMPTY_LIST;
	unsigned int ended = 0;
	struct bio *bio;

	spin_lock_irq(&disk->lock);
	bio_list_merge_init(&bios, &disk->held);
	spin_unlock_irq(&disk->lock);

	while ((bio = bio_list_pop(&bios))) {
		bio->bi_status = status;
		bio_endio(bio);
		ended++;
	}
	return ended;
}

static void kunit_disk_free(void *data)
{
	struct kunit_disk *disk = data;

	while (kunit_disk_end(disk, BLK_STS_IOERR))
		;
	del_gendisk(disk->gd);
	put_disk(disk->gd);
}

/* A disk of @sectors sectors of 512 bytes that lives as long as @test. */
static struct kunit_disk *kunit_disk_alloc(struct kunit *test, sector_t sectors)
{
	struct queue_limits lim = {
		.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA,
		.max_hw_discard_sectors = UINT_MAX,
		.discard_granularity = SECTOR_SIZE,
	};
	static unsigned int serial;
	struct kunit_disk *disk;
	int err;

	disk = kunit_kzalloc(test, sizeof(*disk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, disk);
	spin_lock_init(&disk->lock);
	bio_list_init(&disk->held);

	disk->gd = blk_alloc_disk(&lim, NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, disk->gd);
	disk->gd->fops = &kunit_disk_fops;
	disk->gd->private_data = disk;
	/* nobody would end the reads of a partition scan */
	disk->gd->flags |= GENHD_FL_NO_PART;
	snprintf(disk->gd->disk_name, DISK_NAME_LEN, "kunit-md%u", serial++);
	set_capacity(disk->gd, sectors);

	err = add_disk(disk->gd);
	if (err)
		put_disk(disk->gd);
	KUNIT_ASSERT_EQ(test, err, 0);
	err = kunit_add_action_or_reset(test, kunit_disk_free, disk);
	KUNIT_ASSERT_EQ(test, err, 0);
	return disk;
}

#endif /* _MD_TESTS_KUNIT_DISK_H */
