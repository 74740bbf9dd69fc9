/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MD_WRITE_H
#define _MD_WRITE_H

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/types.h>

struct mddev;

/* a write-back cache that no stripe has joined for so long is written out */
#define MD_WRITEBACK_IDLE	(5 * HZ)
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
bool md_writeback_wanted(struct mddev *mddev);
void md_writeback_start(struct mddev *mddev);
void md_writeback_end(struct mddev *mddev);
void md_writeback_stuck(struct mddev *mddev, bool stuck);
void md_writeback_ask(struct mddev *mddev);
bool md_writeback_idle(struct mddev *mddev);
int md_writeback_drain(struct mddev *mddev, unsigned long timeout);

#endif /* _MD_WRITE_H */
