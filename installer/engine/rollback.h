/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollback is a transaction like any other, made by inverting records: all committed transactions
 * from `id` on, collapsed per target to the oldest before-image and the newest after-image, in the
 * reverse order of ranks; what a rollback among them took back comes again behind that, in their
 * order.
 */
#ifndef ENGINE_ROLLBACK_H
#define ENGINE_ROLLBACK_H

#include "engine/plan.h"

/* id 0: the last transaction that is neither a rollback, nor of a background job, nor rolled back
 * already. *ret_id 0: there is none. ERR_REFUSED for what is pruned. */
int rollback_plan(struct plan *ret, const struct action_ctx *ctx, unsigned int id,
		  unsigned int *ret_id, struct err *err);
/* That last one; 0: none among those that are kept. */
int rollback_last(const struct state *s, unsigned int *ret, struct err *err);

/* Every path back to what it was before the first of the transactions whose changes are in force
 * (engine/chain.h): what was taken back before is nobody's concern any more. *ret_any: there are
 * such transactions. The transaction made of it has rollback_to 1. */
int uninstall_plan(struct plan *ret, const struct action_ctx *ctx, bool *ret_any, struct err *err);

/*
 * What `step` has in force, taken back as part of a plan that goes forward: each of its targets as
 * it was before the first transaction that touched it, and none of them ours any more. In minus the
 * ranks of then, so that it runs against their order, and in front of what is put there. A target
 * that the plan has an action for already is left to that.
 */
int take_back_plan(struct plan *ret, const struct state *s, const char *step, struct err *err);

#endif
