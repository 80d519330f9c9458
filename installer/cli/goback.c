/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/goback.h"

#include "cli/who.h"
#include "sys/fs.h"

#define APPLIED "profile.json"

/*
 * The profile in force after transaction `id`: its own if it was an apply; where it was a rollback,
 * the one in force before its target. 1: none, or not known.
 */
static int profile_after(const struct state *s, unsigned int id, struct buf *ret)
{
	struct err ignored = ERR_INIT;
	struct txn_summary t;

	while (id > 0) {
		if (txnlog_read(s, id, &t, &ignored) < 0)
			return 1;
		const char *text = json_get_str(json_get(t.begin, "profile"), "text");
		unsigned int target = (unsigned int)json_get_i64(t.begin, "rollback_to", 0);
		bool committed = t.state == TXN_COMMITTED;

		if (committed && !target && text)
			buf_adds(ret, text);
		txn_summary_release(&t);
		if (ret->len)
			return 0;
		id = (committed && target ? target : id) - 1;
	}
	return 1;
}

static void restore_profile(struct session *s, unsigned int target)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err why = ERR_INIT;
	int rc;

	if (profile_after(&s->state, target - 1, &text) == 0)
		rc = fs_put(s->state.fd, APPLIED, 0600, text.data, text.len, &why);
	else
		rc = fs_unlink(s->state.fd, APPLIED, &why);
	if (rc < 0)
		report_warn(s->rep, NULL, "the profile last applied could not be put back: %s", why.msg);
}

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
	restore_profile(s, target);
	return 0;
}
