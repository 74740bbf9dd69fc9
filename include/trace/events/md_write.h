/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM md_write

#if !defined(_TRACE_MD_WRITE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MD_WRITE_H

#include <linux/tracepoint.h>

/**
 * md_write_wait - a write has waited in md_write_start()
 * @name: the array
 * @sector: where the write begins, in sectors of the array
 * @ns: so long it waited for the superblocks to say that the array is dirty
 */
TRACE_EVENT(md_write_wait,

	TP_PROTO(const char *name, sector_t sector, u64 ns),

	TP_ARGS(name, sector, ns),

	TP_STRUCT__entry(
		__string(name,		name)
		__field(sector_t,	sector)
		__field(u64,		ns)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->sector	= sector;
		__entry->ns	= ns;
	),

	TP_printk("%s sector=%llu ns=%llu", __get_str(name),
		  (unsigned long long)__entry->sector, __entry->ns)
);

/**
 * md_in_sync - the array has become clean, or dirty
 * @name: the array
 * @clean: which of the two; the superblocks will say so
 */
TRACE_EVENT(md_in_sync,

	TP_PROTO(const char *name, bool clean),

	TP_ARGS(name, clean),

	TP_STRUCT__entry(
		__string(name,	name)
		__field(bool,	clean)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->clean	= clean;
	),

	TP_printk("%s %s", __get_str(name), __entry->clean ? "clean" : "dirty")
);

DECLARE_EVENT_CLASS(md_writeback,

	TP_PROTO(const char *name, int stripes),

	TP_ARGS(name, stripes),

	TP_STRUCT__entry(
		__string(name,	name)
		__field(int,	stripes)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->stripes	= stripes;
	),

	TP_printk("%s stripes=%d", __get_str(name), __entry->stripes)
);

/**
 * md_writeback_start - a stripe has joined the write-back cache
 * @name: the array
 * @stripes: so many wait to be written out now
 */
DEFINE_EVENT(md_writeback, md_writeback_start,
	TP_PROTO(const char *name, int stripes),
	TP_ARGS(name, stripes)
);

/**
 * md_writeback_end - a stripe has left it
 * @name: the array
 * @stripes: so many wait to be written out still
 */
DEFINE_EVENT(md_writeback, md_writeback_end,
	TP_PROTO(const char *name, int stripes),
	TP_ARGS(name, stripes)
);

/**
 * md_writeback_drain - somebody has waited for the cache to be written out
 * @name: the array
 * @stripes: so many there were at first
 * @ret: 0, or a negative error number; see md_writeback_drain()
 * @ns: so long it took
 */
TRACE_EVENT(md_writeback_drain,

	TP_PROTO(const char *name, int stripes, int ret, u64 ns),

	TP_ARGS(name, stripes, ret, ns),

	TP_STRUCT__entry(
		__string(name,	name)
		__field(int,	stripes)
		__field(int,	ret)
		__field(u64,	ns)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->stripes	= stripes;
		__entry->ret		= ret;
		__entry->ns		= ns;
	),

	TP_printk("%s stripes=%d ret=%d ns=%llu", __get_str(name),
		  __entry->stripes, __entry->ret, __entry->ns)
);

#endif /* _TRACE_MD_WRITE_H */

#include <trace/define_trace.h>
