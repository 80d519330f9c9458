/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/background.h"

#include "cli/who.h"

int background_run(struct session *s, struct plan *plan, struct err *err)
{
	struct json *begin CLEANUP(json_freep) = who_begin(s, "background");
	struct txn_request rq = {
		.plan = plan,
		.begin = begin,
		.ctx = session_action_ctx(s),
		.prove = session_prove,
		.user = s,
	};
	unsigned int id;

	plan_describe(plan, &rq.ctx, s->rep);
	if (txn_run(&rq, &id, err) < 0)
		return -1;
	s->cli->result = (struct summary){ .changed = true, .transaction = id, .actions = plan->n };
	return 0;
}
