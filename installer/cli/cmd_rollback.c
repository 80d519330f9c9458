/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/show.h"
#include "cli/who.h"
#include "engine/rollback.h"
#include "sys/fs.h"

#define APPLIED "profile.json"

static const struct option_spec rollback_options[] = {
	{ .name = "force",
	  .help = "go on over what others changed since; their version is kept beside" },
	{ .name = "allow-restart", .help = "Docker may be restarted where a reload is not enough" },
	OPTION_LOCK_WAIT,
	{ .name = NULL },
};

static int read_id(const struct cli *cli, unsigned int *ret, struct err *err)
{
	uint64_t id;
	char shown[64];

	*ret = 0;
	if (!cli->opts.args.n)
		return 0;
	if (str_to_u64(cli->opts.args.v[0], 999999, &id) == 0 && id > 0) {
		*ret = (unsigned int)id;
		return 0;
	}
	err_quote(shown, sizeof(shown), cli->opts.args.v[0]);
	err_set(err, ERR_USAGE, "'%s' is no transaction's number", shown);
	return err_remedy(err, "sysboxup history");
}

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

static int transact(struct session *s, struct action_ctx ctx, struct plan *plan,
		    unsigned int target, unsigned int *ret_id, struct err *err)
{
	struct json *begin CLEANUP(json_freep) = who_begin(s, "rollback");
	struct txn_request rq = { .plan = plan, .begin = begin, .ctx = ctx };

	json_set_i64(begin, "rollback_to", target);
	return txn_run(&rq, ret_id, err);
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	unsigned int wanted, target = 0, id = 0;

	if (read_id(cli, &wanted, err) < 0 ||
	    session_open(&s, cli, SESSION_APPLIED | SESSION_LOCK | SESSION_HOST, err) < 0)
		return -1;
	struct action_ctx ctx = session_action_ctx(&s);

	ctx.force = option_given(&cli->opts, "force");
	if (rollback_plan(&plan, &ctx, wanted, &target, err) < 0)
		return -1;
	if (!target) {
		render_say(cli->out, PAINT_NONE, "Nothing to roll back.");
		return EXIT_DONE;
	}
	render_say(cli->out, PAINT_STRONG, "Back to before transaction %u:", target);
	plan_describe(&plan, &ctx, s.rep);
	render_say(cli->out, PAINT_NONE, "%s", "");
	if (transact(&s, ctx, &plan, target, &id, err) < 0)
		return -1;
	cli->result = (struct summary){ .changed = true, .transaction = id, .actions = plan.n };
	restore_profile(&s, target);
	render_say(cli->out, PAINT_GOOD, "Done: transaction %u. This host is as it was before transaction %u.", id, target);
	return EXIT_DONE;
}

const struct command cmd_rollback = {
	.name = "rollback",
	.usage = "[ID] [--force] [--allow-restart] [--lock-wait TIME]",
	.summary = "undo the last transaction, or all back to ID",
	.about = "Takes back transaction ID and everything after it, as one new transaction. Without ID it is the last one that is "
		 "not taken back yet. What somebody else changed in the meantime is never overwritten: where it can be kept, it "
		 "is; otherwise the rollback stops before it touches anything and names it.",
	.options = rollback_options,
	.args_max = 1,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
