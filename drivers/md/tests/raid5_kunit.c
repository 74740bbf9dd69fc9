// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the stripes of raid456, included by raid5.c.  Each case fails
 * when its fix is taken out.
 */
#include <kunit/test.h>

struct stripe_fixture {
	struct mddev mddev;
	struct r5conf conf;
	struct disk_info disk;
	struct md_rdev rdev;
	struct md_rdev replacement;
	struct stripe_head *sh;
	struct md_personality pers;
	struct delayed_work stripe;	/* what the last active stripe does */
	struct stripe_head *found;	/* by who has waited for one */
	unsigned int turns;
	bool asked;
	bool gave_up;
	bool blocked_first;
};

/* Does this stripe wait for @rdev, and hold it meanwhile? */
static bool waits_for(struct stripe_fixture *f, struct md_rdev *rdev)
{
	struct stripe_head_state s;

	analyse_stripe(f->sh, &s);
	if (!s.blocked_rdev)
		return false;
	atomic_dec(&s.blocked_rdev->nr_pending);
	return s.blocked_rdev == rdev && atomic_read(&rdev->nr_pending) == 0;
}

/*
 * A member failed, and the superblocks do not say so: after a crash it would
 * come back with an old block in the place of what goes on without it now.
 */
static void unrecorded_failure_blocks_a_stripe(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	KUNIT_EXPECT_FALSE(test, waits_for(f, &f->rdev));
	f->rdev.flags = BIT(Faulty) | BIT(Blocked);
	KUNIT_EXPECT_TRUE(test, waits_for(f, &f->rdev));
	/* on record */
	f->rdev.flags = BIT(Faulty);
	KUNIT_EXPECT_FALSE(test, waits_for(f, &f->rdev));
}

/* Userspace needs reconfig_mutex to say that it is, whose holder may wait. */
static void external_metadata_blocks_no_stripe(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	f->mddev.external = 1;
	f->rdev.flags = BIT(Faulty) | BIT(Blocked);
	KUNIT_EXPECT_FALSE(test, waits_for(f, &f->rdev));
}

/* A replacement that failed comes back half full, and goes on from there. */
static void unrecorded_replacement_blocks_a_stripe(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	f->disk.replacement = &f->replacement;
	f->replacement.flags = BIT(Faulty) | BIT(Blocked);
	KUNIT_EXPECT_TRUE(test, waits_for(f, &f->replacement));
	f->replacement.flags = BIT(Faulty);
	KUNIT_EXPECT_FALSE(test, waits_for(f, &f->replacement));
}

/*
 * C11: a write that failed would have covered its block, and was in the page
 * already.  The next one covers part of it, and must read the rest.
 */
static void failed_write_covers_nothing(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head_state s = { .failed = 2, .to_write = 1, .written = 1 };
	struct r5dev *dev = f->sh->dev;
	struct bio bio[2];
	int i;

	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	f->mddev.private = &f->conf;
	f->conf.max_degraded = 1;
	spin_lock_init(&f->sh->stripe_lock);
	f->sh->qd_idx = -1;
	for (i = 0; i < 2; i++) {
		bio_init(bio + i, NULL, NULL, 0, REQ_OP_WRITE);
		percpu_ref_get(&f->mddev.writes_pending);
	}
	dev->towrite = bio;
	dev->written = bio + 1;
	dev->flags = BIT(R5_OVERWRITE) | BIT(R5_UPTODATE) | BIT(R5_LOCKED);
	handle_failed_stripe(&f->conf, f->sh, &s, f->sh->disks);
	KUNIT_EXPECT_EQ(test, dev->flags, 0UL);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, bio[i].bi_status == BLK_STS_IOERR);
	mddev_destroy(&f->mddev);
}

static void note_blocked(struct mddev *mddev, enum md_test_point point)
{
	struct stripe_fixture *f = container_of(mddev, struct stripe_fixture,
						mddev);

	if (point != MD_POINT_FAULTY)
		return;
	f->asked = true;
	f->blocked_first = test_bit(Faulty, &f->rdev.flags) &&
			   test_bit(Blocked, &f->rdev.flags);
}

/* C5: who finds the member Faulty finds that this is not on record. */
static void failure_is_blocked_first(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	f->mddev.private = &f->conf;
	f->conf.raid_disks = 1;
	spin_lock_init(&f->conf.device_lock);
	md_test_at_point = note_blocked;
	raid5_error(&f->mddev, &f->rdev);
	md_test_at_point = NULL;
	KUNIT_EXPECT_TRUE(test, f->asked);
	KUNIT_EXPECT_TRUE(test, f->blocked_first);
	mddev_destroy(&f->mddev);
}

/*
 * The last active stripe: its I/O fails, so it asks for a superblock update,
 * and is done when that is.
 */
static void stripe_work(struct work_struct *work)
{
	struct stripe_fixture *f = container_of(to_delayed_work(work),
						struct stripe_fixture, stripe);
	unsigned long *flags = &f->mddev.sb_flags;

	if (!f->asked)
		set_bit(MD_SB_CHANGE_PENDING, flags);
	f->asked = true;
	if (test_bit(MD_SB_CHANGE_PENDING, flags) && ++f->turns < HZ) {
		/* as raid5d does when it meets PENDING */
		wake_up(&f->conf.wait_for_quiescent);
		schedule_delayed_work(&f->stripe, 1);
		return;
	}
	f->gave_up = test_bit(MD_SB_CHANGE_PENDING, flags);
	atomic_set(&f->conf.active_stripes, 0);
	wake_up(&f->conf.wait_for_quiescent);
}

/* Nobody else can: it holds reconfig_mutex. */
static void quiescer_writes_the_superblocks(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	int i;

	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	f->mddev.private = &f->conf;
	f->mddev.pers = &f->pers;
	f->pers.quiesce = raid5_quiesce;
	spin_lock_init(&f->conf.device_lock);
	for (i = 0; i < NR_STRIPE_HASH_LOCKS; i++)
		spin_lock_init(f->conf.hash_locks + i);
	init_waitqueue_head(&f->conf.wait_for_quiescent);
	init_waitqueue_head(&f->conf.wait_for_reshape);
	atomic_set(&f->conf.active_stripes, 1);
	INIT_DELAYED_WORK(&f->stripe, stripe_work);

	schedule_delayed_work(&f->stripe, 1);
	mutex_lock(&f->mddev.reconfig_mutex);
	md_quiesce_locked(&f->mddev);
	raid5_quiesce(&f->mddev, 0);
	mutex_unlock(&f->mddev.reconfig_mutex);
	flush_delayed_work(&f->stripe);
	KUNIT_EXPECT_TRUE(test, f->asked);
	KUNIT_EXPECT_FALSE(test, f->gave_up);
	mddev_destroy(&f->mddev);
}

/* T5: writes that lie a chunk apart do not all come to one lock. */
static void stripes_apart_use_all_locks(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	static const unsigned int apart[] = { 1, 8, 16, 128, 4096 };
	unsigned int hits[NR_STRIPE_HASH_LOCKS];
	sector_t sector;
	int i, j, lock;

#if PAGE_SIZE != DEFAULT_STRIPE_SIZE
	f->conf.stripe_shift = ilog2(DEFAULT_STRIPE_SIZE) - 9;
#endif
	f->conf.stripe_hashtbl = (struct hlist_head *)f;
	for (i = 0; i < ARRAY_SIZE(apart); i++) {
		memset(hits, 0, sizeof(hits));
		for (j = 0; j < 8 * NR_STRIPE_HASH_LOCKS; j++) {
			sector = (sector_t)j * apart[i] <<
				 RAID5_STRIPE_SHIFT(&f->conf);
			lock = stripe_hash_locks_hash(&f->conf, sector);
			hits[lock]++;
			/* a chain has one lock */
			KUNIT_EXPECT_EQ(test, lock,
					(stripe_hash(&f->conf, sector) -
					 f->conf.stripe_hashtbl) &
					STRIPE_HASH_LOCKS_MASK);
		}
		for (j = 0; j < NR_STRIPE_HASH_LOCKS; j++)
			KUNIT_EXPECT_EQ(test, hits[j], 8);
	}
}

/* A stripe of two blocks whose parity is to be made; a discard has no page. */
static void make_parity(struct kunit *test, struct stripe_head_state *s)
{
	struct stripe_fixture *f = test->priv;
	struct r5dev *dev = f->sh->dev;
	struct raid5_percpu *percpu;
	int cpu;

	f->conf.level = 5;
	f->conf.percpu = alloc_percpu(struct raid5_percpu);
	KUNIT_ASSERT_TRUE(test, !!f->conf.percpu);
	for_each_possible_cpu(cpu) {
		percpu = per_cpu_ptr(f->conf.percpu, cpu);
		local_lock_init(&percpu->lock);
	}
	f->sh->disks = 2;
	f->sh->pd_idx = 1;
	f->sh->qd_idx = -1;
	atomic_set(&f->sh->count, 1);
	dev[0].flags = BIT(R5_LOCKED) | BIT(R5_Discard);
	dev[1].flags = BIT(R5_LOCKED);
	dev[0].written = (struct bio *)f;
	f->sh->reconstruct_state = reconstruct_state_drain_run;
	stripe_count_preread(&f->conf, f->sh);
	__set_bit(STRIPE_OP_RECONSTRUCT, &s->ops_request);
	run_ops(f->sh, s);
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_OPS_IN_PLACE, &f->sh->state));
	KUNIT_EXPECT_EQ(test, atomic_read(&f->sh->count), 1);
	free_percpu(f->conf.percpu);
}

static void expect_a_pass_more(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_HANDLE, &f->sh->state));
	KUNIT_EXPECT_EQ(test, f->sh->reconstruct_state,
			reconstruct_state_drain_result);
	KUNIT_EXPECT_FALSE(test, test_bit(R5_Wantwrite, &f->sh->dev[0].flags));
	KUNIT_EXPECT_FALSE(test, test_bit(R5_Wantwrite, &f->sh->dev[1].flags));
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_PREREAD_ACTIVE, &f->sh->state));
}

/* T4: the parity of a stripe is made, and written in the same pass. */
static void parity_is_written_at_once(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head_state s = { };

	make_parity(test, &s);
	KUNIT_EXPECT_EQ(test, f->sh->reconstruct_state, reconstruct_state_idle);
	KUNIT_EXPECT_TRUE(test, test_bit(R5_Wantwrite, &f->sh->dev[0].flags));
	KUNIT_EXPECT_TRUE(test, test_bit(R5_Wantwrite, &f->sh->dev[1].flags));
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_HANDLE, &f->sh->state));
	KUNIT_EXPECT_TRUE(test, s.dec_preread_active);
}

/* An engine made it, and who asked has gone on: the stripe comes again. */
static void parity_made_elsewhere(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	f->sh->disks = 2;
	f->sh->pd_idx = 1;
	f->sh->qd_idx = -1;
	atomic_set(&f->sh->count, 2);
	set_bit(STRIPE_PREREAD_ACTIVE, &f->sh->state);
	f->sh->reconstruct_state = reconstruct_state_drain_run;
	ops_complete_reconstruct(f->sh);
	expect_a_pass_more(test);
}

/* A write came when the stripe was in a pass: its bit is not on the members. */
static void bitmap_comes_before_parity(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head_state s = { };

	set_bit(STRIPE_BIT_DELAY, &f->sh->state);
	make_parity(test, &s);
	expect_a_pass_more(test);
}

/* What a log is told of a write may come when the write is drained. */
static void log_has_its_own_pass(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head_state s = { };

	set_bit(MD_HAS_JOURNAL, &f->mddev.flags);
	make_parity(test, &s);
	expect_a_pass_more(test);
}

static void make_lists(struct stripe_fixture *f)
{
	spin_lock_init(&f->conf.device_lock);
	INIT_LIST_HEAD(&f->conf.handle_list);
	INIT_LIST_HEAD(&f->conf.loprio_list);
	INIT_LIST_HEAD(&f->conf.hold_list);
	INIT_LIST_HEAD(&f->conf.delayed_list);
	INIT_LIST_HEAD(&f->conf.bitmap_list);
	f->conf.bypass_threshold = BYPASS_THRESHOLD;
}

static struct stripe_head *new_stripe(struct kunit *test, struct list_head *list)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head *sh;

	sh = kunit_kzalloc(test, struct_size(sh, dev, 2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sh);
	sh->raid_conf = &f->conf;
	spin_lock_init(&sh->stripe_lock);
	list_add_tail(&sh->lru, list);
	return sh;
}

/* A stripe for the bitmap is released, as by who has added a write. */
static void release_for_bitmap(struct stripe_fixture *f, int seq)
{
	f->sh->bm_seq = seq;
	f->sh->state |= BIT(STRIPE_HANDLE) | BIT(STRIPE_BIT_DELAY);
	atomic_set(&f->conf.active_stripes, 1);
	do_release_stripe(&f->conf, f->sh, NULL);
}

static void stripe_for_bitmap(struct stripe_fixture *f)
{
	make_lists(f);
	INIT_LIST_HEAD(&f->sh->lru);
	f->conf.max_degraded = 1;
	f->sh->disks = 2;
	f->sh->pd_idx = 1;
	f->sh->qd_idx = -1;
}

/* T2: it reads while the bitmap is written, and does not spin after that. */
static void bitmap_wait_has_one_turn(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	stripe_for_bitmap(f);
	release_for_bitmap(f, 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->conf.handle_list));
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_BIT_DELAY, &f->sh->state));
	KUNIT_EXPECT_EQ(test, f->conf.seq_wanted, 1);

	/* handle_stripe() has seen it */
	list_del_init(&f->sh->lru);
	set_bit(STRIPE_BIT_WAIT, &f->sh->state);
	release_for_bitmap(f, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->conf.handle_list));
	KUNIT_EXPECT_FALSE(test, list_empty(&f->conf.bitmap_list));

	list_del_init(&f->sh->lru);
	f->conf.seq_write = 1;
	release_for_bitmap(f, 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->conf.handle_list));
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_BIT_DELAY, &f->sh->state));
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_BIT_WAIT, &f->sh->state));
}

/* It has nothing to read, and others may still join its batch. */
static void full_stripe_waits_at_once(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	stripe_for_bitmap(f);
	f->sh->overwrite_disks = 1;
	release_for_bitmap(f, 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->conf.bitmap_list));
	KUNIT_EXPECT_EQ(test, f->conf.seq_wanted, 1);
}

/*
 * A write was drained with those of a stripe that was in a pass when it came:
 * the next pass would write it.
 */
static void drained_write_waits_for_its_bits(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	stripe_for_bitmap(f);
	f->sh->reconstruct_state = reconstruct_state_drain_result;
	release_for_bitmap(f, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->conf.handle_list));
	KUNIT_EXPECT_FALSE(test, list_empty(&f->conf.bitmap_list));
}

/* All is there that it needs but the bit: it must come again, unwritten. */
static void write_waits_for_its_bits(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head_state s = { .to_write = 1 };
	struct bio bio;

	stripe_for_bitmap(f);
	f->mddev.resync_offset = MaxSector;
	f->conf.level = 5;
	f->sh->dev[0].flags = BIT(R5_OVERWRITE) | BIT(R5_UPTODATE);
	f->sh->dev[0].towrite = &bio;
	f->sh->state = BIT(STRIPE_PREREAD_ACTIVE) | BIT(STRIPE_BIT_DELAY);
	handle_stripe_dirtying(&f->conf, f->sh, &s, 2);
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_HANDLE, &f->sh->state));
	KUNIT_EXPECT_EQ(test, f->sh->reconstruct_state, reconstruct_state_idle);

	clear_bit(STRIPE_BIT_DELAY, &f->sh->state);
	handle_stripe_dirtying(&f->conf, f->sh, &s, 2);
	KUNIT_EXPECT_EQ(test, f->sh->reconstruct_state,
			reconstruct_state_drain_run);
}

static bool kunit_bitmap_enabled(void *data, bool flush)
{
	return true;
}

static bool kunit_bitmap_durable(struct mddev *mddev)
{
	struct stripe_fixture *f = container_of(mddev, struct stripe_fixture,
						mddev);

	return f->asked;
}

/* When the first batch is being written, a stripe of the next is released. */
static void kunit_bitmap_unplug(struct mddev *mddev, bool sync)
{
	struct stripe_fixture *f = container_of(mddev, struct stripe_fixture,
						mddev);

	if (!f->turns++)
		f->conf.seq_wanted = f->conf.seq_flush + 1;
}

static struct bitmap_operations kunit_bitmap_ops = {
	.enabled = kunit_bitmap_enabled,
	.durable = kunit_bitmap_durable,
	.unplug = kunit_bitmap_unplug,
};

static void durable_bits_delay_nothing(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	f->mddev.bitmap = f;
	f->mddev.bitmap_ops = &kunit_bitmap_ops;
	f->asked = true;
	wait_for_bitmap(f->sh);
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_BIT_DELAY, &f->sh->state));
	f->asked = false;
	wait_for_bitmap(f->sh);
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_BIT_DELAY, &f->sh->state));
}

static void bitmap_thread_goes_on_until_all_have_it(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct md_thread thread = { .mddev = &f->mddev };

	stripe_for_bitmap(f);
	mutex_init(&f->mddev.bitmap_info.io_mutex);
	f->mddev.private = &f->conf;
	f->mddev.bitmap = f;
	f->mddev.bitmap_ops = &kunit_bitmap_ops;
	set_bit(STRIPE_BIT_WAIT, &f->sh->state);
	release_for_bitmap(f, 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->conf.bitmap_list));
	raid5_bitmapd(&thread);
	KUNIT_EXPECT_EQ(test, f->turns, 2);
	KUNIT_EXPECT_EQ(test, f->conf.seq_write, 2);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->conf.bitmap_list));
	KUNIT_EXPECT_FALSE(test, list_empty(&f->conf.handle_list));
}

/* Is a stripe that comes to delayed_list now let go at once? */
static bool gate_is_open(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head *sh = new_stripe(test, &f->conf.delayed_list);
	bool open;

	spin_lock_irq(&f->conf.device_lock);
	raid5_activate_delayed(&f->conf);
	spin_unlock_irq(&f->conf.device_lock);
	open = list_empty(&f->conf.delayed_list);
	KUNIT_EXPECT_EQ(test, open, test_bit(STRIPE_PREREAD_ACTIVE, &sh->state));
	list_del_init(&sh->lru);
	if (stripe_end_preread(sh))
		raid5_preread_ended(&f->conf);
	return open;
}

/* An array of two with one stripe, which somebody has. */
static void make_array(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct hlist_head *table;
	int i;

	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	table = kunit_kcalloc(test, NR_HASH, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	f->mddev.private = &f->conf;
	f->conf.level = 5;
	f->conf.algorithm = ALGORITHM_PARITY_N;
	f->conf.raid_disks = 2;
	f->conf.max_degraded = 1;
	f->conf.chunk_sectors = 128;
	f->conf.reshape_progress = MaxSector;
#if PAGE_SIZE != DEFAULT_STRIPE_SIZE
	f->conf.stripe_shift = ilog2(DEFAULT_STRIPE_SIZE) - 9;
	f->conf.stripe_sectors = DEFAULT_STRIPE_SIZE >> 9;
#endif
	seqcount_spinlock_init(&f->conf.gen_lock, &f->conf.device_lock);
	f->conf.stripe_hashtbl = table;
	for (i = 0; i < NR_STRIPE_HASH_LOCKS; i++)
		spin_lock_init(f->conf.hash_locks + i);

	spin_lock_init(&f->sh->stripe_lock);
	f->sh->disks = 2;
	f->sh->pd_idx = 1;
	f->sh->qd_idx = -1;
	atomic_set(&f->sh->count, 1);
	insert_hash(&f->conf, f->sh);
}

/* The array's stripe takes a 4K write. */
static void write_stripe(struct kunit *test, struct bio *bio, blk_opf_t opf)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_request_ctx *ctx;

	make_array(test);
	ctx = kunit_kzalloc(test, sizeof(*ctx) + sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	bio_init(bio, NULL, NULL, 0, REQ_OP_WRITE | opf);
	bio->bi_iter.bi_size = 8 << 9;
	ctx->last_sector = 8;
	percpu_ref_get(&f->mddev.writes_pending);
	KUNIT_EXPECT_EQ(test, make_stripe_request(&f->mddev, &f->conf, ctx, 0,
						  bio), STRIPE_SUCCESS);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->sh->count), 1);
	KUNIT_EXPECT_PTR_EQ(test, f->sh->dev[0].towrite, bio);
	percpu_ref_put_many(&f->mddev.writes_pending, 2);
	mddev_destroy(&f->mddev);
}

/* J8: the stripe may be in the log, or have I/O; who has it goes on with it. */
static void retried_read_is_queued(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct bio bio;

	make_lists(f);
	make_array(test);
	bio_init(&bio, NULL, NULL, 0, REQ_OP_READ);
	bio.bi_iter.bi_size = 8 << 9;
	atomic_set(&f->conf.active_aligned_reads, 2);
	KUNIT_EXPECT_EQ(test, retry_aligned_read(&f->conf, &bio, 0), 1);
	KUNIT_EXPECT_PTR_EQ(test, f->sh->dev[0].toread, &bio);
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_HANDLE, &f->sh->state));
	KUNIT_EXPECT_EQ(test, atomic_read(&f->sh->count), 1);
	mddev_destroy(&f->mddev);
}

/* J10: it would be sent again when the cache is written out. */
static void journal_refuses_discards(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct bio bio;

	f->mddev.private = &f->conf;
	bio_init(&bio, NULL, NULL, 0, REQ_OP_DISCARD);
	KUNIT_EXPECT_TRUE(test, raid5_discard_limits(&f->mddev, &bio));
	set_bit(MD_HAS_JOURNAL, &f->mddev.flags);
	KUNIT_EXPECT_FALSE(test, raid5_discard_limits(&f->mddev, &bio));
	KUNIT_EXPECT_TRUE(test, bio.bi_status == BLK_STS_NOTSUPP);
}

/* T1: a REQ_SYNC write reads at once, and delayed stripes do not wait for it. */
static void sync_write_leaves_the_gate_open(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct bio bio;

	make_lists(f);
	write_stripe(test, &bio, REQ_SYNC);
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_PREREAD_ACTIVE, &f->sh->state));
	KUNIT_EXPECT_TRUE(test, gate_is_open(test));
}

/* Those that it let go close it, until the last of them has what it needs. */
static void delayed_stripes_go_together(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head_state s = { };
	struct stripe_head *sh[2];
	int i;

	make_lists(f);
	for (i = 0; i < 2; i++)
		sh[i] = new_stripe(test, &f->conf.delayed_list);
	raid5_activate_delayed(&f->conf);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->conf.delayed_list));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_FALSE(test, gate_is_open(test));
		sh[i]->reconstruct_state = reconstruct_state_drain_result;
		s.dec_preread_active = 0;
		want_reconstructed(sh[i], &s);
		KUNIT_EXPECT_TRUE(test, s.dec_preread_active);
		raid5_preread_ended(&f->conf);
		/* once */
		KUNIT_EXPECT_FALSE(test, stripe_end_preread(sh[i]));
	}
	KUNIT_EXPECT_TRUE(test, gate_is_open(test));
}

/*
 * How many stripes of handle_list, which never gets empty, are handled before
 * one that is held? They have begun their I/O before if @started.
 */
static int bypasses(struct kunit *test, bool started)
{
	struct stripe_fixture *f = test->priv;
	struct stripe_head *sh, *next, *held;
	int i;

	held = new_stripe(test, &f->conf.hold_list);
	for (i = 0; i < 16; i++) {
		next = new_stripe(test, &f->conf.handle_list);
		if (started)
			set_bit(STRIPE_IO_STARTED, &next->state);
		spin_lock_irq(&f->conf.device_lock);
		sh = __get_priority_stripe(&f->conf, ANY_GROUP);
		spin_unlock_irq(&f->conf.device_lock);
		if (sh == held)
			break;
		KUNIT_EXPECT_PTR_EQ(test, sh, next);
	}
	list_del_init(&held->lru);
	INIT_LIST_HEAD(&f->conf.handle_list);
	return i;
}

/* T1: a stripe that was delayed has its turn, also if others always want it. */
static void held_stripe_has_its_turn(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;

	make_lists(f);
	KUNIT_EXPECT_LE(test, bypasses(test, false), 3);
	f->conf.bypass_threshold = 4;
	KUNIT_EXPECT_EQ(test, bypasses(test, false), 6);
	/* what is under way may end first; and 0 says that all others may */
	f->conf.bypass_threshold = 1;
	KUNIT_EXPECT_EQ(test, bypasses(test, true), 16);
	f->conf.bypass_threshold = 0;
	KUNIT_EXPECT_EQ(test, bypasses(test, false), 16);
}

/* A stripe that is written to again and again has always begun something. */
static void busy_stripe_bypasses_too(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct bio bio;

	make_lists(f);
	set_bit(STRIPE_IO_STARTED, &f->sh->state);
	write_stripe(test, &bio, 0);
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_IO_STARTED, &f->sh->state));
}

static void no_work(struct work_struct *work)
{
}

/* T5: a write-back cache would take what grows, and have more to write out. */
static void write_back_cache_does_not_grow(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;
	int i;

	make_array(test);
	for (i = 0; i < NR_STRIPE_HASH_LOCKS; i++)
		INIT_LIST_HEAD(conf->inactive_list + i);
	INIT_WORK(&conf->grow_work, no_work);
	conf->max_nr_stripes = 256;
	atomic_set(&f->mddev.writeback.stripes, 128);
	KUNIT_EXPECT_NULL(test, raid5_get_active_stripe(conf, NULL, 1024,
							R5_GAS_NOBLOCK));
	KUNIT_EXPECT_FALSE(test, test_bit(R5_ALLOC_MORE, &conf->cache_state));
	/* what cannot be written out makes no room */
	atomic_set(&f->mddev.writeback.stuck, 1);
	KUNIT_EXPECT_NULL(test, raid5_get_active_stripe(conf, NULL, 1024,
							R5_GAS_NOBLOCK));
	KUNIT_EXPECT_TRUE(test, test_bit(R5_ALLOC_MORE, &conf->cache_state));
	flush_work(&conf->grow_work);
	mddev_destroy(&f->mddev);
}

/* Who waits for a stripe, and gets it. */
static void wait_for_stripe_work(struct work_struct *work)
{
	struct stripe_fixture *f = container_of(to_delayed_work(work),
						struct stripe_fixture, stripe);

	f->found = raid5_get_active_stripe(&f->conf, NULL, 1024, 0);
}

static struct stripe_head *inactive_stripe(struct kunit *test, sector_t sector)
{
	struct stripe_fixture *f = test->priv;
	int lock = stripe_hash_locks_hash(&f->conf, sector);
	struct stripe_head *sh;
	LIST_HEAD(list);

	sh = new_stripe(test, &list);
	sh->hash_lock_index = lock;
	spin_lock_irq(f->conf.hash_locks + lock);
	list_splice(&list, f->conf.inactive_list + lock);
	spin_unlock_irq(f->conf.hash_locks + lock);
	return sh;
}

/*
 * One lock has no stripe, somebody waits for one, and most of the others are
 * active: can those that are not be had, and the next one of this lock?
 */
static void wait_for_stripe(struct kunit *test, bool rotational)
{
	struct stripe_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;
	struct stripe_head *other, *next;
	sector_t sector;
	int i;

	make_array(test);
	sector = 1024 + RAID5_STRIPE_SECTORS(conf);
	for (i = 0; i < NR_STRIPE_HASH_LOCKS; i++)
		INIT_LIST_HEAD(conf->inactive_list + i);
	init_waitqueue_head(&conf->wait_for_stripe);
	INIT_WORK(&conf->grow_work, no_work);
	INIT_DELAYED_WORK(&f->stripe, wait_for_stripe_work);
	conf->batch_bio_dispatch = rotational;
	conf->max_nr_stripes = 8;
	atomic_set(&conf->active_stripes, 7);
	other = inactive_stripe(test, sector);
	next = inactive_stripe(test, 1024);
	list_del_init(&next->lru);

	schedule_delayed_work(&f->stripe, 0);
	for (i = 0; i < 10 * HZ && !wq_has_sleeper(&conf->wait_for_stripe); i++)
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, wq_has_sleeper(&conf->wait_for_stripe));
	KUNIT_EXPECT_PTR_EQ(test, rotational ? NULL : other,
			    raid5_get_active_stripe(conf, NULL, sector,
						    R5_GAS_NOBLOCK));

	spin_lock_irq(conf->hash_locks + next->hash_lock_index);
	list_add(&next->lru, conf->inactive_list + next->hash_lock_index);
	spin_unlock_irq(conf->hash_locks + next->hash_lock_index);
	wake_up(&conf->wait_for_stripe);
	if (!rotational) {
		for (i = 0; i < 10 * HZ && !READ_ONCE(f->found); i++)
			schedule_timeout_uninterruptible(1);
		KUNIT_EXPECT_PTR_EQ(test, f->found, next);
	}
	/* who is kept back waits for less active ones */
	atomic_set(&conf->active_stripes, 0);
	wake_up(&conf->wait_for_stripe);
	flush_delayed_work(&f->stripe);
	KUNIT_EXPECT_PTR_EQ(test, f->found, next);
	flush_work(&conf->grow_work);
	mddev_destroy(&f->mddev);
}

/* T5: nobody waits for more than a stripe of the own lock. */
static void stripes_are_not_kept_back(struct kunit *test)
{
	wait_for_stripe(test, false);
}

/* Unless the members seek: then what is let go together can be merged. */
static void seeking_members_have_them_together(struct kunit *test)
{
	wait_for_stripe(test, true);
}

/* T4: how many help depends on how many stripes wait, and for what. */
static void backlog_has_helpers(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;
	int *waiting = &conf->backlog.stripes_cnt;

	*waiting = R5_HELP_BACKLOG - 1;
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 8), 0);
	*waiting = R5_HELP_BACKLOG;
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 8), 1);
	*waiting = 100 * R5_HELP_BACKLOG;
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 64), R5_HELPERS);
	/* with raid5d on half of the CPUs */
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 8), 3);
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 3), 0);
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 1), 0);

	conf->batch_bio_dispatch = true;
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 8), 0);
	conf->batch_bio_dispatch = false;
	set_bit(MD_HAS_PPL, &f->mddev.flags);
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 8), 0);
	clear_bit(MD_HAS_PPL, &f->mddev.flags);
	set_bit(MD_HAS_JOURNAL, &f->mddev.flags);
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 8), 0);
	clear_bit(MD_HAS_JOURNAL, &f->mddev.flags);
	conf->worker_cnt_per_group = 1;
	KUNIT_EXPECT_EQ(test, helpers_wanted(conf, 8), 0);
}

/* Whoever takes a stripe that waits, it waits no more. */
static void backlog_is_counted(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	int *waiting = &f->conf.backlog.stripes_cnt;
	int i;

	make_array(test);
	make_lists(f);
	INIT_LIST_HEAD(f->conf.inactive_list);
	INIT_LIST_HEAD(&f->sh->lru);
	atomic_set(&f->conf.active_stripes, 1);
	for (i = 0; i < 2; i++) {
		set_bit(STRIPE_HANDLE, &f->sh->state);
		atomic_set(&f->sh->count, 0);
		spin_lock_irq(&f->conf.device_lock);
		do_release_stripe(&f->conf, f->sh, NULL);
		spin_unlock_irq(&f->conf.device_lock);
		KUNIT_EXPECT_EQ(test, *waiting, 1);
		if (i) {
			/* a write finds it */
			spin_lock_irq(f->conf.hash_locks);
			KUNIT_EXPECT_PTR_EQ(test, f->sh,
					    find_get_stripe(&f->conf, 0, 0, 0));
			spin_unlock_irq(f->conf.hash_locks);
		} else {
			spin_lock_irq(&f->conf.device_lock);
			KUNIT_EXPECT_PTR_EQ(test, f->sh,
					    __get_priority_stripe(&f->conf, ANY_GROUP));
			spin_unlock_irq(&f->conf.device_lock);
		}
		KUNIT_EXPECT_EQ(test, *waiting, 0);
	}
	mddev_destroy(&f->mddev);
}

/* That it is active and delayed ends what handle_stripe() does to it. */
static struct stripe_head *busy_stripe(struct kunit *test, struct list_head *list)
{
	struct stripe_head *sh = new_stripe(test, list);

	sh->state = BIT(STRIPE_ACTIVE) | BIT(STRIPE_DELAYED);
	return sh;
}

static void note_unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	WRITE_ONCE(*(bool *)cb->data, true);
	kfree(cb);
}

/* Are a batch's requests sent when it is handled, and @more stripes wait? */
static bool batch_is_sent(struct kunit *test, struct r5worker *worker, int more)
{
	struct stripe_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;
	struct list_head inactive[NR_STRIPE_HASH_LOCKS];
	struct blk_plug plug;
	bool sent = false, early;
	int i;

	for (i = 0; i < NR_STRIPE_HASH_LOCKS; i++)
		INIT_LIST_HEAD(inactive + i);
	busy_stripe(test, &conf->handle_list);
	blk_start_plug(&plug);
	KUNIT_EXPECT_NOT_NULL(test, blk_check_plugged(note_unplug, &sent,
						      sizeof(struct blk_plug_cb)));
	spin_lock_irq(&conf->device_lock);
	(worker ? worker->group : &conf->backlog)->stripes_cnt = more;
	conf->backlog.stripes_cnt++;
	atomic_inc(&conf->active_stripes);
	KUNIT_EXPECT_EQ(test, handle_active_stripes(conf, ANY_GROUP, worker,
						    inactive, &plug), 1);
	spin_unlock_irq(&conf->device_lock);
	early = sent;
	blk_finish_plug(&plug);
	KUNIT_EXPECT_TRUE(test, sent);
	return early;
}

/* T4: members do not idle until raid5d does, unless there is more for them. */
static void batch_is_not_kept_back(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct r5worker_group group = {};
	struct r5worker worker = { .group = &group };

	make_lists(f);
	KUNIT_EXPECT_TRUE(test, batch_is_sent(test, NULL, 0));
	KUNIT_EXPECT_TRUE(test, batch_is_sent(test, NULL, R5_PLUG_BACKLOG - 1));
	KUNIT_EXPECT_FALSE(test, batch_is_sent(test, NULL, R5_PLUG_BACKLOG));
	/* those are a resync's, for the most part */
	set_bit(MD_RECOVERY_RUNNING, &f->mddev.recovery);
	KUNIT_EXPECT_TRUE(test, batch_is_sent(test, NULL, R5_PLUG_BACKLOG));
	clear_bit(MD_RECOVERY_RUNNING, &f->mddev.recovery);
	/* a worker looks at its own group */
	KUNIT_EXPECT_TRUE(test, batch_is_sent(test, &worker, 0));
	KUNIT_EXPECT_FALSE(test, batch_is_sent(test, &worker, R5_PLUG_BACKLOG));
	f->conf.batch_bio_dispatch = true;
	KUNIT_EXPECT_FALSE(test, batch_is_sent(test, NULL, 0));
	f->conf.batch_bio_dispatch = false;
	set_bit(MD_HAS_JOURNAL, &f->mddev.flags);
	KUNIT_EXPECT_FALSE(test, batch_is_sent(test, NULL, 0));
}

/* What waits for superblocks is raid5d's, what goes together, and little. */
static void helper_leaves_the_rest(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;
	struct r5worker *helper = conf->helper;
	int i;

	make_lists(f);
	raid5_init_helpers(conf);
	init_waitqueue_head(&conf->wait_for_stripe);
	for (i = 0; i < NR_STRIPE_HASH_LOCKS; i++) {
		spin_lock_init(conf->hash_locks + i);
		INIT_LIST_HEAD(conf->inactive_list + i);
	}
	busy_stripe(test, &conf->handle_list);
	atomic_set(&conf->active_stripes, 1);
	conf->backlog.stripes_cnt = R5_PLUG_BACKLOG;
	helper->working = true;
	set_bit(MD_SB_CHANGE_PENDING, &f->mddev.sb_flags);
	/* one of the batch before */
	new_stripe(test, helper->temp_inactive_list);
	raid5_help(&helper->work);
	KUNIT_EXPECT_FALSE(test, helper->working);
	KUNIT_ASSERT_FALSE(test, list_empty(&conf->handle_list));
	KUNIT_EXPECT_FALSE(test, list_empty(conf->inactive_list));

	clear_bit(MD_SB_CHANGE_PENDING, &f->mddev.sb_flags);
	conf->batch_bio_dispatch = true;
	raid5_help(&helper->work);
	KUNIT_EXPECT_FALSE(test, list_empty(&conf->handle_list));

	conf->batch_bio_dispatch = false;
	conf->backlog.stripes_cnt--;
	raid5_help(&helper->work);
	KUNIT_EXPECT_FALSE(test, list_empty(&conf->handle_list));

	/* but not all */
	conf->backlog.stripes_cnt++;
	raid5_help(&helper->work);
	KUNIT_EXPECT_TRUE(test, list_empty(&conf->handle_list));
	KUNIT_EXPECT_FALSE(test, list_empty(&conf->delayed_list));
	KUNIT_EXPECT_EQ(test, conf->backlog.stripes_cnt, R5_PLUG_BACKLOG - 1);
}

/* A worker in its sleep, until there is no stripe any more. */
static void sleep_for_superblocks(struct work_struct *work)
{
	struct stripe_fixture *f = container_of(to_delayed_work(work),
						struct stripe_fixture, stripe);

	wait_event(f->mddev.sb_wait, READ_ONCE(f->asked));
}

/* C18: whoever waits for a worker may be who has to write the superblocks. */
static void worker_ends_without_stripes(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;
	struct r5worker_group *group;
	struct r5worker *worker;
	struct stripe_head *sh;
	int i;

	group = kunit_kzalloc(test, sizeof(*group), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, group);
	worker = kunit_kzalloc(test, sizeof(*worker), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, worker);
	make_lists(f);
	init_waitqueue_head(&f->mddev.sb_wait);
	INIT_LIST_HEAD(&group->handle_list);
	INIT_LIST_HEAD(&group->loprio_list);
	group->conf = conf;
	group->workers = worker;
	worker->group = group;
	INIT_WORK(&worker->work, raid5_do_work);
	for (i = 0; i < NR_STRIPE_HASH_LOCKS; i++)
		INIT_LIST_HEAD(worker->temp_inactive_list + i);
	conf->worker_groups = group;
	conf->worker_cnt_per_group = 1;
	conf->group_cnt = 1;

	sh = busy_stripe(test, &group->handle_list);
	sh->group = group;
	group->stripes_cnt = 1;
	atomic_set(&conf->active_stripes, 1);
	set_bit(MD_SB_CHANGE_PENDING, &f->mddev.sb_flags);
	schedule_work(&worker->work);
	for (i = 0; i < 2 * HZ && work_busy(&worker->work); i++)
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_FALSE(test, work_busy(&worker->work));
	KUNIT_EXPECT_FALSE(test, list_empty(&conf->delayed_list));

	clear_bit(MD_SB_CHANGE_PENDING, &f->mddev.sb_flags);
	wake_up(&f->mddev.sb_wait);
	flush_work(&worker->work);
}

/* And who has slept with stripes that are gone since. */
static void worker_is_woken_by_who_waits(struct kunit *test)
{
	struct stripe_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;

	init_waitqueue_head(&f->mddev.sb_wait);
	raid5_init_helpers(conf);
	INIT_DELAYED_WORK(&f->stripe, sleep_for_superblocks);
	set_bit(MD_SB_CHANGE_PENDING, &f->mddev.sb_flags);
	f->asked = false;
	schedule_delayed_work(&f->stripe, 0);
	while (!wq_has_sleeper(&f->mddev.sb_wait))
		schedule_timeout_uninterruptible(1);
	WRITE_ONCE(f->asked, true);
	conf->group_cnt = 1;
	raid5_wait_for_workers(conf);
	schedule_timeout_uninterruptible(HZ / 5);
	KUNIT_EXPECT_FALSE(test, wq_has_sleeper(&f->mddev.sb_wait));
	wake_up(&f->mddev.sb_wait);
	flush_delayed_work(&f->stripe);
}

static DECLARE_COMPLETION(slow_work_began);
static bool slow_work_ran;

static void slow_work(struct work_struct *work)
{
	complete(&slow_work_began);
	schedule_timeout_uninterruptible(HZ / 5);
	WRITE_ONCE(slow_work_ran, true);
}

/* An array that is freed while a worker of it, or a helper, is on its way out. */
static void free_below_work(struct kunit *test, bool helper)
{
	struct stripe_fixture *f = test->priv;
	struct r5worker_group *group = kzalloc(sizeof(*group), GFP_KERNEL);
	struct r5worker *worker = kzalloc(sizeof(*worker), GFP_KERNEL);
	struct r5conf *conf = kzalloc(sizeof(*conf), GFP_KERNEL);
	struct work_struct *work;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_ASSERT_NOT_NULL(test, worker);
	KUNIT_ASSERT_NOT_NULL(test, conf);
	conf->mddev = &f->mddev;
	conf->worker_groups = group;
	conf->worker_cnt_per_group = 1;
	conf->group_cnt = 1;
	group->workers = worker;
	INIT_WORK(&worker->work, slow_work);
	for (i = 0; i < R5_HELPERS; i++)
		INIT_WORK(&conf->helper[i].work, slow_work);
	INIT_WORK(&conf->grow_work, no_work);
	work = helper ? &conf->helper[0].work : &worker->work;

	slow_work_ran = false;
	reinit_completion(&slow_work_began);
	init_waitqueue_head(&f->mddev.sb_wait);
	schedule_work(work);
	wait_for_completion(&slow_work_began);
	free_conf(conf);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(slow_work_ran));
	schedule_timeout_uninterruptible(HZ / 2);
}

/* C18: with its last stripe a worker is not done. */
static void workers_end_before_they_are_freed(struct kunit *test)
{
	free_below_work(test, false);
}

static void helpers_end_before_they_are_freed(struct kunit *test)
{
	free_below_work(test, true);
}

/* T4: the map of a new stripe is not checked when it is made, but here. */
static void stripe_has_its_blocks(struct kunit *test)
{
	static const struct { int level; int algorithm; } layouts[] = {
		{ 4, 0 },
		{ 5, ALGORITHM_LEFT_ASYMMETRIC },
		{ 5, ALGORITHM_RIGHT_ASYMMETRIC },
		{ 5, ALGORITHM_LEFT_SYMMETRIC },
		{ 5, ALGORITHM_RIGHT_SYMMETRIC },
		{ 5, ALGORITHM_PARITY_0 },
		{ 5, ALGORITHM_PARITY_N },
		{ 6, ALGORITHM_LEFT_ASYMMETRIC },
		{ 6, ALGORITHM_RIGHT_ASYMMETRIC },
		{ 6, ALGORITHM_LEFT_SYMMETRIC },
		{ 6, ALGORITHM_RIGHT_SYMMETRIC },
		{ 6, ALGORITHM_PARITY_0 },
		{ 6, ALGORITHM_PARITY_N },
		{ 6, ALGORITHM_ROTATING_ZERO_RESTART },
		{ 6, ALGORITHM_ROTATING_N_RESTART },
		{ 6, ALGORITHM_ROTATING_N_CONTINUE },
		{ 6, ALGORITHM_LEFT_ASYMMETRIC_6 },
		{ 6, ALGORITHM_RIGHT_ASYMMETRIC_6 },
		{ 6, ALGORITHM_LEFT_SYMMETRIC_6 },
		{ 6, ALGORITHM_RIGHT_SYMMETRIC_6 },
		{ 6, ALGORITHM_PARITY_0_6 },
	};
	struct stripe_fixture *f = test->priv;
	struct stripe_head *sh = f->sh;
	int i, dd_idx, disks = 6;
	sector_t sector;

	sh->disks = disks;
	f->conf.raid_disks = disks;
	f->conf.chunk_sectors = 16;
	for (i = 0; i < ARRAY_SIZE(layouts); i++) {
		f->conf.level = layouts[i].level;
		f->conf.algorithm = layouts[i].algorithm;
		f->conf.max_degraded = f->conf.level == 6 ? 2 : 1;
		for (sector = 0; sector < 16 * 8 * disks * disks; sector += 8) {
			sh->sector = raid5_compute_sector(&f->conf, sector, 0,
							  &dd_idx, sh);
			KUNIT_EXPECT_EQ(test, compute_blocknr(sh, dd_idx, 0),
					sector);
			KUNIT_EXPECT_EQ(test, compute_blocknr(sh, sh->pd_idx, 0),
					0);
			if (sh->qd_idx >= 0)
				KUNIT_EXPECT_EQ(test,
						compute_blocknr(sh, sh->qd_idx, 0),
						0);
		}
	}
}

static int stripe_fixture_init(struct kunit *test)
{
	struct stripe_fixture *f;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->sh = kunit_kzalloc(test, struct_size(f->sh, dev, 2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->sh);
	f->sh->raid_conf = &f->conf;
	f->sh->disks = 1;
	f->conf.mddev = &f->mddev;
	f->conf.disks = &f->disk;
	f->disk.rdev = &f->rdev;
	f->rdev.flags = BIT(In_sync);
	return 0;
}

static struct kunit_case raid5_cases[] = {
	KUNIT_CASE(unrecorded_failure_blocks_a_stripe),
	KUNIT_CASE(external_metadata_blocks_no_stripe),
	KUNIT_CASE(unrecorded_replacement_blocks_a_stripe),
	KUNIT_CASE(failure_is_blocked_first),
	KUNIT_CASE(failed_write_covers_nothing),
	KUNIT_CASE(stripes_apart_use_all_locks),
	KUNIT_CASE(quiescer_writes_the_superblocks),
	KUNIT_CASE(parity_is_written_at_once),
	KUNIT_CASE(parity_made_elsewhere),
	KUNIT_CASE(bitmap_comes_before_parity),
	KUNIT_CASE(log_has_its_own_pass),
	KUNIT_CASE(bitmap_wait_has_one_turn),
	KUNIT_CASE(full_stripe_waits_at_once),
	KUNIT_CASE(drained_write_waits_for_its_bits),
	KUNIT_CASE(write_waits_for_its_bits),
	KUNIT_CASE(durable_bits_delay_nothing),
	KUNIT_CASE(bitmap_thread_goes_on_until_all_have_it),
	KUNIT_CASE(retried_read_is_queued),
	KUNIT_CASE(journal_refuses_discards),
	KUNIT_CASE(sync_write_leaves_the_gate_open),
	KUNIT_CASE(delayed_stripes_go_together),
	KUNIT_CASE(held_stripe_has_its_turn),
	KUNIT_CASE(busy_stripe_bypasses_too),
	KUNIT_CASE(stripe_has_its_blocks),
	KUNIT_CASE(write_back_cache_does_not_grow),
	KUNIT_CASE(stripes_are_not_kept_back),
	KUNIT_CASE(seeking_members_have_them_together),
	KUNIT_CASE(backlog_has_helpers),
	KUNIT_CASE(backlog_is_counted),
	KUNIT_CASE(batch_is_not_kept_back),
	KUNIT_CASE(helper_leaves_the_rest),
	KUNIT_CASE(worker_ends_without_stripes),
	KUNIT_CASE(worker_is_woken_by_who_waits),
	KUNIT_CASE(workers_end_before_they_are_freed),
	KUNIT_CASE(helpers_end_before_they_are_freed),
	{}
};

static struct kunit_suite raid5_suite = {
	.name = "raid5",
	.init = stripe_fixture_init,
	.test_cases = raid5_cases,
};

kunit_test_suite(raid5_suite);
