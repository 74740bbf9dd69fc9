// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the journal of raid456, included by raid5-cache.c: real
 * functions on a real struct r5l_log, whose journal is a disk that completes
 * what and when the test says.  Each case fails when its fix is taken out.
 */
#include <kunit/test.h>

#include "kunit-disk.h"

#define LOG_BLOCKS	64

#define NR_FLUSHES	5
#define NR_MEMBERS	2
#define NR_IOS		16
#define JOURNAL		NR_MEMBERS	/* its number among the disks */

/* An empty FLUSH from above, and what became of it. */
struct empty_flush {
	struct bio bio;
	bool ended;
	blk_status_t status;
};

/* A bio that a disk got, and where the tail was in memory then. */
struct seen_io {
	unsigned int disk;
	enum req_op op;
	blk_opf_t opf;
	sector_t sector;
	unsigned int sectors;
	sector_t tail;		/* in the superblock, if this writes it */
	sector_t last_checkpoint;
	unsigned int held;	/* flushes of members that had not ended */
};

struct log_fixture {
	struct kunit_disk *journal;
	struct kunit_disk *member[NR_MEMBERS];
	struct md_rdev member_rdev[NR_MEMBERS];
	struct mdp_superblock_1 *sb;	/* the journal's, as last written */
	struct seen_io seen[NR_IOS];
	unsigned int nr_seen;
	struct kunit_disk *failing;	/* its I/O fails */
	bool late_bad_block;		/* one is due, see sync_super() */
	bool hold_members;		/* end_members ends their flushes */
	struct work_struct end_members;
	unsigned int held;
	struct mddev mddev;
	struct md_personality pers;
	struct md_rdev rdev;
	struct r5conf conf;
	struct r5l_log *log;
	struct empty_flush flush[NR_FLUSHES];
	unsigned int errors;	/* calls of md_error() for the journal */
	struct rcu_head rest_of_switch;
};

static void empty_flush_endio(struct bio *bio)
{
	struct empty_flush *flush = container_of(bio, struct empty_flush, bio);

	flush->ended = true;
	flush->status = bio->bi_status;
}

static int issue_empty_flush(struct log_fixture *f, struct empty_flush *flush)
{
	flush->ended = false;
	bio_init(&flush->bio, f->journal->gd->part0, NULL, 0,
		 REQ_OP_WRITE | REQ_PREFLUSH);
	flush->bio.bi_end_io = empty_flush_endio;
	return r5l_handle_flush_request(f->log, &flush->bio);
}

static void count_error(struct mddev *mddev, struct md_rdev *rdev)
{
	container_of(mddev, struct log_fixture, mddev)->errors++;
	set_bit(Faulty, &rdev->flags);
}

/* End what the journal holds now, and let the log react. */
static unsigned int end_journal_io(struct log_fixture *f, blk_status_t status)
{
	unsigned int ended = kunit_disk_end(f->journal, status);

	flush_work(&f->log->deferred_io_work);
	flush_work(&f->log->barrier_work);
	return ended;
}

/* The log in write-back mode, with its tail at 0 and @used blocks behind it. */
static void set_log(struct log_fixture *f, unsigned int used)
{
	struct r5l_log *log = f->log;

	log->r5c_journal_mode = R5C_JOURNAL_MODE_WRITE_BACK;
	log->device_size = LOG_BLOCKS * BLOCK_SECTORS;
	log->max_free_space = log->device_size >> RECLAIM_MAX_FREE_SPACE_SHIFT;
	log->last_checkpoint = 0;
	log->next_checkpoint = 0;
	log->log_start = used * BLOCK_SECTORS;
	log->seq = 1;
}

/*
 * A FLUSH vouches for what was acknowledged, and that is in the log already.
 * Twice as many of them as the log has blocks must leave it as it is.
 */
static void empty_flush_takes_no_log_block(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct empty_flush *flush = f->flush;
	int i;

	set_log(f, 2);
	for (i = 0; i < 2 * LOG_BLOCKS; i++) {
		issue_empty_flush(f, flush);
		KUNIT_ASSERT_GT(test, end_journal_io(f, BLK_STS_OK), 0);
		KUNIT_ASSERT_TRUE(test, flush->ended);
		KUNIT_ASSERT_TRUE(test, flush->status == BLK_STS_OK);
		KUNIT_ASSERT_EQ(test, f->log->log_start, 2 * BLOCK_SECTORS);
	}
	KUNIT_EXPECT_EQ(test, f->log->seq, 1);
	KUNIT_EXPECT_EQ(test, f->journal->writes, 0);
	KUNIT_EXPECT_EQ(test, f->journal->flushes, 2 * LOG_BLOCKS);
}

/* However many FLUSHes wait, one flush of the journal ends them all. */
static void flushes_share_a_journal_flush(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct empty_flush *flush = f->flush;
	int i;

	set_log(f, 2);
	for (i = 0; i < NR_FLUSHES; i++)
		issue_empty_flush(f, &flush[i]);
	end_journal_io(f, BLK_STS_OK);
	KUNIT_EXPECT_TRUE(test, flush[0].ended);
	end_journal_io(f, BLK_STS_OK);
	for (i = 1; i < NR_FLUSHES; i++)
		KUNIT_EXPECT_TRUE(test, flush[i].ended);
	KUNIT_EXPECT_EQ(test, f->journal->flushes, 2);
}

/*
 * The flush in flight when a FLUSH arrives need not cover what completed
 * before the FLUSH: it must wait for the next one.
 */
static void late_flush_waits_for_the_next(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct empty_flush *flush = f->flush;

	set_log(f, 2);
	issue_empty_flush(f, &flush[0]);
	issue_empty_flush(f, &flush[1]);
	KUNIT_EXPECT_EQ(test, f->journal->flushes, 1);

	KUNIT_EXPECT_EQ(test, end_journal_io(f, BLK_STS_OK), 1);
	KUNIT_EXPECT_TRUE(test, flush[0].ended);
	KUNIT_EXPECT_FALSE(test, flush[1].ended);
	KUNIT_EXPECT_EQ(test, f->journal->flushes, 2);

	end_journal_io(f, BLK_STS_OK);
	KUNIT_EXPECT_TRUE(test, flush[1].ended);
}

/* What the journal could not flush is not acknowledged, and md hears of it. */
static void failed_flush_is_failed(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct empty_flush *flush = f->flush;

	set_log(f, 2);
	issue_empty_flush(f, flush);
	end_journal_io(f, BLK_STS_IOERR);
	KUNIT_EXPECT_TRUE(test, flush->ended);
	KUNIT_EXPECT_TRUE(test, flush->status == BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, f->errors, 1);
}

/* md does not remove a journal, and free its log, below a FLUSH. */
static void flush_pins_the_journal(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct empty_flush *flush = f->flush;

	set_log(f, 2);
	issue_empty_flush(f, &flush[0]);
	issue_empty_flush(f, &flush[1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->rdev.nr_pending), 2);
	end_journal_io(f, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->rdev.nr_pending), 1);
	end_journal_io(f, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->rdev.nr_pending), 0);
}

/* mddev_suspend() waits for active_io to drop: not before the FLUSH ended. */
static void flush_holds_off_suspend(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct empty_flush *flush = f->flush;

	set_log(f, 2);
	issue_empty_flush(f, flush);
	/* only in atomic mode does percpu_ref_is_zero() know at once */
	percpu_ref_switch_to_atomic_sync(&f->mddev.active_io);
	percpu_ref_kill(&f->mddev.active_io);
	KUNIT_EXPECT_FALSE(test, percpu_ref_is_zero(&f->mddev.active_io));
	end_journal_io(f, BLK_STS_OK);
	KUNIT_EXPECT_TRUE(test, flush->ended);
	KUNIT_EXPECT_TRUE(test, percpu_ref_is_zero(&f->mddev.active_io));
	percpu_ref_resurrect(&f->mddev.active_io);
}

static void end_members(struct work_struct *work)
{
	struct log_fixture *f = container_of(work, struct log_fixture,
					     end_members);
	unsigned int i;

	f->held = 0;
	for (i = 0; i < NR_MEMBERS; i++)
		kunit_disk_end(f->member[i], BLK_STS_OK);
}

static bool see_io(struct kunit_disk *disk, struct bio *bio)
{
	struct log_fixture *f = disk->private;
	struct seen_io *io = &f->seen[min(f->nr_seen, NR_IOS - 1)];

	for (io->disk = 0; io->disk < NR_MEMBERS; io->disk++)
		if (disk == f->member[io->disk])
			break;
	io->op = bio_op(bio);
	io->opf = bio->bi_opf;
	io->sector = bio->bi_iter.bi_sector;
	io->sectors = bio_sectors(bio);
	if (io->disk == JOURNAL && io->sector == f->rdev.sb_start)
		io->tail = le64_to_cpu(f->sb->journal_tail);
	io->last_checkpoint = f->log->last_checkpoint;
	io->held = f->held;
	f->nr_seen++;
	if (io->disk != JOURNAL && f->hold_members) {
		/* runs when whoever sent it waits, not before */
		f->held++;
		schedule_work(&f->end_members);
		return false;
	}
	if (disk == f->failing)
		bio->bi_status = BLK_STS_IOERR;
	return true;
}

/* The reclaim thread is parked: has it been woken since this was asked last? */
static bool reclaim_woken(struct log_fixture *f)
{
	struct md_thread *thread = rcu_dereference_raw(f->log->reclaim_thread);

	return test_and_clear_bit(THREAD_WAKEUP, &thread->flags);
}

/* 40 blocks are used, 24 of them by io_units that are finished. */
static void set_reclaimable_log(struct log_fixture *f)
{
	set_log(f, 40);
	f->log->r5c_journal_mode = R5C_JOURNAL_MODE_WRITE_THROUGH;
	f->log->next_checkpoint = 24 * BLOCK_SECTORS;
}

/* Reclaim moves the tail by those 24 blocks or, with @tail 0, not at all. */
static void expect_reclaim_to(struct kunit *test, sector_t tail)
{
	struct log_fixture *f = test->priv;
	unsigned int writes = f->journal->writes;

	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_EQ(test, f->log->last_checkpoint, tail);
	KUNIT_EXPECT_EQ(test, f->rdev.journal_tail, tail);
	KUNIT_EXPECT_EQ(test, f->journal->writes > writes, tail != 0);
	KUNIT_EXPECT_EQ(test, f->log->commit_again, tail == 0);
	f->log->commit_again = false;
	f->mddev.sb_flags = 0;
}

/*
 * The members are flushed, the tail is durable, the range given up is
 * discarded, and only then may writers log into it.
 */
static void space_is_released_last(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct seen_io *io = f->seen;
	int i;

	set_reclaimable_log(f);
	expect_reclaim_to(test, 24 * BLOCK_SECTORS);

	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 2);
	for (i = 0; i < f->nr_seen; i++)
		KUNIT_EXPECT_EQ(test, io[i].last_checkpoint, 0);
	for (i = 0; i < NR_MEMBERS; i++, io++) {
		KUNIT_EXPECT_EQ(test, io->disk, i);
		KUNIT_EXPECT_EQ(test, io->sectors, 0);
		KUNIT_EXPECT_TRUE(test, io->opf & REQ_PREFLUSH);
	}
	KUNIT_EXPECT_EQ(test, io->disk, JOURNAL);
	KUNIT_EXPECT_EQ(test, io->sector, f->rdev.sb_start);
	KUNIT_EXPECT_EQ(test, io->tail, 24 * BLOCK_SECTORS);
	KUNIT_EXPECT_TRUE(test, io->opf & REQ_PREFLUSH);
	KUNIT_EXPECT_TRUE(test, io->opf & REQ_FUA);
	io++;
	KUNIT_EXPECT_EQ(test, io->disk, JOURNAL);
	KUNIT_EXPECT_TRUE(test, io->op == REQ_OP_DISCARD);
	KUNIT_EXPECT_EQ(test, io->sector, 0);
	KUNIT_EXPECT_EQ(test, io->sectors, 24 * BLOCK_SECTORS);
}

/* Not only issued before: the flushes have ended when the tail is written. */
static void tail_waits_for_the_flushes(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->hold_members = true;
	expect_reclaim_to(test, 24 * BLOCK_SECTORS);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 2);
	KUNIT_EXPECT_EQ(test, f->seen[NR_MEMBERS - 1].held, NR_MEMBERS - 1);
	KUNIT_EXPECT_EQ(test, f->seen[NR_MEMBERS].disk, JOURNAL);
	KUNIT_EXPECT_EQ(test, f->seen[NR_MEMBERS].held, 0);
}

/* What is given up round the end of the ring is two ranges. */
static void discard_goes_round_the_ring(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct seen_io *io = &f->seen[NR_MEMBERS + 1];

	set_reclaimable_log(f);
	f->log->last_checkpoint = 56 * BLOCK_SECTORS;
	f->log->log_start = 20 * BLOCK_SECTORS;
	f->log->next_checkpoint = 16 * BLOCK_SECTORS;
	expect_reclaim_to(test, 16 * BLOCK_SECTORS);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 3);
	KUNIT_EXPECT_EQ(test, io[0].sector, 56 * BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, io[0].sectors, 8 * BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, io[1].sector, 0);
	KUNIT_EXPECT_EQ(test, io[1].sectors, 16 * BLOCK_SECTORS);
}

/* Nobody writes to an array that is read-only; recovery is not nobody. */
static void read_only_array_keeps_its_tail(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->mddev.ro = MD_AUTO_READ;
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_EQ(test, f->nr_seen, 0);
	KUNIT_EXPECT_EQ(test, f->log->last_checkpoint, 0);
	set_bit(MD_RECOVERY_WAIT, &f->mddev.recovery);
	expect_reclaim_to(test, 24 * BLOCK_SECTORS);
}

/* As long as io_units are about to finish a few blocks are not worth a flush. */
static void few_blocks_wait_for_more(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh;
	LIST_HEAD(unfinished);

	sh = kunit_kzalloc(test, sizeof(*sh), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sh);
	set_reclaimable_log(f);
	f->log->r5c_journal_mode = R5C_JOURNAL_MODE_WRITE_BACK;
	f->log->next_checkpoint = BLOCK_SECTORS;
	list_add(&sh->log_list, &f->log->no_space_stripes);
	list_add(&unfinished, &f->log->finished_ios);
	r5l_do_reclaim(f->log);
	list_del(&unfinished);
	list_del(&sh->log_list);
	KUNIT_EXPECT_EQ(test, f->nr_seen, 0);
	/* and when there are none, it is as much as can be had */
	f->log->reclaim_target = 1;
	expect_reclaim_to(test, BLOCK_SECTORS);
}

/* After a crash that member would be taken for good, without its cache. */
static void unrecorded_failure_holds_the_tail(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	set_bit(Faulty, &f->member_rdev[1].flags);
	expect_reclaim_to(test, 0);
	f->sb->dev_roles[1] = cpu_to_le16(MD_DISK_ROLE_FAULTY);
	expect_reclaim_to(test, 24 * BLOCK_SECTORS);
}

/* A tail that was held moves when the superblocks have been written, not before. */
static void held_tail_is_tried_again(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	set_bit(Faulty, &f->member_rdev[1].flags);
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_EQ(test, f->log->last_checkpoint, 0);
	/* somebody has to write them */
	KUNIT_EXPECT_TRUE(test, test_bit(MD_SB_CHANGE_DEVS, &f->mddev.sb_flags));
	reclaim_woken(f);
	r5l_retry_commit(f->log);
	KUNIT_EXPECT_FALSE(test, reclaim_woken(f));
	f->mddev.sb_flags = BIT(MD_SB_CHANGE_PENDING);
	r5l_retry_commit(f->log);
	KUNIT_EXPECT_FALSE(test, reclaim_woken(f));
	f->mddev.sb_flags = 0;
	r5l_retry_commit(f->log);
	KUNIT_EXPECT_TRUE(test, reclaim_woken(f));
	/* once is enough */
	r5l_retry_commit(f->log);
	KUNIT_EXPECT_FALSE(test, reclaim_woken(f));
}

/* Whoever starts the log puts a failure on record itself, then commits. */
static void first_commit_records_a_failure(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->failing = f->member[0];
	f->mddev.ro = MD_AUTO_READ;
	KUNIT_EXPECT_EQ(test, r5l_commit_first(f->log, 24 * BLOCK_SECTORS), -EROFS);
	KUNIT_EXPECT_EQ(test, f->rdev.journal_tail, 0);
	f->mddev.ro = MD_RDWR;
	f->failing = NULL;
	KUNIT_EXPECT_EQ(test, r5l_commit_first(f->log, 24 * BLOCK_SECTORS), 0);
	KUNIT_EXPECT_EQ(test, f->rdev.journal_tail, 24 * BLOCK_SECTORS);
	KUNIT_EXPECT_TRUE(test, f->sb->dev_roles[0] ==
			  cpu_to_le16(MD_DISK_ROLE_FAULTY));
	/* recovery may have logged over the old range: it is not discarded */
	KUNIT_ASSERT_LT(test, f->nr_seen, NR_IOS);
	while (f->nr_seen--)
		KUNIT_EXPECT_TRUE(test, f->seen[f->nr_seen].op != REQ_OP_DISCARD);
}

/* A block goes bad when md_update_sb() has counted, and before it stores. */
static void late_bad_block_is_acknowledged(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct badblocks *bb = &f->member_rdev[0].badblocks;

	set_reclaimable_log(f);
	f->late_bad_block = true;
	md_update_sb(&f->mddev, 1);
	KUNIT_EXPECT_FALSE(test, f->late_bad_block);
	/* this time it was stored too late to be acknowledged */
	md_update_sb(&f->mddev, 1);
	KUNIT_EXPECT_EQ(test, bb->unacked_exist, 0);
}

static sector_t no_sync_request(struct mddev *mddev, sector_t sector,
				sector_t max_sector, int *skipped)
{
	return 0;
}

/* J28: to mdadm a journal that is ahead of all members is not the array's */
static void journal_is_not_ahead(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	int i;

	set_reclaimable_log(f);
	f->hold_members = true;
	f->mddev.events = 20;
	f->rdev.sb_events = 20;
	md_update_sb(&f->mddev, 1);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 1);
	KUNIT_EXPECT_EQ(test, f->seen[NR_MEMBERS].disk, JOURNAL);
	KUNIT_EXPECT_EQ(test, f->seen[NR_MEMBERS].held, 0);

	/* it has the greater count, and the members get the smaller one last */
	f->nr_seen = 0;
	f->mddev.in_sync = 1;
	f->mddev.resync_offset = MaxSector;
	f->mddev.can_decrease_events = 1;
	set_bit(MD_SB_CHANGE_CLEAN, &f->mddev.sb_flags);
	md_update_sb(&f->mddev, 0);
	KUNIT_EXPECT_EQ(test, f->mddev.events, 20);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 1);
	KUNIT_EXPECT_EQ(test, f->seen[0].disk, JOURNAL);

	/* no member took it: so the journal does not get it, now or later */
	f->nr_seen = 0;
	for (i = 0; i < NR_MEMBERS; i++)
		set_bit(Faulty, &f->member_rdev[i].flags);
	md_update_sb(&f->mddev, 1);
	md_update_sb(&f->mddev, 1);
	KUNIT_EXPECT_EQ(test, f->nr_seen, 0);
}

/* J28: one that was assembled behind the members is not two behind them then */
static void journal_catches_up(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->mddev.events = 20;
	f->rdev.sb_events = 19;
	md_update_sb(&f->mddev, 1);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 2);
	KUNIT_EXPECT_EQ(test, f->seen[0].disk, JOURNAL);
	KUNIT_EXPECT_EQ(test, f->seen[NR_MEMBERS + 1].disk, JOURNAL);
	KUNIT_EXPECT_EQ(test, f->rdev.sb_events, 21);

	/* but it does not say with the old count that a member has failed */
	f->nr_seen = 0;
	f->rdev.sb_events = 20;
	set_bit(Faulty, &f->member_rdev[0].flags);
	md_update_sb(&f->mddev, 1);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS);
	KUNIT_EXPECT_EQ(test, f->seen[0].disk, 1);
}

/* J28: nor when an update is given up, as a member could not be flushed */
static void count_that_no_disk_has_is_used_again(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->pers.sync_request = no_sync_request;
	f->mddev.events = 20;
	f->rdev.sb_events = 20;
	f->mddev.in_sync = 1;
	f->failing = f->member[0];
	md_update_sb(&f->mddev, 1);
	KUNIT_EXPECT_EQ(test, f->errors, 1);
	KUNIT_EXPECT_EQ(test, f->mddev.events, 21);
	KUNIT_EXPECT_EQ(test, f->rdev.sb_events, 21);
}

/* Whoever stops the array finds somebody who writes, as a reboot may. */
static void stop_below_a_writer_is_not_clean(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	f->mddev.in_sync = 0;
	percpu_ref_get(&f->mddev.writes_pending);
	md_stop_writes(&f->mddev);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 0);
	percpu_ref_put(&f->mddev.writes_pending);
	md_stop_writes(&f->mddev);
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 1);
}

static void end_switch(struct rcu_head *rcu)
{
	struct log_fixture *f = container_of(rcu, struct log_fixture,
					     rest_of_switch);

	percpu_ref_put(&f->mddev.writes_pending);
}

/* A switch of writes_pending has woken us, and goes on to drop its reference. */
static void switch_goes_on(struct mddev *mddev, enum md_test_point point)
{
	struct log_fixture *f = container_of(mddev, struct log_fixture, mddev);

	if (point != MD_POINT_SWITCHED)
		return;
	percpu_ref_get(&mddev->writes_pending);
	call_rcu(&f->rest_of_switch, end_switch);
}

/* J21: that is nobody who writes: the array is clean. */
static void stop_waits_for_all_of_the_switch(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	f->mddev.in_sync = 0;
	md_test_at_point = switch_goes_on;
	md_stop_writes(&f->mddev);
	md_test_at_point = NULL;
	KUNIT_EXPECT_EQ(test, f->mddev.in_sync, 1);
	rcu_barrier(); /* f goes away, also if md did not wait */
}

/* No room in the log, and nothing in flight that would wake reclaim. */
static void parked_stripe_wakes_reclaim(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh;

	sh = kunit_kzalloc(test, struct_size(sh, dev, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sh);
	sh->raid_conf = &f->conf;
	sh->disks = 1;
	sh->log_start = MaxSector;
	sh->dev[0].page = f->rdev.sb_page;
	set_bit(R5_Wantwrite, &sh->dev[0].flags);

	set_reclaimable_log(f);
	set_bit(R5C_LOG_CRITICAL, &f->conf.cache_state);
	reclaim_woken(f);
	r5c_cache_data(f->log, sh);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->log->no_space_stripes));
	KUNIT_EXPECT_TRUE(test, reclaim_woken(f));

	/* one that is in the log already, and the log is full */
	list_del_init(&sh->log_list);
	sh->log_start = 8 * BLOCK_SECTORS;
	f->log->log_start = (LOG_BLOCKS - 1) * BLOCK_SECTORS;
	r5c_cache_data(f->log, sh);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->log->no_space_stripes));
	KUNIT_EXPECT_TRUE(test, reclaim_woken(f));
	list_del_init(&sh->log_list);
}

/* Too many have failed: what is in the log may be nowhere else. */
static void broken_array_keeps_its_log(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	set_bit(MD_BROKEN, &f->mddev.flags);
	KUNIT_EXPECT_FALSE(test, r5l_commit(f->log, 24 * BLOCK_SECTORS));
	KUNIT_EXPECT_EQ(test, f->journal->writes, 0);
	KUNIT_EXPECT_EQ(test, f->log->last_checkpoint, 0);
	f->mddev.persistent = 0;
	KUNIT_EXPECT_FALSE(test, r5l_start_over(f->log));
	KUNIT_EXPECT_EQ(test, f->journal->writes, 0);
}

/* Likewise for a block that only memory knows to be bad. */
static void unacked_bad_block_holds_the_tail(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->member_rdev[0].badblocks.unacked_exist = 1;
	expect_reclaim_to(test, 0);
	f->member_rdev[0].badblocks.unacked_exist = 0;
	expect_reclaim_to(test, 24 * BLOCK_SECTORS);
}

/* A flush that fails says nothing about what the member's cache still has. */
static void failed_member_flush_holds_the_tail(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->failing = f->member[0];
	expect_reclaim_to(test, 0);
	KUNIT_EXPECT_EQ(test, f->errors, 1);
	KUNIT_EXPECT_TRUE(test, test_bit(Faulty, &f->member_rdev[0].flags));
}

/* dm-raid keeps no tail on disk, but its members must be flushed all the same. */
static void failed_member_flush_holds_dm_raid(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	f->mddev.major_version = 2;
	f->failing = f->member[0];
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_EQ(test, f->log->log_start, 40 * BLOCK_SECTORS);
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_EQ(test, f->log->log_start, BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, f->rdev.journal_tail, 0);
}

/*
 * J26: a log that is found at the first block alone does not go round. Nothing
 * is discarded, and the members have all when it starts over.
 */
static void log_starts_over(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct seen_io *io = f->seen;
	int i;

	set_reclaimable_log(f);
	f->mddev.persistent = 0;
	f->log->reclaim_target = 1;
	r5l_do_reclaim(f->log);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 1);
	for (i = 0; i < NR_MEMBERS; i++, io++) {
		KUNIT_EXPECT_EQ(test, io->disk, i);
		KUNIT_EXPECT_TRUE(test, io->opf & REQ_PREFLUSH);
	}
	KUNIT_EXPECT_EQ(test, io->disk, JOURNAL);
	KUNIT_EXPECT_TRUE(test, io->op == REQ_OP_WRITE);
	KUNIT_EXPECT_EQ(test, io->sector, 0);
	KUNIT_EXPECT_TRUE(test, io->opf & REQ_FUA);
	KUNIT_EXPECT_EQ(test, f->log->last_checkpoint, 0);
	KUNIT_EXPECT_EQ(test, f->log->next_checkpoint, 0);
	KUNIT_EXPECT_EQ(test, f->log->log_start, BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, f->log->seq, 2);
}

/* J26: nor does it start over as long as anything in it is needed */
static void log_that_is_needed_goes_on(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	LIST_HEAD(unfinished);

	set_reclaimable_log(f);
	f->mddev.persistent = 0;
	list_add(&unfinished, &f->log->finished_ios);
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_TRUE(test, r5l_start_over(f->log));
	list_del(&unfinished);
	md_writeback_start(&f->mddev);
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_TRUE(test, r5l_start_over(f->log));
	md_writeback_end(&f->mddev);
	KUNIT_EXPECT_EQ(test, f->nr_seen, 0);
	KUNIT_EXPECT_EQ(test, f->log->log_start, 40 * BLOCK_SECTORS);

	/* or a member's failure is not on record */
	set_bit(Blocked, &f->member_rdev[1].flags);
	set_bit(Faulty, &f->member_rdev[1].flags);
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_TRUE(test, f->log->commit_again);
	KUNIT_EXPECT_EQ(test, f->log->log_start, 40 * BLOCK_SECTORS);
	clear_bit(Blocked, &f->member_rdev[1].flags);
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_EQ(test, f->log->log_start, BLOCK_SECTORS);
}

/* J26: where the worst of one stripe does not fit, none would ever be let in */
static void too_small_for_write_back(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	sector_t wanted = 4 * r5l_stripe_worst(&f->conf) + BLOCK_SECTORS;
	int i;

	set_bit(In_sync, &f->member_rdev[0].flags);
	for (i = 0; i < f->conf.raid_disks; i++)
		f->conf.disks[i].rdev = &f->member_rdev[0];
	set_log(f, 1);
	f->log->r5c_journal_mode = R5C_JOURNAL_MODE_WRITE_THROUGH;
	f->mddev.persistent = 0;
	f->log->device_size = wanted - BLOCK_SECTORS;
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			r5c_journal_mode_set(&f->mddev, R5C_JOURNAL_MODE_WRITE_BACK));
	f->log->device_size = wanted;
	KUNIT_EXPECT_EQ(test, 0,
			r5c_journal_mode_set(&f->mddev, R5C_JOURNAL_MODE_WRITE_BACK));
	r5c_update_log_state(f->log);
	KUNIT_EXPECT_FALSE(test, test_bit(R5C_LOG_CRITICAL, &f->conf.cache_state));
}

/* May another stripe be cached with so many blocks free, and so many cached? */
static bool lets_in(struct log_fixture *f, unsigned int blocks, int cached)
{
	int i;

	set_log(f, LOG_BLOCKS - blocks);
	for (i = 0; i < cached; i++)
		md_writeback_start(&f->mddev);
	r5c_update_log_state(f->log);
	for (i = 0; i < cached; i++)
		md_writeback_end(&f->mddev);
	return !test_bit(R5C_LOG_CRITICAL, &f->conf.cache_state);
}

/*
 * J26: the last stripes of a lap can be written out: a stripe is let in only if
 * each one, and those not counted yet, can log all of its blocks twice.
 */
static void log_that_starts_over_keeps_room(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	unsigned int each = 2 * (f->conf.raid_disks + 1);

	KUNIT_EXPECT_TRUE(test, lets_in(f, 2 * each, 0));
	KUNIT_EXPECT_TRUE(test, lets_in(f, 3 * each, 1));
	f->mddev.persistent = 0;
	KUNIT_EXPECT_FALSE(test, lets_in(f, 2 * each, 0));
	KUNIT_EXPECT_FALSE(test, lets_in(f, 3 * each, 1));
	KUNIT_EXPECT_TRUE(test, lets_in(f, 6 * each, 0));
}

/* A journal that is gone must not keep the writes that wait for its space. */
static void faulty_journal_releases_its_space(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_reclaimable_log(f);
	set_bit(Faulty, &f->rdev.flags);
	r5l_do_reclaim(f->log);
	KUNIT_EXPECT_EQ(test, f->log->last_checkpoint, 24 * BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, f->nr_seen, 0);
}

/*
 * A stripe knows its place in the log as soon as it is added to the io_unit
 * that is being filled. The tail must not name a block that nobody has written.
 */
static void tail_names_a_finished_unit(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh;

	sh = kunit_kzalloc(test, sizeof(*sh), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sh);
	set_reclaimable_log(f);
	f->log->r5c_journal_mode = R5C_JOURNAL_MODE_WRITE_BACK;
	list_add_tail(&sh->r5c, &f->log->stripe_in_journal_list);

	sh->log_start = 32 * BLOCK_SECTORS;
	KUNIT_EXPECT_EQ(test, r5c_calculate_new_cp(&f->conf),
			24 * BLOCK_SECTORS);
	sh->log_start = 16 * BLOCK_SECTORS;
	KUNIT_EXPECT_EQ(test, r5c_calculate_new_cp(&f->conf),
			16 * BLOCK_SECTORS);
	/* and round the end of the ring */
	f->log->last_checkpoint = 60 * BLOCK_SECTORS;
	f->log->next_checkpoint = 62 * BLOCK_SECTORS;
	sh->log_start = 2 * BLOCK_SECTORS;
	KUNIT_EXPECT_EQ(test, r5c_calculate_new_cp(&f->conf),
			62 * BLOCK_SECTORS);
}

/* A stripe of a data block and parity, that are up to date and to be written. */
static struct stripe_head *written_stripe(struct kunit *test,
					  struct log_fixture *f)
{
	struct stripe_head *sh;
	int i;

	sh = kunit_kzalloc(test, struct_size(sh, dev, 2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sh);
	sh->raid_conf = &f->conf;
	sh->disks = 2;
	sh->pd_idx = 1;
	sh->qd_idx = -1;
	sh->log_start = MaxSector;
	INIT_LIST_HEAD(&sh->log_list);
	INIT_LIST_HEAD(&sh->r5c);
	for (i = 0; i < sh->disks; i++) {
		sh->dev[i].page = f->rdev.sb_page;
		sh->dev[i].orig_page = f->rdev.sb_page;
		sh->dev[i].flags = BIT(R5_Wantwrite) | BIT(R5_LOCKED) |
				   BIT(R5_UPTODATE);
	}
	sh->dev[0].written = &f->flush[0].bio;
	return sh;
}

/* J2: a stripe that is being checked is logged if somebody has written to it. */
static void write_during_check_is_logged(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);

	set_log(f, LOG_BLOCKS - 1);
	set_bit(STRIPE_SYNCING, &sh->state);
	KUNIT_EXPECT_EQ(test, r5l_write_stripe(f->log, sh), 0);
	/* there is no space just now */
	KUNIT_EXPECT_FALSE(test, list_empty(&sh->log_list));
	list_del_init(&sh->log_list);

	/* what the check writes by itself is not, whole or not */
	sh->dev[0].written = NULL;
	KUNIT_EXPECT_EQ(test, r5l_write_stripe(f->log, sh), -EAGAIN);
	clear_bit(R5_Wantwrite, &sh->dev[0].flags);
	clear_bit(STRIPE_SYNCING, &sh->state);
	KUNIT_EXPECT_EQ(test, r5l_write_stripe(f->log, sh), -EAGAIN);
}

/* J6: it would stay at the log's tail for as long as it is written to. */
static void hot_stripe_is_written_out(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct stripe_head_state s = { .injournal = 1 };

	set_log(f, 2);
	INIT_RADIX_TREE(&f->log->big_stripe_tree, GFP_NOWAIT);
	set_bit(STRIPE_R5C_CACHING, &sh->state);
	set_bit(STRIPE_R5C_PARTIAL_STRIPE, &sh->state);
	KUNIT_EXPECT_EQ(test, r5c_try_caching_write(&f->conf, sh, &s, 2), 0);
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_R5C_CACHING, &sh->state));

	s.log_critical = 1;
	KUNIT_EXPECT_EQ(test, r5c_try_caching_write(&f->conf, sh, &s, 2), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_R5C_CACHING, &sh->state));
}

/* J27: what is read, or computed, would come over what was written. */
static void write_waits_for_a_read(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct stripe_head_state s = {};

	set_log(f, 2);
	INIT_RADIX_TREE(&f->log->big_stripe_tree, GFP_NOWAIT);
	f->conf.chunk_sectors = 128;
	sh->dev[0].towrite = sh->dev[0].written;
	sh->dev[0].flags = BIT(R5_OVERWRITE) | BIT(R5_LOCKED) | BIT(R5_Wantread);
	KUNIT_EXPECT_EQ(test, r5c_try_caching_write(&f->conf, sh, &s, 2), 0);
	KUNIT_EXPECT_FALSE(test, test_bit(R5_Wantdrain, &sh->dev[0].flags));
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_R5C_CACHING, &sh->state));
	sh->dev[0].flags = BIT(R5_OVERWRITE) | BIT(R5_Wantcompute);
	KUNIT_EXPECT_EQ(test, r5c_try_caching_write(&f->conf, sh, &s, 2), 0);
	KUNIT_EXPECT_FALSE(test, test_bit(R5_Wantdrain, &sh->dev[0].flags));

	/* another block may be read meanwhile */
	sh->dev[0].flags = BIT(R5_OVERWRITE);
	sh->dev[1].flags = BIT(R5_LOCKED) | BIT(R5_Wantread);
	KUNIT_EXPECT_EQ(test, r5c_try_caching_write(&f->conf, sh, &s, 2), 0);
	KUNIT_EXPECT_TRUE(test, test_bit(R5_Wantdrain, &sh->dev[0].flags));
}

/* J12: that it cannot be read is not what its end looks like. */
static void unreadable_log_has_not_ended(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct r5l_recovery_ctx *ctx;

	set_log(f, 2);
	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	INIT_LIST_HEAD(&ctx->cached_list);
	ctx->meta_page = f->rdev.sb_page;
	KUNIT_ASSERT_EQ(test, r5l_recovery_allocate_ra_pool(f->log, ctx), 0);
	memset(page_address(ctx->ra_pool[0]), 0, PAGE_SIZE);
	f->failing = f->journal;
	KUNIT_EXPECT_EQ(test, r5c_recovery_flush_log(f->log, ctx), -EIO);
	/* read ahead it may; after that failed, it asks for no more than it needs */
	KUNIT_EXPECT_EQ(test, f->seen[f->nr_seen - 1].sectors, BLOCK_SECTORS);
	f->failing = NULL;
	KUNIT_EXPECT_EQ(test, r5c_recovery_flush_log(f->log, ctx), 0);
	r5l_recovery_free_ra_pool(f->log, ctx);
}

/* J16: what is being written out, by reclaim or by itself, is not cached. */
static void cached_stripes_are_counted_once(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct stripe_head_state s = {};
	atomic_t *cached = &f->conf.r5c_cached_partial_stripes;

	set_log(f, 2);
	INIT_RADIX_TREE(&f->log->big_stripe_tree, GFP_NOWAIT);
	f->conf.chunk_sectors = 128;
	sh->dev[0].towrite = sh->dev[0].written;
	sh->dev[0].flags = BIT(R5_OVERWRITE);
	KUNIT_EXPECT_EQ(test, r5c_try_caching_write(&f->conf, sh, &s, 2), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(cached), 1);
	/* and now a part of a block is written */
	sh->dev[0].flags = 0;
	KUNIT_EXPECT_EQ(test, r5c_try_caching_write(&f->conf, sh, &s, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, atomic_read(cached), 0);
	sh->dev[1].flags |= BIT(R5_InJournal);
	r5c_finish_stripe_write_out(&f->conf, sh, &s);
	KUNIT_EXPECT_EQ(test, atomic_read(cached), 0);
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_R5C_PARTIAL_STRIPE, &sh->state));
}

/*
 * A stripe cache of 256 and chunks of 16 stripes, with one that is cached; who
 * holds it keeps it from the handle_list when reclaim lets it go.
 */
static struct stripe_head *cached_stripe(struct kunit *test,
					 struct log_fixture *f, int flag,
					 struct list_head *list)
{
	struct stripe_head *sh = written_stripe(test, f);
	struct r5conf *conf = &f->conf;

	set_log(f, 2);
	INIT_LIST_HEAD(&conf->r5c_full_stripe_list);
	INIT_LIST_HEAD(&conf->r5c_partial_stripe_list);
	conf->max_nr_stripes = 256;
	conf->min_nr_stripes = 256;
	conf->chunk_sectors = 16 << RAID5_STRIPE_SHIFT(conf);
	sh->state = BIT(STRIPE_R5C_CACHING) | BIT(flag);
	atomic_set(&sh->count, 1);
	list_add_tail(&sh->lru, list);
	return sh;
}

/* J16: who wakes reclaim for full stripes, and reclaim, count alike. */
static void full_stripes_are_written_out(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;
	struct stripe_head *sh = cached_stripe(test, f, STRIPE_R5C_FULL_STRIPE,
					       &conf->r5c_full_stripe_list);

	atomic_set(&conf->r5c_cached_full_stripes, 15);
	r5c_do_reclaim(conf);
	KUNIT_EXPECT_FALSE(test, list_empty(&conf->r5c_full_stripe_list));
	atomic_set(&sh->count, 1);
	atomic_set(&conf->r5c_cached_full_stripes, 16);
	r5c_do_reclaim(conf);
	KUNIT_EXPECT_TRUE(test, list_empty(&conf->r5c_full_stripe_list));
	KUNIT_EXPECT_EQ(test, atomic_read(&conf->r5c_cached_full_stripes), 15);
	/* nor does it go by a state of the log that is no more */
	set_bit(R5C_LOG_TIGHT, &conf->cache_state);
	set_bit(R5C_LOG_CRITICAL, &conf->cache_state);
	r5c_do_reclaim(conf);
	KUNIT_EXPECT_EQ(test, conf->cache_state, 0UL);
}

/* T5: all of the cache at once would be one queue, for all who write to it. */
static void quarter_is_written_out(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct r5conf *conf = &f->conf;

	cached_stripe(test, f, STRIPE_R5C_PARTIAL_STRIPE,
		      &conf->r5c_partial_stripe_list);
	atomic_set(&conf->empty_inactive_list_nr, 1);
	atomic_set(&conf->r5c_cached_partial_stripes, 1);
	atomic_set(&f->mddev.writeback.stripes, 1 + 64);
	r5c_do_reclaim(conf);
	KUNIT_EXPECT_FALSE(test, list_empty(&conf->r5c_partial_stripe_list));
	/* one has arrived */
	atomic_set(&f->mddev.writeback.stripes, 1 + 63);
	r5c_do_reclaim(conf);
	KUNIT_EXPECT_TRUE(test, list_empty(&conf->r5c_partial_stripe_list));
	atomic_set(&f->mddev.writeback.stripes, 0);
}

/* J4: that a stripe is on the members is nothing that may be in the log. */
static void write_out_logs_nothing(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct stripe_head_state s = {};

	set_log(f, 2);
	sh->dev[1].flags |= BIT(R5_InJournal);
	r5c_finish_stripe_write_out(&f->conf, sh, &s);
	KUNIT_EXPECT_FALSE(test, test_bit(R5_InJournal, &sh->dev[1].flags));
	KUNIT_EXPECT_NULL(test, f->log->current_io);
	KUNIT_EXPECT_EQ(test, f->log->log_start, 2 * BLOCK_SECTORS);
}

/* J1: write-back does not end, or begin, above stripes that are cached. */
static void mode_waits_for_an_empty_cache(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct mddev *mddev = &f->mddev;

	set_log(f, 2);
	percpu_ref_get(&mddev->writes_pending);
	md_writeback_start(mddev);
	KUNIT_EXPECT_EQ(test, r5c_journal_mode_set(mddev,
						   R5C_JOURNAL_MODE_WRITE_THROUGH),
			-EBUSY);
	KUNIT_EXPECT_TRUE(test, r5c_is_writeback(f->log));
	md_writeback_end(mddev);
	KUNIT_EXPECT_EQ(test, r5c_journal_mode_set(mddev,
						   R5C_JOURNAL_MODE_WRITE_THROUGH),
			0);
	percpu_ref_put(&mddev->writes_pending);
}

/*
 * J1: a journal that failed has no space to wait for. But as long as that is not
 * on record, recovery would read it, and members must not be ahead of it.
 */
static void failed_journal_is_passed_by(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);

	set_log(f, LOG_BLOCKS - 1);
	f->rdev.flags |= BIT(Faulty) | BIT(Blocked);
	KUNIT_EXPECT_EQ(test, r5l_write_stripe(f->log, sh), 0);
	KUNIT_EXPECT_FALSE(test, list_empty(&sh->log_list));
	list_del_init(&sh->log_list);
	clear_bit(Blocked, &f->rdev.flags);
	KUNIT_EXPECT_EQ(test, r5l_write_stripe(f->log, sh), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_LOG_TRAPPED, &sh->state));
	KUNIT_EXPECT_TRUE(test, test_bit(R5_InJournal, &sh->dev[1].flags));
}

/* Somebody who uses the log, until he is told to go. */
struct log_user {
	struct mddev mddev;	/* md_thread() wants one */
	struct log_fixture *f;
	struct work_struct exit;
	struct completion inside;
	struct completion leave;
	struct completion exited;
};

static void use_log(struct md_thread *thread)
{
	struct log_user *user = container_of(thread->mddev, struct log_user,
					     mddev);

	if (!completion_done(&user->inside)) {
		complete_all(&user->inside);
		wait_for_completion(&user->leave);
	}
}

static void exit_log(struct work_struct *work)
{
	struct log_user *user = container_of(work, struct log_user, exit);
	struct log_fixture *f = user->f;

	mutex_lock(&f->mddev.reconfig_mutex);
	r5l_exit_log(&f->conf);
	mutex_unlock(&f->mddev.reconfig_mutex);
	complete(&user->exited);
}

/* J13: the log does not go as long as the array's thread is at work with it. */
static void log_stays_for_the_thread(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct log_user *user;
	struct md_thread *thread;

	user = kunit_kzalloc(test, sizeof(*user), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, user);
	user->f = f;
	user->mddev.pers = f->mddev.pers;
	init_completion(&user->inside);
	init_completion(&user->leave);
	init_completion(&user->exited);
	INIT_WORK(&user->exit, exit_log);
	thread = md_register_thread(use_log, &user->mddev, "user");
	KUNIT_ASSERT_NOT_NULL(test, thread);
	rcu_assign_pointer(f->mddev.thread, thread);
	md_wakeup_thread(f->mddev.thread);
	wait_for_completion(&user->inside);

	schedule_work(&user->exit);
	while (READ_ONCE(f->conf.log))
		schedule_timeout_uninterruptible(1);
	/* it would be gone in less than that */
	schedule_timeout_uninterruptible(HZ / 5);
	KUNIT_EXPECT_FALSE(test, completion_done(&user->exited));
	complete(&user->leave);
	flush_work(&user->exit);
	KUNIT_EXPECT_TRUE(test, completion_done(&user->exited));
	mutex_lock(&f->mddev.reconfig_mutex);
	md_unregister_thread(&f->mddev, &f->mddev.thread);
	mutex_unlock(&f->mddev.reconfig_mutex);
}

static bool late_work_ran;

static void late_work(struct work_struct *work)
{
	schedule_timeout_uninterruptible(HZ / 5);
	WRITE_ONCE(late_work_ran, true);
}

static void log_stays_for_work(struct kunit *test, struct work_struct *work)
{
	struct log_fixture *f = test->priv;

	late_work_ran = false;
	INIT_WORK(work, late_work);
	schedule_work(work);
	mutex_lock(&f->mddev.reconfig_mutex);
	r5l_exit_log(&f->conf);
	mutex_unlock(&f->mddev.reconfig_mutex);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(late_work_ran));
	/* or it runs into the next case */
	schedule_timeout_uninterruptible(HZ / 2);
}

/* J13: nor below its work, which may be late for an io_unit that is gone. */
static void log_stays_for_its_work(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	log_stays_for_work(test, &f->log->deferred_io_work);
}

/* Nor below a helper that was called before there was a log. */
static void log_stays_for_a_helper(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	log_stays_for_work(test, &f->conf.helper[0].work);
}

/* J19: a failed journal vouches for nothing; what is cached, nobody does. */
static void failed_journal_ends_no_flush(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct empty_flush *flush = f->flush;

	/* it fails while this one is in flight */
	set_log(f, 2);
	KUNIT_EXPECT_EQ(test, issue_empty_flush(f, flush), 0);
	set_bit(Faulty, &f->rdev.flags);
	end_journal_io(f, BLK_STS_OK);
	KUNIT_EXPECT_TRUE(test, flush->ended);
	KUNIT_EXPECT_TRUE(test, flush->status == BLK_STS_IOERR);

	percpu_ref_get(&f->mddev.writes_pending);
	md_writeback_start(&f->mddev);
	KUNIT_EXPECT_EQ(test, issue_empty_flush(f, flush), 0);
	KUNIT_EXPECT_TRUE(test, flush->ended);
	KUNIT_EXPECT_TRUE(test, flush->status == BLK_STS_IOERR);
	md_writeback_end(&f->mddev);
	percpu_ref_put(&f->mddev.writes_pending);

	f->log->r5c_journal_mode = R5C_JOURNAL_MODE_WRITE_THROUGH;
	KUNIT_EXPECT_EQ(test, issue_empty_flush(f, flush), -ENODEV);
	KUNIT_EXPECT_FALSE(test, flush->ended);
	clear_bit(Faulty, &f->rdev.flags);
}

/* J19: nor does it take a write that is then acknowledged. */
static void failed_journal_fails_cached_writes(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct empty_flush *write = f->flush;

	bio_init(&write->bio, f->journal->gd->part0, NULL, 0, REQ_OP_WRITE);
	write->bio.bi_end_io = empty_flush_endio;
	percpu_ref_get(&f->mddev.writes_pending);
	set_bit(Faulty, &f->rdev.flags);
	r5c_handle_cached_data_endio(&f->conf, sh, 2);
	clear_bit(Faulty, &f->rdev.flags);
	KUNIT_EXPECT_TRUE(test, write->ended);
	KUNIT_EXPECT_TRUE(test, write->status == BLK_STS_IOERR);
}

/* J15: a write that waits for log space fails when the array does. */
static void failed_array_logs_nothing(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct stripe_head_state s = {};

	set_bit(STRIPE_LOG_TRAPPED, &sh->state);
	KUNIT_EXPECT_FALSE(test, r5l_stop_logging(sh, &s));
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_LOG_TRAPPED, &sh->state));
	s.too_many = true;
	KUNIT_EXPECT_TRUE(test, r5l_stop_logging(sh, &s));
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_LOG_TRAPPED, &sh->state));
	/* neither what was not acknowledged nor parity can be read */
	KUNIT_EXPECT_EQ(test, sh->dev[0].flags, 0UL);
	/* and r5c_finish_stripe_write_out() comes next */
	KUNIT_EXPECT_EQ(test, sh->dev[1].flags, BIT(R5_InJournal));
}

/* J15: what is cached stays so, stays readable, and is waited for no more. */
static void failed_array_keeps_its_cache(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct stripe_head_state s = { .too_many = true, .injournal = 1 };

	set_log(f, 2);
	list_add_tail(&sh->r5c, &f->log->stripe_in_journal_list);
	percpu_ref_get(&f->mddev.writes_pending);
	md_writeback_start(&f->mddev);
	/* the member's block could not be read; the rest was written */
	sh->dev[0].flags = BIT(R5_InJournal) | BIT(R5_LOCKED);
	sh->dev[1].flags = BIT(R5_InJournal) | BIT(R5_UPTODATE) | BIT(R5_LOCKED);
	r5c_keep_cached(sh, &s);
	KUNIT_EXPECT_TRUE(test, test_bit(STRIPE_R5C_CACHING, &sh->state));
	KUNIT_EXPECT_EQ(test, sh->dev[0].flags,
			BIT(R5_InJournal) | BIT(R5_UPTODATE));
	KUNIT_EXPECT_EQ(test, sh->dev[1].flags, 0UL);
	KUNIT_EXPECT_EQ(test, md_writeback_drain(&f->mddev, HZ), -EIO);
	/* a member is back */
	s.too_many = false;
	r5c_keep_cached(sh, &s);
	KUNIT_EXPECT_EQ(test, md_writeback_drain(&f->mddev, 1), -ETIMEDOUT);
	/* it had never been cached, and goes on being written out */
	KUNIT_EXPECT_FALSE(test, test_bit(STRIPE_R5C_CACHING, &sh->state));
	list_del_init(&sh->r5c);
	md_writeback_end(&f->mddev);
	percpu_ref_put(&f->mddev.writes_pending);
}

/* J22: the cached page steps aside and comes back, and nothing is leaked. */
static void stashed_page_comes_back(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct stripe_head *sh = written_stripe(test, f);
	struct page *page = f->rdev.sb_page;
	struct page *aside;

	sh->dev[0].flags = BIT(R5_InJournal) | BIT(R5_UPTODATE);
	sh->dev[1].flags = BIT(R5_UPTODATE);
	KUNIT_ASSERT_TRUE(test, r5c_stash(sh));
	aside = sh->dev[0].page;
	KUNIT_EXPECT_PTR_NE(test, aside, page);
	KUNIT_EXPECT_PTR_EQ(test, sh->dev[1].page, page);
	/* what is read now is what the member has */
	KUNIT_EXPECT_EQ(test, sh->dev[0].flags, BIT(R5_Stashed));
	get_page(aside);
	r5c_unstash(sh);
	KUNIT_EXPECT_PTR_EQ(test, sh->dev[0].page, page);
	KUNIT_EXPECT_EQ(test, sh->dev[0].flags,
			BIT(R5_InJournal) | BIT(R5_UPTODATE));
	KUNIT_EXPECT_EQ(test, sh->state, 0UL);
	KUNIT_EXPECT_EQ(test, page_count(aside), 1);
	put_page(aside);
}

static void free_recovery_pages(void *data)
{
	struct r5l_recovery_ctx *ctx = data;

	__free_page(ctx->meta_page);
	__free_page(ctx->ra_pool[0]);
}

/* A recovery that has come to block 8 of the log, sequence number 100. */
static struct r5l_recovery_ctx *recovery_at_8(struct kunit *test,
					      struct log_fixture *f)
{
	struct r5l_recovery_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx),
						     GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ctx);
	set_log(f, 40);
	INIT_LIST_HEAD(&ctx->cached_list);
	ctx->meta_page = alloc_page(GFP_KERNEL | __GFP_NOFAIL);
	ctx->ra_pool[0] = alloc_page(GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_recovery_pages,
						  ctx));
	ctx->pool_offset = 8 * BLOCK_SECTORS;
	ctx->total_pages = 1;
	ctx->valid_pages = 1;
	ctx->pos = 8 * BLOCK_SECTORS;
	ctx->seq = 100;
	return ctx;
}

/* Is a record with this sequence number and size the next one? */
static int read_record(struct log_fixture *f, struct r5l_recovery_ctx *ctx,
		       u64 seq, int payload)
{
	struct r5l_meta_block *mb = page_address(ctx->ra_pool[0]);

	r5l_recovery_create_empty_meta_block(f->log, ctx->ra_pool[0], ctx->pos,
					     seq);
	le32_add_cpu(&mb->meta_size, payload);
	mb->checksum = cpu_to_le32(crc32c(f->log->uuid_checksum, mb,
					  PAGE_SIZE));
	ctx->seq = 100;
	return r5l_recovery_read_meta_block(f->log, ctx);
}

/* J12: what a recovery logged that the power cut short is part of the log */
static void unfinished_recovery_is_read(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct r5l_recovery_ctx *ctx = recovery_at_8(test, f);

	KUNIT_EXPECT_EQ(test, read_record(f, ctx, 100, 24), 0);
	KUNIT_EXPECT_EQ(test, ctx->seq, 100);
	KUNIT_EXPECT_EQ(test, read_record(f, ctx, 101, 24), -EINVAL);
	KUNIT_EXPECT_EQ(test, read_record(f, ctx, 10099, 24), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx->seq, 100);
	KUNIT_EXPECT_EQ(test, read_record(f, ctx, 10100, 24), 0);
	KUNIT_EXPECT_EQ(test, ctx->seq, 10100);
	/* the new log that it began: to be begun anew, in the same place */
	KUNIT_EXPECT_EQ(test, read_record(f, ctx, 10100, 0), -EINVAL);
}

/* J12: two blocks for each stripe and one for the new log must be free */
static void recovery_stops_short_of_the_tail(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct r5l_recovery_ctx *ctx = recovery_at_8(test, f);

	ctx->data_only_stripes = 10;
	set_log(f, LOG_BLOCKS - 22);
	KUNIT_EXPECT_TRUE(test, r5c_recovery_has_room(f->log, ctx));
	set_log(f, LOG_BLOCKS - 21);
	KUNIT_EXPECT_FALSE(test, r5c_recovery_has_room(f->log, ctx));
}

/* J12: the new log is there, then the members have all, then the tail moves */
static void new_log_begins_behind_the_old(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct seen_io *io = f->seen;
	int i;

	set_log(f, 40);
	KUNIT_EXPECT_EQ(test, r5l_recovery_new_log(f->log), 0);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 2);
	KUNIT_EXPECT_EQ(test, io->disk, JOURNAL);
	KUNIT_EXPECT_EQ(test, io->sector, 40 * BLOCK_SECTORS);
	KUNIT_EXPECT_TRUE(test, io->opf & REQ_FUA);
	KUNIT_EXPECT_EQ(test, io->last_checkpoint, 0);
	for (i = 0, io++; i < NR_MEMBERS; i++, io++) {
		KUNIT_EXPECT_EQ(test, io->disk, i);
		KUNIT_EXPECT_TRUE(test, io->opf & REQ_PREFLUSH);
	}
	KUNIT_EXPECT_EQ(test, io->tail, 40 * BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, f->log->log_start, 41 * BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, f->log->seq, R5L_RECOVERY_SEQ_JUMP + 2);
}

/* J25: dm-raid finds its log there only; the old one ends when all is on the members */
static void new_log_begins_at_the_first_block(struct kunit *test)
{
	struct log_fixture *f = test->priv;
	struct seen_io *io = f->seen;
	int i;

	f->mddev.persistent = 0;
	set_log(f, 40);
	KUNIT_EXPECT_EQ(test, r5l_recovery_new_log(f->log), 0);
	KUNIT_ASSERT_EQ(test, f->nr_seen, NR_MEMBERS + 1);
	for (i = 0; i < NR_MEMBERS; i++, io++) {
		KUNIT_EXPECT_EQ(test, io->disk, i);
		KUNIT_EXPECT_TRUE(test, io->opf & REQ_PREFLUSH);
	}
	KUNIT_EXPECT_EQ(test, io->disk, JOURNAL);
	KUNIT_EXPECT_EQ(test, io->sector, 0);
	KUNIT_EXPECT_TRUE(test, io->opf & REQ_FUA);
	KUNIT_EXPECT_EQ(test, f->log->last_checkpoint, 0);
	KUNIT_EXPECT_EQ(test, f->log->next_checkpoint, 0);
	KUNIT_EXPECT_EQ(test, f->log->log_start, BLOCK_SECTORS);
	KUNIT_EXPECT_EQ(test, f->log->seq, R5L_RECOVERY_SEQ_JUMP + 2);
}

/* J12: one that failed has its records yet, and the members may lose theirs */
static void failed_journal_keeps_its_log(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	set_log(f, 40);
	set_bit(Faulty, &f->rdev.flags);
	KUNIT_EXPECT_EQ(test, r5l_recovery_new_log(f->log), -EIO);
	KUNIT_EXPECT_EQ(test, f->journal->writes, 0);
	f->mddev.persistent = 0;
	KUNIT_EXPECT_EQ(test, r5l_recovery_new_log(f->log), -EIO);
	KUNIT_EXPECT_EQ(test, f->journal->writes, 0);
}

/* J25: not before a member that failed is on record, or it is back after a crash */
static void first_block_waits_for_the_record(struct kunit *test)
{
	struct log_fixture *f = test->priv;

	f->mddev.persistent = 0;
	set_log(f, 40);
	set_bit(Blocked, &f->member_rdev[1].flags);
	set_bit(Faulty, &f->member_rdev[1].flags);
	f->mddev.ro = MD_AUTO_READ;
	KUNIT_EXPECT_EQ(test, r5l_recovery_new_log(f->log), -EROFS);
	KUNIT_EXPECT_EQ(test, f->journal->writes, 0);
	f->mddev.ro = MD_RDWR;
	KUNIT_EXPECT_EQ(test, r5l_recovery_new_log(f->log), 0);
	KUNIT_EXPECT_FALSE(test, test_bit(Blocked, &f->member_rdev[1].flags));
	KUNIT_EXPECT_EQ(test, f->journal->writes, 1);
}

/* In the place of super_1_sync(): who failed, and which blocks went bad. */
static void fixture_sync_super(struct mddev *mddev, struct md_rdev *rdev)
{
	struct log_fixture *f = container_of(mddev, struct log_fixture, mddev);
	int i;

	if (rdev == &f->member_rdev[0] && f->late_bad_block) {
		f->late_bad_block = false;
		rdev->badblocks.unacked_exist = 1;
	}
	for (i = 0; i < NR_MEMBERS; i++)
		if (test_bit(Faulty, &f->member_rdev[i].flags))
			f->sb->dev_roles[i] = cpu_to_le16(MD_DISK_ROLE_FAULTY);
}

/* For a case that reclaims: its I/O ends as it is issued, and is seen. */
static void add_members(struct kunit *test, struct log_fixture *f)
{
	struct md_rdev *rdev;
	int i;

	for (i = 0; i < NR_MEMBERS; i++) {
		f->member[i] = kunit_disk_alloc(test, 1024);
		f->member[i]->private = f;
		f->member[i]->at_once = see_io;
		rdev = &f->member_rdev[i];
		KUNIT_ASSERT_EQ(test, md_rdev_init(rdev), 0);
		rdev->mddev = &f->mddev;
		rdev->bdev = f->member[i]->gd->part0;
		rdev->raid_disk = i;
		rdev->desc_nr = i;
		rdev->sb_size = 512;
		rdev->sb_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, rdev->sb_page);
		list_add_tail(&rdev->same_set, &f->mddev.disks);
	}

	f->rdev.sb_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, f->rdev.sb_page);
	f->rdev.sb_start = LOG_BLOCKS * BLOCK_SECTORS + 8;
	f->rdev.sb_size = 512;
	f->rdev.desc_nr = JOURNAL;
	f->sb = page_address(f->rdev.sb_page);
	f->sb->max_dev = cpu_to_le32(JOURNAL + 1);
	for (i = 0; i < NR_MEMBERS; i++)
		f->sb->dev_roles[i] = cpu_to_le16(i);
	f->sb->dev_roles[JOURNAL] = cpu_to_le16(MD_DISK_ROLE_JOURNAL);
	list_add_tail(&f->rdev.same_set, &f->mddev.disks);
	f->journal->private = f;
	f->mddev.persistent = 1;
	f->mddev.major_version = 1;
	f->mddev.sync_super = fixture_sync_super;
	INIT_WORK(&f->end_members, end_members);
	kthread_park(rcu_dereference_raw(f->log->reclaim_thread)->tsk);
}

static void log_fixture_free(void *data)
{
	struct log_fixture *f = data;
	int i;

	/* a case that failed may have left I/O behind */
	while (f->conf.log && end_journal_io(f, BLK_STS_IOERR))
		;
	mutex_lock(&f->mddev.reconfig_mutex);
	if (f->conf.log)
		r5l_exit_log(&f->conf);
	mutex_unlock(&f->mddev.reconfig_mutex);
	for (i = 0; i < NR_MEMBERS; i++)
		if (f->member[i])
			md_rdev_clear(&f->member_rdev[i]);
	md_rdev_clear(&f->rdev);
	mddev_destroy(&f->mddev);
}

static int log_fixture_init(struct kunit *test)
{
	struct log_fixture *f;
	int i;

	if (PAGE_SIZE != 4096)
		kunit_skip(test, "the journal wants pages of 4096 bytes");
	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->journal = kunit_disk_alloc(test, 2 * LOG_BLOCKS * BLOCK_SECTORS);

	KUNIT_ASSERT_EQ(test, mddev_init(&f->mddev), 0);
	f->pers.error_handler = count_error;
	f->mddev.pers = &f->pers;
	f->mddev.private = &f->conf;
	f->conf.mddev = &f->mddev;
	f->conf.raid_disks = 4;
	f->conf.max_degraded = 1;
	f->conf.disks = kunit_kcalloc(test, f->conf.raid_disks,
				      sizeof(*f->conf.disks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->conf.disks);
	spin_lock_init(&f->conf.device_lock);
	for (i = 0; i < R5_HELPERS; i++)
		INIT_WORK(&f->conf.helper[i].work, late_work);

	KUNIT_ASSERT_EQ(test, md_rdev_init(&f->rdev), 0);
	f->rdev.mddev = &f->mddev;
	f->rdev.bdev = f->journal->gd->part0;
	f->rdev.sectors = LOG_BLOCKS * BLOCK_SECTORS;
	set_bit(Journal, &f->rdev.flags);

	KUNIT_ASSERT_EQ(test, r5l_init_log(&f->conf, &f->rdev), 0);
	f->log = f->conf.log;
	return kunit_add_action_or_reset(test, log_fixture_free, f);
}

static int reclaim_fixture_init(struct kunit *test)
{
	struct log_fixture *f;
	int err = log_fixture_init(test);

	if (err)
		return err;
	f = test->priv;
	add_members(test, f);
	f->journal->at_once = see_io;
	return 0;
}

static struct kunit_case raid5_cache_cases[] = {
	KUNIT_CASE(empty_flush_takes_no_log_block),
	KUNIT_CASE(flushes_share_a_journal_flush),
	KUNIT_CASE(late_flush_waits_for_the_next),
	KUNIT_CASE(failed_flush_is_failed),
	KUNIT_CASE(flush_pins_the_journal),
	KUNIT_CASE(flush_holds_off_suspend),
	KUNIT_CASE(log_stays_for_the_thread),
	KUNIT_CASE(log_stays_for_its_work),
	KUNIT_CASE(log_stays_for_a_helper),
	KUNIT_CASE(failed_journal_ends_no_flush),
	KUNIT_CASE(failed_journal_fails_cached_writes),
	{}
};

static struct kunit_suite raid5_cache_suite = {
	.name = "raid5-cache",
	.init = log_fixture_init,
	.test_cases = raid5_cache_cases,
};

static struct kunit_case raid5_reclaim_cases[] = {
	KUNIT_CASE(space_is_released_last),
	KUNIT_CASE(tail_waits_for_the_flushes),
	KUNIT_CASE(discard_goes_round_the_ring),
	KUNIT_CASE(read_only_array_keeps_its_tail),
	KUNIT_CASE(few_blocks_wait_for_more),
	KUNIT_CASE(held_tail_is_tried_again),
	KUNIT_CASE(first_commit_records_a_failure),
	KUNIT_CASE(late_bad_block_is_acknowledged),
	KUNIT_CASE(parked_stripe_wakes_reclaim),
	KUNIT_CASE(journal_is_not_ahead),
	KUNIT_CASE(journal_catches_up),
	KUNIT_CASE(count_that_no_disk_has_is_used_again),
	KUNIT_CASE(stop_below_a_writer_is_not_clean),
	KUNIT_CASE(stop_waits_for_all_of_the_switch),
	KUNIT_CASE(unrecorded_failure_holds_the_tail),
	KUNIT_CASE(unacked_bad_block_holds_the_tail),
	KUNIT_CASE(broken_array_keeps_its_log),
	KUNIT_CASE(failed_member_flush_holds_the_tail),
	KUNIT_CASE(failed_member_flush_holds_dm_raid),
	KUNIT_CASE(log_starts_over),
	KUNIT_CASE(log_that_is_needed_goes_on),
	KUNIT_CASE(log_that_starts_over_keeps_room),
	KUNIT_CASE(too_small_for_write_back),
	KUNIT_CASE(faulty_journal_releases_its_space),
	KUNIT_CASE(tail_names_a_finished_unit),
	KUNIT_CASE(mode_waits_for_an_empty_cache),
	KUNIT_CASE(write_during_check_is_logged),
	KUNIT_CASE(write_out_logs_nothing),
	KUNIT_CASE(hot_stripe_is_written_out),
	KUNIT_CASE(write_waits_for_a_read),
	KUNIT_CASE(unreadable_log_has_not_ended),
	KUNIT_CASE(cached_stripes_are_counted_once),
	KUNIT_CASE(full_stripes_are_written_out),
	KUNIT_CASE(quarter_is_written_out),
	KUNIT_CASE(failed_journal_is_passed_by),
	KUNIT_CASE(failed_array_logs_nothing),
	KUNIT_CASE(failed_array_keeps_its_cache),
	KUNIT_CASE(stashed_page_comes_back),
	{}
};

static struct kunit_suite raid5_reclaim_suite = {
	.name = "raid5-reclaim",
	.init = reclaim_fixture_init,
	.test_cases = raid5_reclaim_cases,
};

static struct kunit_case raid5_recovery_cases[] = {
	KUNIT_CASE(unfinished_recovery_is_read),
	KUNIT_CASE(recovery_stops_short_of_the_tail),
	KUNIT_CASE(new_log_begins_behind_the_old),
	KUNIT_CASE(new_log_begins_at_the_first_block),
	KUNIT_CASE(first_block_waits_for_the_record),
	KUNIT_CASE(failed_journal_keeps_its_log),
	{}
};

static struct kunit_suite raid5_recovery_suite = {
	.name = "raid5-recovery",
	.init = reclaim_fixture_init,
	.test_cases = raid5_recovery_cases,
};

kunit_test_suites(&raid5_cache_suite, &raid5_reclaim_suite,
		  &raid5_recovery_suite);
