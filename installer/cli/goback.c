/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/goback.h"

#include "cli/who.h"

static int transact(struct session *s, struct action_ctx *ctx, struct plan *plan,
		    unsigned int target, unsigned int *ret_id, struct err *err)
{
	struct json *begin CLEANUP(json_freep) = who_begin(s, "rollback");
	struct txn_request rq = { .plan = plan, .begin = begin, .ctx = *ctx };

	json_set_i64(begin, "rollback_to", target);
	return txn_run(&rq, ret_id, err);
}

int goback_run(struct session *s, struct action_ctx *ctx, struct plan *plan, unsigned int target,
	       struct err *err)
{
	unsigned int id = 0;

	plan_describe(plan, ctx, s->rep);
	render_say(s->cli->out, PAINT_NONE, "%s", "");
	if (transact(s, ctx, plan, target, &id, err) < 0)
		return -1;
	s->cli->result = (struct summary){ .changed = true, .transaction = id, .actions = plan->n };
	session_prune(s);
	return 0;
}
