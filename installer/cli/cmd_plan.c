/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/show.h"

static const struct option_spec plan_options[] = {
	{ .name = "check", .help = "exit with 7 when changes are pending" },
	{ .name = "allow-restart", .help = "plan as if Docker may be restarted" },
	{ .name = "stop-containers", .help = "plan as if containers may be stopped" },
	{ .name = "package",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "take the Sysbox package from FILE" },
	{ .name = "force",
	  .arg = "CHECK-ID",
	  .repeated = true,
	  .help = "let this check of preflight not refuse; may be repeated" },
	OPTION_IMAGE,
	{ .name = NULL },
};

static void warn_unfinished(struct session *s)
{
	struct err why = ERR_INIT;

	if (s->state.fd >= 0 && txn_check_unfinished(&s->state, &why) < 0)
		report_warn(s->rep, why.remedy, "%s; this plan is made from what it left", why.msg);
}

static int pending(struct session *s, const struct plan *plan, struct err *err)
{
	struct action_ctx ctx = session_action_ctx(s);

	show_target(s, "Plan");
	unsigned int shown = s->rep->changes;
	plan_describe(plan, &ctx, s->rep);
	shown = s->rep->changes - shown;
	render_say(s->cli->out, PAINT_NONE, "%s", "");
	s->cli->result = (struct summary){ .changed = false, .actions = plan->n };
	if (session_preflight(s, err) < 0)
		return -1;
	render_say(s->cli->out, PAINT_NONE, "%u change%s pending: sysboxup apply", shown,
		   shown == 1 ? "" : "s");
	return option_given(&s->cli->opts, "check") ? EXIT_NOT_AS_WANTED : EXIT_DONE;
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;

	if (session_open(&s, cli, SESSION_PROFILE | SESSION_BLIND | SESSION_HOST | SESSION_PACKAGE,
			 err) < 0)
		return -1;
	if (txn_check_pending(&s.state, err) < 0)	/* a plan would be outdated before it is read */
		return -1;
	warn_unfinished(&s);
	if (session_plan(&s, &plan, err) < 0)
		return -1;
	if (plan.n)
		return pending(&s, &plan, err);
	plan_describe(&plan, NULL, s.rep);
	render_say(cli->out, PAINT_GOOD, "Nothing to do: this host is as the profile wants it.");
	return EXIT_DONE;
}

const struct command cmd_plan = {
	.name = "plan",
	.usage = "[--check]",
	.summary = "show what apply would change, as a diff",
	.about = "Compares this host with the profile and shows each change, files as unified diffs, then what preflight "
		 "has to say. Changes nothing, takes no lock, and needs no root where it can do without.",
	.options = plan_options,
	.run = run,
};
