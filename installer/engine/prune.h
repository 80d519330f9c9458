/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pruning. The oldest transactions become one base (journal/base.h):
 *
 *	{ "last": N, "profile": text in force after N, "keys": what was ours then (engine/index.h),
 *	  "actions": [ ... ] }
 *
 * The actions are those of the transactions in force at N, in their order, and of each key no more
 * than its kind needs to take all of them back (action_ops.fold): the first before-image, the last
 * after-image. So `uninstall` does the same before and after a pruning, and the base grows with
 * the number of paths ever touched, not with that of transactions. `rollback` reaches back to N +
 * 1.
 *
 * How far: what `keep` and `max_size` ask for; but never the last transaction in force that is
 * neither a rollback nor of a background job, nor anything after it; never into the midst of what a
 * rollback that is kept took back, since what was in force before its target would be lost; and in
 * one run no more than PRUNE_RUN transactions, so that nobody waits for a long history: the
 * next runs go on. Sizes are blocks on the disk, of txn/, base/, cache/ and debs/.
 */
#ifndef ENGINE_PRUNE_H
#define ENGINE_PRUNE_H

#include "base/report.h"
#include "journal/state.h"

enum { PRUNE_RUN = 100 };

/* With the lock held and nothing unfinished. Where there is nothing to prune it costs the same
 * however long the history is. */
int prune_run(struct state *s, uint64_t keep, uint64_t max_size, struct err *err);

/* cache/ and debs/: how much they take; the oldest files that no transaction kept names go, until
 * that is at most `most`. */
int prune_files_usage(const struct state *s, uint64_t *ret, struct err *err);
int prune_files(struct state *s, uint64_t most, struct err *err);

#endif
