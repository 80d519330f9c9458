/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transactions whose changes are in force. A committed one adds itself; a rollback leads to
 * before its target: what was in force then is in force again.
 */
#ifndef ENGINE_CHAIN_H
#define ENGINE_CHAIN_H

#include "journal/txnlog.h"

/* The target of a committed rollback; 0 for anything else. */
unsigned int chain_target(const struct txn_summary *t);
/* Of the n transactions in ids (ascending), those in force before transaction `before`, ascending;
 * the caller frees. */
int chain_in_force(const struct state *s, const unsigned int *ids, size_t n, unsigned int before,
		   unsigned int **ret_ids, size_t *ret_n, struct err *err);

#endif
