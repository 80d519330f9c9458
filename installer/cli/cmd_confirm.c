/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/changed.h"
#include "cli/cmds.h"
#include "cli/confirm.h"
#include "cli/exit.h"
#include "cli/who.h"
#include "docker/hooks.h"
#include "engine/applied.h"

static const struct option_spec confirm_options[] = {
	{ .name = "same-session", .help = "from this login too, whenever it began" },
	{ .name = NULL },
};

/* Whose history is pruned as it says. */
static int load_profile(struct session *s, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int r = applied_read(&s->state, &text, err);

	return r ? r :
		   profile_parse(&s->profile, text.data, text.len, "the transaction's profile",
				 err);
}

/* What `apply` does behind a commit. It stands, whatever becomes of this. */
static void settle(struct session *s, const struct action_ctx *ctx)
{
	enum txn_recovered came;
	struct err why = ERR_INIT, profile = ERR_INIT, ticks = ERR_INIT;

	if (confirm_disarm(s, &ticks) < 0) /* a tick will do it */
		report_warn(s->rep, NULL, "%s", ticks.msg);
	if (txn_recover(ctx, &came, &why) < 0)
		report_warn(s->rep, "sysboxup recover", "done, but not cleaned up yet: %s",
			    why.msg);
	hooks_settle(&s->state, s->rep);
	if (load_profile(s, &profile) < 0)
		report_warn(s->rep, NULL, "%s", profile.msg);
	changed_begin(s);
	if (!err_is_set(&why) && !err_is_set(&profile))
		session_prune(s);
}

static int confirm(struct session *s, unsigned int *ret_id, struct err *err)
{
	struct action_ctx ctx = session_action_ctx(s);
	struct login login;
	int r;

	proc_login(&login);
	r = txn_confirm(&ctx, option_given(&s->cli->opts, "same-session") ? NULL : &login,
			who_run_id(), ret_id, err);
	if (r >= 0)
		settle(s, &ctx);
	else if (err->kind == ERR_FAILED)
		s->cli->result.host =
			"as the transaction left it, which still waits to be confirmed";
	return r;
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	unsigned int id = 0;
	int r;

	if (session_open(&s, cli, SESSION_HOST, err) < 0)
		return -1;
	if (s.state.fd < 0)
		return err_set(err, ERR_REFUSED, "nothing waits to be confirmed");
	if (session_lock(&s, "confirm", err) < 0)
		return -1;
	r = confirm(&s, &id, err);
	if (r < 0)
		return -1;
	cli->result.transaction = id;
	cli->result.changed = !r;
	render_say(cli->out, PAINT_GOOD, "Transaction %u %s. To take it back: sysboxup rollback",
		   id, r ? "was confirmed before" : "is confirmed, and stays");
	return EXIT_DONE;
}

const struct command cmd_confirm = {
	.name = "confirm",
	.usage = "[--same-session]",
	.summary = "keep what apply --confirm-within put in place",
	.about =
		"What was applied with --confirm-within is undone by itself when the time is over, or the host is started "
		"again, unless this is run before. That shows that a new connection can still be made, so it is refused "
		"from the login that applied it, and from one that began before everything was in place: log in anew. "
		"With ssh that is a new connection, not a new shell over a shared one. Exits with 7 when it is too late.",
	.options = confirm_options,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
