/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/changed.h"
#include "cli/cmds.h"
#include "cli/confirm.h"
#include "cli/exit.h"
#include "cli/renewed.h"
#include "cli/restart.h"
#include "cli/show.h"
#include "cli/who.h"
#include "engine/applied.h"

enum { DEADLINE_SECONDS = 1800 };

static const struct option_spec apply_options[] = {
	{ .name = "allow-restart", .help = "Docker may be restarted where a reload is not enough" },
	OPTION_STOP_CONTAINERS,
	{ .name = "package",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "take the Sysbox package from FILE; it is verified all the same" },
	{ .name = "force",
	  .arg = "CHECK-ID",
	  .repeated = true,
	  .help = "let this check of preflight not refuse; may be repeated" },
	OPTION_CONFIRM_WITHIN,
	OPTION_WHEN_IDLE,
	OPTION_LOCK_WAIT,
	OPTION_IMAGE,
	OPTION_RENEWED,
	{ .name = "deadline",
	  .arg = "TIME",
	  .help = "undo it unless it is in place and proven within TIME (default 30m)" },
	{ .name = NULL },
};

static int remember_catalog(struct session *s, struct err *err)
{
	return s->has_catalog && !s->catalog.embedded ?
		       catalog_remember(&s->catalog, &s->root, err) :
		       0;
}

/* Behind the preparations: downloads and waiting for locks do not count. */
static int read_deadline(const struct cli *cli, unsigned int *ret, struct err *err)
{
	const char *text = option_text(&cli->opts, "deadline");
	uint64_t seconds = DEADLINE_SECONDS;

	if (text && (str_to_seconds(text, &seconds) || !seconds || seconds > 86400))
		return err_set(err, ERR_USAGE, "--deadline '%s' is no time such as 90, 5m or 1h", text);
	*ret = (unsigned int)seconds;
	return 0;
}

/* How long it may take, and how long it waits to be confirmed afterwards (0: it does not). */
struct times {
	unsigned int deadline, confirm;
};

static int transact(struct session *s, struct plan *plan, const struct times *times,
		    unsigned int *ret_id, struct err *err)
{
	struct json *begin CLEANUP(json_freep) = who_begin(s, "apply");
	struct pending_request confirm = { .seconds = times->confirm };
	struct txn_request rq = {
		.plan = plan,
		.begin = begin,
		.ctx = session_action_ctx(s),
		.seconds = times->deadline,
		.prove = session_prove,
		.user = s,
	};

	if (times->confirm) {
		if (confirm_arm(s, err) < 0)
			return -1;
		proc_login(&confirm.login);
		json_set_i64(begin, "confirm_within", times->confirm);
		rq.confirm = &confirm;
	}
	return txn_run(&rq, ret_id, err);
}

/* The host is as wanted: a profile that cannot be kept is no failure. (A transaction keeps its
 * own.) */
static void keep_profile(struct session *s)
{
	struct err why = ERR_INIT;

	if (applied_put(&s->state, &s->profile.text, &why))
		report_warn(s->rep, NULL, "the profile could not be kept for status and verify: %s", why.msg);
}

/* Behind a commit. */
static void settle(struct session *s)
{
	changed_begin(s);
	session_prune(s);
	session_settle(s);
}

static int change(struct session *s, struct plan *plan, const struct times *times, struct err *err)
{
	struct action_ctx ctx = session_action_ctx(s);
	unsigned int id = 0, shown = s->rep->changes;

	show_target(s, "Changes");
	plan_describe(plan, &ctx, s->rep);
	shown = s->rep->changes - shown;
	render_say(s->cli->out, PAINT_NONE, "%s", "");
	if (session_preflight(s, err) < 0)
		return -1;
	if (remember_catalog(s, err) < 0 || transact(s, plan, times, &id, err) < 0)
		return -1;
	s->cli->result = (struct summary){ .changed = true, .transaction = id, .actions = plan->n };
	if (times->confirm)
		return confirm_say(s, err) < 0 ? -1 : EXIT_DONE;
	settle(s);
	render_say(s->cli->out, PAINT_GOOD, "Done: transaction %u, %u change%s. To take it back: sysboxup rollback", id,
		   shown, shown == 1 ? "" : "s");
	return EXIT_DONE;
}

static int attempt(struct cli *cli, struct gate *gate, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct times times = { 0 };

	s.gate = gate;
	if (read_deadline(cli, &times.deadline, err) < 0 ||
	    confirm_read_option(cli, &times.confirm, err) < 0 ||
	    session_open(&s, cli, SESSION_PROFILE | SESSION_LOCK | SESSION_HOST | SESSION_PACKAGE,
			 err) < 0)
		return -1;
	if (session_plan(&s, &plan, err) < 0)
		return -1;
	if (plan.n)
		return change(&s, &plan, &times, err);
	if (remember_catalog(&s, err) < 0)
		return -1;
	plan_describe(&plan, NULL, s.rep);
	keep_profile(&s);
	session_prune(&s);
	session_settle(&s);
	render_say(cli->out, PAINT_GOOD, "Nothing to do: this host is as the profile wants it.");
	return EXIT_DONE;
}

static int run(struct cli *cli, struct err *err)
{
	return option_given(&cli->opts, "renewed") ? renewed_run(cli, err) :
						     restart_run(cli, attempt, err);
}

const struct command cmd_apply = {
	.name = "apply",
	.usage = "[--image] [--confirm-within TIME] [--allow-restart] [--when-idle TIME] [--stop-containers] [--package FILE] "
		 "[--force CHECK-ID] [--lock-wait TIME] [--deadline TIME] [--renewed]",
	.summary = "make this host as the profile wants it",
	.about =
		"Shows the changes, makes them in one transaction, and proves by asking the running services that they "
		"work. If anything fails, or the program is killed, everything is undone: the host is as before. A second run "
		"finds nothing to do. With --confirm-within it is undone by itself after that time, or when the host is started "
		"again, unless \"confirm\" is run from a new login before. "
		"With --renewed nothing is done but to give Docker the certificates that \"cert\" "
		"renewed since, where no container stops for it: what a timer does.",
	.options = apply_options,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
