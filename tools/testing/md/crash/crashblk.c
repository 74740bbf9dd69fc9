// SPDX-License-Identifier: GPL-2.0
/*
 * crashblk: RAM disks whose power can be cut
 *
 * A group of 1 to 32 bio-based RAM disks that share one power supply. A disk
 * may have a volatile write cache, and then honours only what the block layer
 * promises: what was not flushed is lost when the power is cut, and the data
 * that it overwrote comes back. README.rst describes the configfs interface.
 *
 * PROTOCOL
 *
 * A bio is issued in crash_issue() and completes in crash_complete(), each
 * under the mutex of its group, so that all issues and completions of a group
 * have one order. The data of a bio is applied as a whole at its completion. A
 * bio may be held between the two; it is in flight then, and has changed
 * nothing. bio_endio() is called after the completion, outside the mutex.
 *
 * Every sector of 512 bytes has live contents, which reads return, and contents
 * on media, which outlive a power cut. It is dirty while the two may differ.
 * Writes and discards of a group are numbered as they complete; a dirty sector
 * carries the number of the first one since it was last clean, an issued bio
 * that of the last one completed by then. Then:
 *
 * G1. A write or discard changes the live contents and makes its sectors dirty.
 *     The old contents stay on media.
 *
 * G2. A FUA write, and any write or discard on a disk without a cache, also
 *     goes to media before it completes. Its sectors are clean then.
 *
 * G3. A flush moves to media each dirty sector whose number is not above its
 *     own: all that had completed when the flush was issued, however long it
 *     was held, and no sector that was first dirtied after that. A covered
 *     sector goes with its latest contents, which a disk may do.
 *
 * G4. REQ_PREFLUSH is executed before the data of the same bio is applied.
 *
 * G5. A cut takes one instant of all disks of the group. No bio is on media in
 *     part, or on one disk as of before and on another as of after the cut.
 *
 * G6. After a cut nothing reaches the media. The disks go on as ghosts, which
 *     read, write and flush without errors in the live contents alone, so that
 *     what is stacked on them can be stopped. What they acknowledge does not
 *     count. Switching on again makes the media the live contents.
 *
 * G7. A bio that fails, by a rule or for want of memory, is not applied; only
 *     one that runs out of memory half way may be, as on any disk.
 *
 * A cut in the midst of a bio, and a cache that wrote back some sectors by
 * itself, are legal too but not modelled here: all unflushed data is lost, or
 * with "cut keep", none.
 *
 * LOCKING
 *
 * ctl is held over changes of the configuration and the power, and nests
 * outside disk->open_mutex and lock. lock protects all that a bio touches. It
 * is a mutex, and allocations under it are GFP_NOIO: submit_bio() may sleep.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/configfs.h>
#include <linux/ctype.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#define CRASH_MAX_DISKS		32
#define CRASH_MAX_SIZE_MB	(1024 * 1024)
/* So that a list of rules always fits in the page that configfs shows. */
#define CRASH_MAX_RULES		24
#define CRASH_RULE_LEN		96
#define CRASH_DIRTY		XA_MARK_0

#define crash_err(g, fmt, ...)	\
	pr_err("%s: " fmt "\n", config_item_name(&(g)->item), ##__VA_ARGS__)

enum crash_state {
	CRASH_OFF,
	CRASH_ON,
	CRASH_CUT,
};

static const char * const crash_state_name[] = {
	[CRASH_OFF]	= "off",
	[CRASH_ON]	= "on",
	[CRASH_CUT]	= "cut",
};

enum crash_kind {
	CRASH_READ,
	CRASH_WRITE,
	CRASH_FLUSH,
	CRASH_FUA,
	CRASH_DISCARD,
	CRASH_NR_KINDS,
};

static const char * const crash_kind_name[CRASH_NR_KINDS] = {
	[CRASH_READ]	= "read",
	[CRASH_WRITE]	= "write",
	[CRASH_FLUSH]	= "flush",
	[CRASH_FUA]	= "fua",
	[CRASH_DISCARD]	= "discard",
};

enum {
	CRASH_HOLD,
	CRASH_FAIL,
	CRASH_NR_RULES,
};

static const char * const crash_rule_name[CRASH_NR_RULES] = { "hold", "fail" };

static const char * const crash_usage[CRASH_NR_RULES] = {
	[CRASH_HOLD]	= "DISK KIND[,KIND...] [FIRST [LAST]]",
	[CRASH_FAIL]	= "DISK KIND[,KIND...] [FIRST [LAST]] [count=N]",
};

/* media is NULL while no sector is dirty: the live contents are on media. */
struct crash_page {
	u8			*live;
	u8			*media;
	unsigned int		nr_dirty;
	u64			first[PAGE_SECTORS];	/* 0: clean */
};

struct crash_disk {
	struct crash_group	*group;
	struct gendisk		*gd;
	unsigned int		nr;
	bool			cache;
	struct xarray		pages;
	u64			nr_dirty;
	u64			done[CRASH_NR_KINDS];
};

/* A setting that differs from disk to disk: one value for all, or one each. */
struct crash_per_disk {
	unsigned int		nr;
	u32			bits;
};

struct crash_rule {
	struct list_head	list;
	char			text[CRASH_RULE_LEN];
	unsigned int		id;
	int			disk;		/* -1: all */
	unsigned int		kinds;
	bool			ranged;
	u64			first;
	u64			last;
	u64			count;		/* 0: no limit */
	u64			matched;
	u64			held;
};

struct crash_io {
	struct list_head	list;
	struct crash_disk	*disk;
	struct bio		*bio;
	struct crash_rule	*rule;		/* only while held */
	u64			issued;
	blk_status_t		status;
};

struct crash_group {
	struct config_item	item;

	/* Configuration and power, see LOCKING. */
	struct mutex		ctl;
	unsigned int		nr_disks;
	unsigned int		size_mb;
	struct crash_per_disk	cache;
	struct crash_per_disk	discard;
	struct crash_disk	*disks;
	bool			blocked;	/* opens fail */

	/* What bios touch, see LOCKING; state is written under both. */
	struct mutex		lock;
	enum crash_state	state;
	u64			seq;
	unsigned int		last_id;
	struct list_head	rules[CRASH_NR_RULES];
	struct list_head	held;		/* in order of issue */
	struct list_head	released;
	unsigned int		nr_held;	/* on both lists, or completing */
	struct work_struct	work;
};

static struct workqueue_struct *crash_wq;

static struct crash_group *to_group(struct config_item *item)
{
	return container_of(item, struct crash_group, item);
}

/*
 * Contents. All of this is called with the group's lock held.
 */

static struct crash_page *crash_get_page(struct crash_disk *disk, unsigned long index)
{
	struct crash_page *cp = xa_load(&disk->pages, index);

	if (cp)
		return cp;
	cp = kzalloc_obj(*cp, GFP_NOIO);
	if (!cp)
		return NULL;
	cp->live = (u8 *)get_zeroed_page(GFP_NOIO);
	if (!cp->live)
		goto out_free;
	if (xa_err(xa_store(&disk->pages, index, cp, GFP_NOIO)))
		goto out_free_live;
	return cp;

out_free_live:
	free_page((unsigned long)cp->live);
out_free:
	kfree(cp);
	return NULL;
}

static void crash_free_pages(struct crash_disk *disk)
{
	struct crash_page *cp;
	unsigned long index;

	xa_for_each(&disk->pages, index, cp) {
		free_page((unsigned long)cp->live);
		free_page((unsigned long)cp->media);
		kfree(cp);
		cond_resched();
	}
	xa_destroy(&disk->pages);
}

/* Note that a sector differs from media since write @first, or not if 0. */
static void crash_set_first(struct crash_disk *disk, struct crash_page *cp, unsigned int sector,
			    u64 first)
{
	int delta = !!first - !!cp->first[sector];

	if (!cp->first[sector] || !first)
		cp->first[sector] = first;
	cp->nr_dirty += delta;
	disk->nr_dirty += delta;
}

/* Must follow each change of a page's dirty sectors. */
static void crash_mark_page(struct crash_disk *disk, unsigned long index, struct crash_page *cp)
{
	if (cp->nr_dirty) {
		xa_set_mark(&disk->pages, index, CRASH_DIRTY);
		return;
	}
	xa_clear_mark(&disk->pages, index, CRASH_DIRTY);
	free_page((unsigned long)cp->media);
	cp->media = NULL;
}

static void crash_load(struct crash_disk *disk, u64 pos, void *to, size_t len)
{
	while (len) {
		struct crash_page *cp = xa_load(&disk->pages, pos >> PAGE_SHIFT);
		size_t offset = offset_in_page(pos);
		size_t n = min_t(size_t, len, PAGE_SIZE - offset);

		if (cp)
			memcpy(to, cp->live + offset, n);
		else
			memset(to, 0, n);
		to += n;
		pos += n;
		len -= n;
	}
}

/* G1 and G2. Without @from, zeroes are stored. */
static blk_status_t crash_store(struct crash_disk *disk, u64 pos,
				const void *from, size_t len, bool durable)
{
	while (len) {
		unsigned long index = pos >> PAGE_SHIFT;
		size_t offset = offset_in_page(pos);
		size_t n = min_t(size_t, len, PAGE_SIZE - offset);
		struct crash_page *cp = crash_get_page(disk, index);
		unsigned int s;

		if (!cp)
			return BLK_STS_RESOURCE;
		if (!durable && !cp->media) {
			cp->media = (u8 *)__get_free_page(GFP_NOIO);
			if (!cp->media)
				return BLK_STS_RESOURCE;
			memcpy(cp->media, cp->live, PAGE_SIZE);
		}

		if (from) {
			memcpy(cp->live + offset, from, n);
			from += n;
		} else {
			memset(cp->live + offset, 0, n);
		}
		if (durable && cp->media)
			memcpy(cp->media + offset, cp->live + offset, n);

		for (s = offset >> SECTOR_SHIFT; s <= (offset + n - 1) >> SECTOR_SHIFT; s++)
			crash_set_first(disk, cp, s, durable ? 0 : disk->group->seq);
		crash_mark_page(disk, index, cp);
		pos += n;
		len -= n;
	}
	return BLK_STS_OK;
}

static blk_status_t crash_zero(struct crash_disk *disk, u64 pos, u64 len, bool durable)
{
	u64 end = pos + len;
	struct crash_page *cp;
	unsigned long index;
	blk_status_t status;

	if (!len)
		return BLK_STS_OK;

	/* What was never written reads as zeroes already. */
	xa_for_each_range(&disk->pages, index, cp, pos >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT) {
		u64 from = max(pos, (u64)index << PAGE_SHIFT);
		u64 to = min(end, ((u64)index + 1) << PAGE_SHIFT);

		status = crash_store(disk, from, NULL, to - from, durable);
		if (status)
			return status;
	}
	return BLK_STS_OK;
}

/*
 * Make clean all dirty sectors with a number up to @limit, by moving the live
 * contents to media (@keep), or by going back to what is on media.
 */
static void crash_clean(struct crash_disk *disk, u64 limit, bool keep)
{
	struct crash_page *cp;
	unsigned long index;

	xa_for_each_marked(&disk->pages, index, cp, CRASH_DIRTY) {
		unsigned int s;

		for (s = 0; s < PAGE_SECTORS; s++) {
			u8 *live = cp->live + (s << SECTOR_SHIFT);
			u8 *media = cp->media + (s << SECTOR_SHIFT);

			if (!cp->first[s] || cp->first[s] > limit)
				continue;
			if (keep)
				memcpy(media, live, SECTOR_SIZE);
			else
				memcpy(live, media, SECTOR_SIZE);
			crash_set_first(disk, cp, s, 0);
		}
		crash_mark_page(disk, index, cp);
	}
}

/*
 * Bios.
 */

static unsigned int crash_kinds(struct bio *bio)
{
	unsigned int kinds = 0;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return BIT(CRASH_READ);
	case REQ_OP_DISCARD:
		return BIT(CRASH_DISCARD);
	case REQ_OP_WRITE:
		if (bio_sectors(bio))
			kinds |= BIT(CRASH_WRITE);
		if (bio->bi_opf & REQ_PREFLUSH)
			kinds |= BIT(CRASH_FLUSH);
		if (bio->bi_opf & REQ_FUA)
			kinds |= BIT(CRASH_FUA);
		return kinds;
	default:
		return 0;
	}
}

static struct crash_rule *crash_match(struct list_head *rules, struct crash_io *io)
{
	u64 sector = io->bio->bi_iter.bi_sector;
	u64 end = sector + bio_sectors(io->bio);
	struct crash_rule *rule;

	list_for_each_entry(rule, rules, list) {
		if (rule->disk >= 0 && rule->disk != io->disk->nr)
			continue;
		if (!(rule->kinds & crash_kinds(io->bio)))
			continue;
		/* An empty flush touches no sector. */
		if (rule->ranged && (sector == end || end <= rule->first ||
				     sector > rule->last))
			continue;
		if (rule->count && rule->matched >= rule->count)
			continue;
		rule->matched++;
		return rule;
	}
	return NULL;
}

/* Execute a bio. Lock held; the caller completes it. */
static blk_status_t crash_apply(struct crash_io *io)
{
	struct crash_disk *disk = io->disk;
	struct crash_group *g = disk->group;
	struct bio *bio = io->bio;
	u64 pos = (u64)bio->bi_iter.bi_sector << SECTOR_SHIFT;
	bool durable = g->state == CRASH_ON &&			/* G6 */
		       (!disk->cache || (bio->bi_opf & REQ_FUA));
	blk_status_t status = BLK_STS_OK;
	struct bvec_iter iter;
	struct bio_vec bv;
	void *data;

	if ((bio->bi_opf & REQ_PREFLUSH) && g->state == CRASH_ON)
		crash_clean(disk, io->issued, true);		/* G3, G4 */

	switch (bio_op(bio)) {
	case REQ_OP_READ:
		bio_for_each_segment(bv, bio, iter) {
			data = bvec_kmap_local(&bv);
			crash_load(disk, pos, data, bv.bv_len);
			flush_dcache_page(bv.bv_page);
			kunmap_local(data);
			pos += bv.bv_len;
		}
		return BLK_STS_OK;
	case REQ_OP_WRITE:
		g->seq++;
		bio_for_each_segment(bv, bio, iter) {
			data = bvec_kmap_local(&bv);
			status = crash_store(disk, pos, data, bv.bv_len, durable);
			kunmap_local(data);
			if (status)
				return status;
			pos += bv.bv_len;
		}
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
		g->seq++;
		return crash_zero(disk, pos, bio->bi_iter.bi_size, durable);
	default:
		return BLK_STS_NOTSUPP;
	}
}

/*
 * The one place where bios are issued; returns false if a rule holds @io, which
 * has been copied then. A recorder would note the issue under the lock.
 */
static bool crash_issue(struct crash_io *io)
{
	struct crash_group *g = io->disk->group;
	struct crash_rule *rule;
	struct crash_io *held;

	guard(mutex)(&g->lock);
	io->issued = g->seq;
	if (crash_match(&g->rules[CRASH_FAIL], io)) {
		io->status = BLK_STS_IOERR;
		return true;
	}
	rule = crash_match(&g->rules[CRASH_HOLD], io);
	if (!rule)
		return true;
	held = kmalloc_obj(*held, GFP_NOIO);
	if (!held) {
		io->status = BLK_STS_RESOURCE;
		return true;
	}
	*held = *io;
	held->rule = rule;
	rule->held++;
	list_add_tail(&held->list, &g->held);
	g->nr_held++;
	return false;
}

/*
 * The one place where bios complete. A recorder would note the completion
 * before the lock is dropped: all that is issued because of it comes later.
 */
static void crash_complete(struct crash_io *io)
{
	struct crash_disk *disk = io->disk;
	struct bio *bio = io->bio;
	unsigned long kinds = crash_kinds(bio);
	unsigned int kind;

	mutex_lock(&disk->group->lock);
	if (!io->status)
		io->status = crash_apply(io);
	if (!io->status)
		for_each_set_bit(kind, &kinds, CRASH_NR_KINDS)
			disk->done[kind]++;
	mutex_unlock(&disk->group->lock);

	bio->bi_status = io->status;
	bio_endio(bio);
}

static void crash_submit_bio(struct bio *bio)
{
	struct crash_io io = {
		.disk	= bio->bi_bdev->bd_disk->private_data,
		.bio	= bio,
	};

	if (crash_issue(&io))
		crash_complete(&io);
}

static void crash_work(struct work_struct *work)
{
	struct crash_group *g = container_of(work, struct crash_group, work);
	struct crash_io *io;

	mutex_lock(&g->lock);
	while ((io = list_first_entry_or_null(&g->released, struct crash_io, list))) {
		list_del(&io->list);
		mutex_unlock(&g->lock);
		crash_complete(io);
		kfree(io);
		cond_resched();
		mutex_lock(&g->lock);
		g->nr_held--;
	}
	mutex_unlock(&g->lock);
}

/*
 * Release the first @nr bios that are held by @rule, or by any if that is NULL.
 * Lock held. crash_work() completes them; to wait for that, flush the work.
 */
static void crash_release(struct crash_group *g, struct crash_rule *rule, unsigned int nr)
{
	struct crash_io *io, *next;

	list_for_each_entry_safe(io, next, &g->held, list) {
		if (!nr)
			break;
		if (rule && io->rule != rule)
			continue;
		io->rule->held--;
		io->rule = NULL;
		list_move_tail(&io->list, &g->released);
		nr--;
	}
	queue_work(crash_wq, &g->work);
}

static void crash_free_rules(struct list_head *rules)
{
	struct crash_rule *rule, *next;

	list_for_each_entry_safe(rule, next, rules, list) {
		list_del(&rule->list);
		kfree(rule);
	}
}

static int crash_open(struct gendisk *gd, blk_mode_t mode)
{
	struct crash_disk *disk = gd->private_data;

	return READ_ONCE(disk->group->blocked) ? -EBUSY : 0;
}

static const struct block_device_operations crash_fops = {
	.owner		= THIS_MODULE,
	.open		= crash_open,
	.submit_bio	= crash_submit_bio,
};

/*
 * Power. All of this is called with ctl held.
 */

static bool crash_has(const struct crash_per_disk *p, unsigned int nr)
{
	return p->bits & BIT(p->nr == 1 ? 0 : nr);
}

static int crash_add_disk(struct crash_group *g, unsigned int nr)
{
	struct crash_disk *disk = &g->disks[nr];
	struct queue_limits lim = {
		.max_hw_sectors	= UINT_MAX,
	};
	int err;

	disk->group = g;
	disk->nr = nr;
	disk->cache = crash_has(&g->cache, nr);
	xa_init(&disk->pages);
	if (disk->cache)
		lim.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	if (crash_has(&g->discard, nr)) {
		lim.max_hw_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
		lim.discard_granularity = SECTOR_SIZE;
	}

	disk->gd = blk_alloc_disk(&lim, NUMA_NO_NODE);
	if (IS_ERR(disk->gd))
		return PTR_ERR(disk->gd);
	disk->gd->fops = &crash_fops;
	disk->gd->private_data = disk;
	disk->gd->flags |= GENHD_FL_NO_PART;
	snprintf(disk->gd->disk_name, DISK_NAME_LEN, "%s%u", config_item_name(&g->item), nr);
	set_capacity(disk->gd, (sector_t)g->size_mb << (20 - SECTOR_SHIFT));
	err = add_disk(disk->gd);
	if (err)
		put_disk(disk->gd);
	return err;
}

static void crash_remove_disks(struct crash_group *g, unsigned int nr)
{
	while (nr--) {
		del_gendisk(g->disks[nr].gd);
		put_disk(g->disks[nr].gd);
		crash_free_pages(&g->disks[nr]);
	}
	kfree(g->disks);
	g->disks = NULL;
}

static void crash_set_state(struct crash_group *g, enum crash_state state)
{
	guard(mutex)(&g->lock);
	g->state = state;
}

/*
 * Make sure that nothing uses the disks, and let nothing open them until
 * g->blocked is reset. crash_open() runs under open_mutex: an open either comes
 * before the look at disk_openers() and is counted, or sees g->blocked.
 */
static int crash_block(struct crash_group *g, const char *what)
{
	unsigned int nr, held;

	WRITE_ONCE(g->blocked, true);
	for (nr = 0; nr < g->nr_disks; nr++) {
		struct gendisk *gd = g->disks[nr].gd;
		unsigned int openers;

		scoped_guard(mutex, &gd->open_mutex)
			openers = disk_openers(gd);
		if (openers) {
			crash_err(g, "power: can't switch %s while %s is open (stop or unmount what uses it)",
				  what, gd->disk_name);
			goto busy;
		}
	}
	scoped_guard(mutex, &g->lock)
		held = g->nr_held;
	if (held) {
		crash_err(g, "power: can't switch %s while %u bios are held (write 'all' to release)",
			  what, held);
		goto busy;
	}
	return 0;
busy:
	WRITE_ONCE(g->blocked, false);
	return -EBUSY;
}

static int crash_power_up(struct crash_group *g)
{
	unsigned int nr;
	int err;

	if ((g->cache.nr != 1 && g->cache.nr != g->nr_disks) ||
	    (g->discard.nr != 1 && g->discard.nr != g->nr_disks)) {
		crash_err(g, "power: cache lists %u and discard %u values for %u disks (give one for all or one each)",
			  g->cache.nr, g->discard.nr, g->nr_disks);
		return -EINVAL;
	}
	g->disks = kzalloc_objs(*g->disks, g->nr_disks);
	if (!g->disks)
		return -ENOMEM;
	/* A group that is on can't be removed: rmdir gets -EBUSY. */
	err = configfs_depend_item_unlocked(to_config_group(g->item.ci_parent)->cg_subsys,
					    &g->item);
	if (err)
		goto out_free;

	crash_set_state(g, CRASH_ON);
	for (nr = 0; nr < g->nr_disks; nr++) {
		err = crash_add_disk(g, nr);
		if (err) {
			crash_err(g, "power: can't add disk %s%u, error %d (-17: choose another group name)",
				  config_item_name(&g->item), nr, err);
			goto out_remove;
		}
	}
	return 0;

out_remove:
	crash_remove_disks(g, nr);
	crash_set_state(g, CRASH_OFF);
	configfs_undepend_item(&g->item);
	return err;
out_free:
	kfree(g->disks);
	g->disks = NULL;
	return err;
}

static void crash_power_off(struct crash_group *g)
{
	crash_remove_disks(g, g->nr_disks);
	crash_free_rules(&g->rules[CRASH_HOLD]);
	crash_free_rules(&g->rules[CRASH_FAIL]);
	crash_set_state(g, CRASH_OFF);
	WRITE_ONCE(g->blocked, false);
}

static int crash_power_back(struct crash_group *g)
{
	unsigned int nr;
	int err = crash_block(g, "on");

	if (err)
		return err;
	scoped_guard(mutex, &g->lock) {
		for (nr = 0; nr < g->nr_disks; nr++)
			crash_clean(&g->disks[nr], U64_MAX, false);
		g->state = CRASH_ON;
	}
	for (nr = 0; nr < g->nr_disks; nr++)
		invalidate_bdev(g->disks[nr].gd->part0);
	WRITE_ONCE(g->blocked, false);
	return 0;
}

/* G5 */
static void crash_power_cut(struct crash_group *g, bool keep)
{
	unsigned int nr;

	guard(mutex)(&g->lock);
	for (nr = 0; keep && nr < g->nr_disks; nr++)
		crash_clean(&g->disks[nr], U64_MAX, true);
	g->state = CRASH_CUT;
}

static ssize_t crash_power_show(struct config_item *item, char *page)
{
	struct crash_group *g = to_group(item);

	guard(mutex)(&g->lock);
	return sysfs_emit(page, "%s\n", crash_state_name[g->state]);
}

static ssize_t crash_power_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);
	bool keep = sysfs_streq(page, "cut keep");
	int err = 0;

	guard(mutex)(&g->ctl);
	if (sysfs_streq(page, "on")) {
		if (g->state == CRASH_ON) {
			crash_err(g, "power: is on already (cut it first, to go back to what is on media)");
			return -EINVAL;
		}
		err = g->state == CRASH_CUT ? crash_power_back(g) :
					      crash_power_up(g);
	} else if (keep || sysfs_streq(page, "cut")) {
		if (g->state != CRASH_ON) {
			crash_err(g, "power: is %s, so it can't be cut (write 'on' first)",
				  crash_state_name[g->state]);
			return -EINVAL;
		}
		crash_power_cut(g, keep);
	} else if (sysfs_streq(page, "off")) {
		if (g->state == CRASH_OFF)
			return count;
		err = crash_block(g, "off");
		if (!err) {
			crash_power_off(g);
			configfs_undepend_item(&g->item);
		}
	} else {
		crash_err(g, "power: unknown state '%.*s' (use on, cut, cut keep, off)",
			  (int)strcspn(page, "\n"), page);
		return -EINVAL;
	}
	return err ?: count;
}
CONFIGFS_ATTR(crash_, power);

/*
 * Configuration.
 */

static int crash_check_off(struct crash_group *g, const char *what)
{
	if (g->state == CRASH_OFF)
		return 0;
	crash_err(g, "%s: can't change while the power is %s (write 'off' to power)", what,
		  crash_state_name[g->state]);
	return -EBUSY;
}

static int crash_set_uint(struct crash_group *g, const char *what, const char *page,
			  unsigned int max, unsigned int *val)
{
	unsigned int new;
	int err;

	if (kstrtouint(page, 0, &new) || !new || new > max) {
		crash_err(g, "%s: bad number '%.*s' (use 1 to %u)", what,
			  (int)strcspn(page, "\n"), page, max);
		return -EINVAL;
	}
	guard(mutex)(&g->ctl);
	err = crash_check_off(g, what);
	if (!err)
		*val = new;
	return err;
}

static ssize_t crash_disks_show(struct config_item *item, char *page)
{
	struct crash_group *g = to_group(item);

	guard(mutex)(&g->ctl);
	return sysfs_emit(page, "%u\n", g->nr_disks);
}

static ssize_t crash_disks_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);

	return crash_set_uint(g, "disks", page, CRASH_MAX_DISKS, &g->nr_disks) ?: count;
}
CONFIGFS_ATTR(crash_, disks);

static ssize_t crash_size_mb_show(struct config_item *item, char *page)
{
	struct crash_group *g = to_group(item);

	guard(mutex)(&g->ctl);
	return sysfs_emit(page, "%u\n", g->size_mb);
}

static ssize_t crash_size_mb_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);

	return crash_set_uint(g, "size_mb", page, CRASH_MAX_SIZE_MB, &g->size_mb) ?: count;
}
CONFIGFS_ATTR(crash_, size_mb);

static int crash_set_per_disk(struct crash_group *g, const char *what, const char *page,
			      struct crash_per_disk *val)
{
	struct crash_per_disk new = {};
	const char *c = page;
	int err;

	for (; *c; c++) {
		if (isspace(*c))
			continue;
		if ((*c != '0' && *c != '1') || (c[1] && !isspace(c[1])) ||
		    new.nr == CRASH_MAX_DISKS)
			break;
		new.bits |= (u32)(*c - '0') << new.nr++;
	}
	if (*c || !new.nr) {
		crash_err(g, "%s: bad list (use 0 or 1 for all disks, or one each, as in '1 1 0')",
			  what);
		return -EINVAL;
	}
	guard(mutex)(&g->ctl);
	err = crash_check_off(g, what);
	if (!err)
		*val = new;
	return err;
}

static ssize_t crash_show_per_disk(struct crash_group *g, struct crash_per_disk *val, char *page)
{
	unsigned int nr;
	int len = 0;

	guard(mutex)(&g->ctl);
	for (nr = 0; nr < val->nr; nr++)
		len += sysfs_emit_at(page, len, "%s%d", nr ? " " : "", !!(val->bits & BIT(nr)));
	return len + sysfs_emit_at(page, len, "\n");
}

static ssize_t crash_cache_show(struct config_item *item, char *page)
{
	return crash_show_per_disk(to_group(item), &to_group(item)->cache, page);
}

static ssize_t crash_cache_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);

	return crash_set_per_disk(g, "cache", page, &g->cache) ?: count;
}
CONFIGFS_ATTR(crash_, cache);

static ssize_t crash_discard_show(struct config_item *item, char *page)
{
	return crash_show_per_disk(to_group(item), &to_group(item)->discard, page);
}

static ssize_t crash_discard_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);

	return crash_set_per_disk(g, "discard", page, &g->discard) ?: count;
}
CONFIGFS_ATTR(crash_, discard);

static ssize_t crash_stats_show(struct config_item *item, char *page)
{
	struct crash_group *g = to_group(item);
	struct crash_disk *disk;
	int len = 0;

	guard(mutex)(&g->ctl);
	guard(mutex)(&g->lock);
	for (disk = g->disks; disk && disk < g->disks + g->nr_disks; disk++)
		len += sysfs_emit_at(page, len,
				     "%u reads=%llu writes=%llu flushes=%llu fuas=%llu discards=%llu volatile=%llu\n",
				     disk->nr, disk->done[CRASH_READ], disk->done[CRASH_WRITE],
				     disk->done[CRASH_FLUSH], disk->done[CRASH_FUA],
				     disk->done[CRASH_DISCARD], disk->nr_dirty);
	return len;
}

static ssize_t crash_stats_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);
	struct crash_disk *disk;

	if (!sysfs_streq(page, "0")) {
		crash_err(g, "stats: can only be reset (write 0)");
		return -EINVAL;
	}
	guard(mutex)(&g->ctl);
	guard(mutex)(&g->lock);
	for (disk = g->disks; disk && disk < g->disks + g->nr_disks; disk++)
		memset(disk->done, 0, sizeof(disk->done));
	return count;
}
CONFIGFS_ATTR(crash_, stats);

/*
 * Rules.
 */

/* One rule as in crash_usage[]. ctl held. */
static int crash_parse_rule(struct crash_group *g, unsigned int type, char *line,
			    struct crash_rule *rule)
{
	u64 sectors = (u64)g->size_mb << (20 - SECTOR_SHIFT);
	const char *what = crash_rule_name[type];
	char *word, *name;
	unsigned int nr = 0, disk;
	int kind;

	if (strscpy(rule->text, line) < 0) {
		crash_err(g, "%s: line too long (use %s)", what, crash_usage[type]);
		return -EINVAL;
	}
	while ((word = strsep(&line, " \t"))) {
		if (!*word)
			continue;
		if (type == CRASH_FAIL && nr >= 2 && str_has_prefix(word, "count=")) {
			if (kstrtou64(word + strlen("count="), 0, &rule->count) || !rule->count) {
				crash_err(g, "%s: bad '%s' (use count=1 or more)", what, word);
				return -EINVAL;
			}
			continue;
		}
		switch (nr++) {
		case 0:
			rule->disk = -1;
			if (!strcmp(word, "all"))
				break;
			if (kstrtouint(word, 0, &disk) || disk >= g->nr_disks) {
				crash_err(g, "%s: no disk '%s' (use 0 to %u, or all)", what, word,
					  g->nr_disks - 1);
				return -EINVAL;
			}
			rule->disk = disk;
			break;
		case 1:
			while ((name = strsep(&word, ","))) {
				kind = match_string(crash_kind_name, CRASH_NR_KINDS, name);
				if (kind < 0) {
					crash_err(g, "%s: unknown kind '%s' (use read, write, flush, fua, discard)",
						  what, name);
					return -EINVAL;
				}
				rule->kinds |= BIT(kind);
			}
			break;
		case 2:
		case 3:
			if (kstrtou64(word, 0, &rule->last) || rule->last >= sectors ||
			    rule->last < rule->first) {
				crash_err(g, "%s: bad sector '%s' (use FIRST [LAST], both below %llu)",
					  what, word, sectors);
				return -EINVAL;
			}
			if (!rule->ranged)
				rule->first = rule->last;
			rule->ranged = true;
			break;
		default:
			crash_err(g, "%s: don't know what '%s' is (use %s)", what, word,
				  crash_usage[type]);
			return -EINVAL;
		}
	}
	if (nr < 2) {
		crash_err(g, "%s: incomplete rule (use %s)", what, crash_usage[type]);
		return -EINVAL;
	}
	return 0;
}

/* All lines in @page become rules, or none. */
static int crash_add_rules(struct crash_group *g, unsigned int type, const char *page)
{
	char *buf __free(kfree) = kstrdup(page, GFP_KERNEL);
	char *rest = buf ? strim(buf) : NULL, *line;
	const char *what = crash_rule_name[type];
	struct crash_rule *rule;
	LIST_HEAD(new);
	int err = 0;
	size_t nr;

	if (!buf)
		return -ENOMEM;
	guard(mutex)(&g->ctl);
	if (g->state == CRASH_OFF) {
		crash_err(g, "%s: the power is off (write 'on' to power first)", what);
		return -ENODEV;
	}
	while (!err && (line = strsep(&rest, "\n"))) {
		rule = kzalloc_obj(*rule);
		if (!rule) {
			err = -ENOMEM;
			break;
		}
		list_add_tail(&rule->list, &new);
		err = crash_parse_rule(g, type, strim(line), rule);
	}

	guard(mutex)(&g->lock);
	nr = list_count_nodes(&g->rules[type]) + list_count_nodes(&new);
	if (!err && nr > CRASH_MAX_RULES) {
		crash_err(g, "%s: more than %d rules (%s some first)", what, CRASH_MAX_RULES,
			  type == CRASH_FAIL ? "unfail" : "release");
		err = -ENOSPC;
	}
	if (err) {
		crash_free_rules(&new);
		return err;
	}
	list_for_each_entry(rule, &new, list)
		rule->id = ++g->last_id;
	list_splice_tail(&new, &g->rules[type]);
	return 0;
}

static ssize_t crash_show_rules(struct crash_group *g, unsigned int type, char *page)
{
	struct crash_rule *rule;
	int len = 0;

	guard(mutex)(&g->lock);
	list_for_each_entry(rule, &g->rules[type], list) {
		len += sysfs_emit_at(page, len, "%u: %s matched=%llu", rule->id, rule->text,
				     rule->matched);
		if (type == CRASH_HOLD)
			len += sysfs_emit_at(page, len, " held=%llu", rule->held);
		len += sysfs_emit_at(page, len, "\n");
	}
	return len;
}

#define CRASH_RULES_ATTR(name, type)							\
static ssize_t crash_##name##_show(struct config_item *item, char *page)		\
{											\
	return crash_show_rules(to_group(item), type, page);				\
}											\
static ssize_t crash_##name##_store(struct config_item *item, const char *page, size_t count) \
{											\
	return crash_add_rules(to_group(item), type, page) ?: count;			\
}											\
CONFIGFS_ATTR(crash_, name)

CRASH_RULES_ATTR(hold, CRASH_HOLD);
CRASH_RULES_ATTR(fail, CRASH_FAIL);

/* Find the rule with the id @word; NULL stands for all. Lock held. */
static int crash_find_rule(struct crash_group *g, unsigned int type, const char *what,
			   const char *word, struct crash_rule **found)
{
	struct crash_rule *rule;
	unsigned int id;

	*found = NULL;
	if (sysfs_streq(word, "all"))
		return 0;
	if (!kstrtouint(word, 0, &id)) {
		list_for_each_entry(rule, &g->rules[type], list) {
			if (rule->id == id) {
				*found = rule;
				return 0;
			}
		}
	}
	crash_err(g, "%s: no rule '%.*s' (use all, or an id that reading %s shows)", what,
		  (int)strcspn(word, "\n"), word, crash_rule_name[type]);
	return -ENOENT;
}

static void crash_drop_rules(struct crash_group *g, unsigned int type, struct crash_rule *rule)
{
	if (!rule) {
		crash_free_rules(&g->rules[type]);
		return;
	}
	list_del(&rule->list);
	kfree(rule);
}

static ssize_t crash_release_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);
	struct crash_rule *rule;
	int err;

	scoped_guard(mutex, &g->lock) {
		err = crash_find_rule(g, CRASH_HOLD, "release", page, &rule);
		if (err)
			return err;
		crash_release(g, rule, UINT_MAX);
		crash_drop_rules(g, CRASH_HOLD, rule);
	}
	flush_work(&g->work);
	return count;
}
CONFIGFS_ATTR_WO(crash_, release);

static ssize_t crash_step_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);
	char word[16] = "all";
	struct crash_rule *rule;
	unsigned int nr;
	int err;

	if (sscanf(page, "%u %15s", &nr, word) < 1 || !nr) {
		crash_err(g, "step: bad '%.*s' (use N [RULE], N at least 1)",
			  (int)strcspn(page, "\n"), page);
		return -EINVAL;
	}
	scoped_guard(mutex, &g->lock) {
		err = crash_find_rule(g, CRASH_HOLD, "step", word, &rule);
		if (err)
			return err;
		if (nr > (rule ? rule->held : list_count_nodes(&g->held))) {
			crash_err(g, "step: fewer than %u bios are held (read hold, wait until they are)",
				  nr);
			return -EAGAIN;
		}
		crash_release(g, rule, nr);
	}
	flush_work(&g->work);
	return count;
}
CONFIGFS_ATTR_WO(crash_, step);

static ssize_t crash_held_show(struct config_item *item, char *page)
{
	struct crash_group *g = to_group(item);

	guard(mutex)(&g->lock);
	return sysfs_emit(page, "%u\n", g->nr_held);
}
CONFIGFS_ATTR_RO(crash_, held);

static ssize_t crash_unfail_store(struct config_item *item, const char *page, size_t count)
{
	struct crash_group *g = to_group(item);
	struct crash_rule *rule;
	int err;

	guard(mutex)(&g->lock);
	err = crash_find_rule(g, CRASH_FAIL, "unfail", page, &rule);
	if (!err)
		crash_drop_rules(g, CRASH_FAIL, rule);
	return err ?: count;
}
CONFIGFS_ATTR_WO(crash_, unfail);

static struct configfs_attribute *crash_attrs[] = {
	&crash_attr_disks,
	&crash_attr_size_mb,
	&crash_attr_cache,
	&crash_attr_discard,
	&crash_attr_power,
	&crash_attr_stats,
	&crash_attr_hold,
	&crash_attr_release,
	&crash_attr_step,
	&crash_attr_held,
	&crash_attr_fail,
	&crash_attr_unfail,
	NULL
};

static void crash_item_release(struct config_item *item)
{
	kfree(to_group(item));
}

static const struct configfs_item_operations crash_item_ops = {
	.release	= crash_item_release,
};

static const struct config_item_type crash_item_type = {
	.ct_item_ops	= &crash_item_ops,
	.ct_attrs	= crash_attrs,
	.ct_owner	= THIS_MODULE,
};

static struct config_item *crash_make_item(struct config_group *parent, const char *name)
{
	size_t len = strlen(name);
	struct crash_group *g;

	/* Or disk 10 of group "a" would have the name of disk 0 of "a1". */
	if (len > DISK_NAME_LEN - 3 || !isalpha(name[0]) ||
	    isdigit(name[len - 1]) || strpbrk(name, "!. \t\n")) {
		pr_err("'%s' is no name for disks (use up to %d characters, a letter first, no digit last)\n",
		       name, DISK_NAME_LEN - 3);
		return ERR_PTR(-EINVAL);
	}
	g = kzalloc_obj(*g);
	if (!g)
		return ERR_PTR(-ENOMEM);
	mutex_init(&g->ctl);
	mutex_init(&g->lock);
	INIT_LIST_HEAD(&g->rules[CRASH_HOLD]);
	INIT_LIST_HEAD(&g->rules[CRASH_FAIL]);
	INIT_LIST_HEAD(&g->held);
	INIT_LIST_HEAD(&g->released);
	INIT_WORK(&g->work, crash_work);
	g->nr_disks = 1;
	g->size_mb = 64;
	g->cache = (struct crash_per_disk){ .nr = 1, .bits = 1 };
	g->discard = (struct crash_per_disk){ .nr = 1 };
	config_item_init_type_name(&g->item, name, &crash_item_type);
	return &g->item;
}

/*
 * A group that is on comes here only if rmdir and 'on' raced: all that is held
 * is released, and who has the disks open gets errors from then on.
 */
static void crash_drop_item(struct config_group *parent, struct config_item *item)
{
	struct crash_group *g = to_group(item);

	mutex_lock(&g->ctl);
	if (g->state != CRASH_OFF) {
		scoped_guard(mutex, &g->lock) {
			crash_release(g, NULL, UINT_MAX);
			crash_free_rules(&g->rules[CRASH_HOLD]);
		}
		flush_work(&g->work);
		crash_power_off(g);
	}
	mutex_unlock(&g->ctl);
	config_item_put(item);
}

static const struct configfs_group_operations crash_root_ops = {
	.make_item	= crash_make_item,
	.drop_item	= crash_drop_item,
};

static const struct config_item_type crash_root_type = {
	.ct_group_ops	= &crash_root_ops,
	.ct_owner	= THIS_MODULE,
};

static struct configfs_subsystem crash_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf	= "crashblk",
			.ci_type	= &crash_root_type,
		},
	},
	.su_mutex = __MUTEX_INITIALIZER(crash_subsys.su_mutex),
};

static int __init crash_init(void)
{
	int err;

	crash_wq = alloc_workqueue("crashblk", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!crash_wq)
		return -ENOMEM;
	config_group_init(&crash_subsys.su_group);
	err = configfs_register_subsystem(&crash_subsys);
	if (err)
		destroy_workqueue(crash_wq);
	return err;
}

static void __exit crash_exit(void)
{
	configfs_unregister_subsystem(&crash_subsys);
	destroy_workqueue(crash_wq);
}

module_init(crash_init);
module_exit(crash_exit);

MODULE_DESCRIPTION("RAM disks whose power can be cut");
MODULE_LICENSE("GPL");
