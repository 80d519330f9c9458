/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses let in for a while (`sysboxup firewall allow ADDRESS --for 20m`). The kernel ends them
 * by its own clock; what is kept here brings them back, with the time that is left, after the table
 * was flushed or the machine booted. Within a boot the boot clock counts; over a boot the wall
 * clock, which may be wrong, so never more than was given first.
 */
#ifndef BACKENDS_FIREWALL_TIMED_H
#define BACKENDS_FIREWALL_TIMED_H

#include "base/json.h"
#include "base/network.h"
#include "sys/root.h"

#define TIMED_MAX_SECONDS (30 * 24 * 3600)

struct timed {
	struct network address;
	uint64_t seconds;		/* given */
	char *boot_id;
	uint64_t until_boot_ms;
	int64_t until;			/* wall clock */
	char *comment;			/* or NULL; never given to nft */
};

struct timed_list {
	struct timed *v;
	size_t n;
};

#define TIMED_LIST_INIT { NULL, 0 }

void timed_list_release(struct timed_list *l);
/* What is over is left out. */
int timed_read(struct timed_list *ret, const struct root *r, struct err *err);
int timed_write(const struct timed_list *l, const struct root *r, struct err *err);
/* Instead of one with the same address. */
void timed_put(struct timed_list *l, const struct network *address, uint64_t seconds,
	       const char *comment);
bool timed_drop(struct timed_list *l, const struct network *address);
uint64_t timed_left_ms(const struct timed *t);
/* 0: it is not in the list. */
uint64_t timed_left_of(const struct timed_list *l, const struct network *address);
/* The same with clocks given. */
uint64_t timed_left_at(const struct timed *t, const char *boot_id, uint64_t boot_ms, int64_t now);

/* Commands that bring all of them into the table, whatever of them is there. */
void timed_render(const struct timed_list *l, struct buf *ret);
/* For one: allowed, or taken out. Both whether it is there or not. */
void timed_render_allow(const struct timed *t, struct buf *ret);
void timed_render_deny(const struct network *address, struct buf *ret);

/* Printable ASCII without what quotes. */
bool timed_comment_ok(const char *s);

#endif
