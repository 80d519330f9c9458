/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transactions whose changes are in force. A committed one adds itself; a rollback leads to
 * before its target: what was in force then is in force again. Those that are pruned count as one,
 * the base (journal/base.h); no rollback leads into the midst of it, but one with target 1 leads to
 * before all of it.
 */
#ifndef ENGINE_CHAIN_H
#define ENGINE_CHAIN_H

#include "actions/action.h"

struct chain {
	bool base;			/* it is in force */
	unsigned int *ids;		/* behind it, ascending */
	size_t n;
};

#define CHAIN_INIT { false, NULL, 0 }

/* The target of a committed rollback; 0 for anything else. */
unsigned int chain_target(const struct txn_summary *t);
/* In force before transaction `before` (UINT_MAX: now). */
int chain_read(struct chain *ret, const struct state *s, unsigned int before, struct err *err);
void chain_release(struct chain *c);
/* The text of the profile in force before transaction `before`; 1: there was none, or it is not
 * known. */
int chain_profile(const struct state *s, unsigned int before, struct buf *ret, struct err *err);

/* Records with where they come from, oldest first; the actions are the list's. */
struct records {
	struct record *v;
	size_t n;
};

#define RECORDS_INIT { NULL, 0 }

void records_release(struct records *r);
/* The actions of transaction `id`, if it was committed, behind what is there; nothing if it does
 * not exist. */
int records_add_txn(struct records *r, const struct state *s, unsigned int id, struct err *err);
/* Those in force before transaction `before`. *ret_any: a transaction is, even if it has none. */
int records_in_force(struct records *r, const struct state *s, unsigned int before, bool *ret_any,
		     struct err *err);

#endif
