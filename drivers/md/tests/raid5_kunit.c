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

static int stripe_fixture_init(struct kunit *test)
{
	struct stripe_fixture *f;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->sh = kunit_kzalloc(test, struct_size(f->sh, dev, 1), GFP_KERNEL);
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
	KUNIT_CASE(unrecorded_replacement_blocks_a_stripe),
	{}
};

static struct kunit_suite raid5_suite = {
	.name = "raid5",
	.init = stripe_fixture_init,
	.test_cases = raid5_cases,
};

kunit_test_suite(raid5_suite);
