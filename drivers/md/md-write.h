/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MD_WRITE_H
#define _MD_WRITE_H

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/types.h>

struct mddev;

/* a write-back cache that no stripe has joined for so long is written out */
#define MD_WRITEBACK_IDLE	(5 * HZ)
/* safe_mode_delay is doubled at most so often: by default, up to 6.4 seconds */
#define MD_BACKOFF_MAX		5
/* so long does a reboot wait for it */
#define MD_WRITEBACK_REBOOT	(10 * HZ)

/**
 * struct md_writeback - what is acknowledged, and not on the members yet
 * @stripes: so many stripes; see md_writeback_start()
 * @stuck: so many of them cannot be written out
 * @drainers: so many wait until nothing is left that can be written out
 * @wanted: write it out although nobody waits; until it is empty or grows
 * @joined: when a stripe joined last, in jiffies
 */
struct md_writeback {
	atomic_t	stripes;
	atomic_t	stuck;
	atomic_t	drainers;
	bool		wanted;
	unsigned long	joined;
};

int md_writeback_stripes(struct mddev *mddev);
int md_writeback_pending(struct mddev *mddev);
bool md_writeback_wanted(struct mddev *mddev);
void md_writeback_start(struct mddev *mddev);
void md_writeback_end(struct mddev *mddev);
void md_writeback_stuck(struct mddev *mddev, bool stuck);
void md_writeback_ask(struct mddev *mddev);
bool md_writeback_idle(struct mddev *mddev);
int md_writeback_drain(struct mddev *mddev, unsigned long timeout);

/* where a KUnit case steps in for another task */
enum md_test_point {
	MD_POINT_FIRST_LOAD,	/* md_write_start(), between its two loads */
	MD_POINT_DIRTY,		/* md_set_dirty(), between its two stores */
	MD_POINT_SWITCHED,	/* md_count_writes(), between its two waits */
	MD_POINT_READ_ONLY,	/* md_check_recovery() took it for read-only */
	MD_POINT_SPARES,	/* md_start_sync() has looked who is to go */
	MD_POINT_FAULTY,	/* raid5_error() has set Faulty */
	MD_POINT_BLOCK_DIRTY,	/* llbitmap_set_page_dirty() has set the block's */
};

#if IS_ENABLED(CONFIG_MD_RAID456_KUNIT_TEST)
extern void (*md_test_at_point)(struct mddev *mddev, enum md_test_point point);

static inline void md_test_point(struct mddev *mddev, enum md_test_point point)
{
	if (md_test_at_point)
		md_test_at_point(mddev, point);
}
#else
static inline void md_test_point(struct mddev *mddev, enum md_test_point point)
{
}
#endif

#endif /* _MD_WRITE_H */
