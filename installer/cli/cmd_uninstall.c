/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/goback.h"
#include "cli/restart.h"
#include "docker/hooks.h"
#include "engine/rollback.h"

/* rollback_to of the transaction: before the first one nothing was ours, whatever of the history is
 * still kept. */
enum { THE_FIRST = 1 };

static const struct option_spec uninstall_options[] = {
	{ .name = "purge", .help = "the history goes too: nothing of " STATE_DIR " is left" },
	{ .name = "force",
	  .help = "go on over what others changed since; their version is kept beside" },
	{ .name = "allow-restart", .help = "Docker may be restarted where a reload is not enough" },
	OPTION_STOP_CONTAINERS,
	OPTION_WHEN_IDLE,
	OPTION_LOCK_WAIT,
	{ .name = NULL },
};

static int give_back(struct session *s, struct err *err)
{
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct action_ctx ctx = session_action_ctx(s);
	bool any = false;

	ctx.force = option_given(&s->cli->opts, "force");
	if (uninstall_plan(&plan, &ctx, &any, err) < 0)
		return -1;
	if (!any) {
		render_say(s->cli->out, PAINT_NONE, "Nothing of sysboxup is in place.");
		return 0;
	}
	render_say(s->cli->out, PAINT_STRONG, "Everything back to before sysboxup:");
	if (goback_run(s, &ctx, &plan, THE_FIRST, err) < 0)
		return -1;
	render_say(s->cli->out, PAINT_GOOD, "Done: transaction %u. This host is as it was before sysboxup.",
		   s->cli->result.transaction);
	return 0;
}

/* Everything is given back by now: that the history is still there, or a part of it, changes
 * nothing about the host. That a hook is still to be called is noted beside the history. */
static int purge(struct session *s, struct err *err)
{
	static const char *const none[] = { NULL };
	bool used = session_has_forgotten(s);

	hooks_post_restart(&s->state, HOOK_DONE, s->rep);
	if (session_purge(s, used ? session_in_use : none, err) < 0) {
		s->cli->result.host = "as it was before sysboxup";
		err_prefix(err, "everything is given back, but the history is still there");
		return err_remedy(err, "remove the cause, then run it again: sysboxup uninstall --purge");
	}
	s->cli->result.transaction = 0;
	render_say(s->cli->out, PAINT_GOOD, "The history is gone too.");
	if (used)
		report_warn(s->rep, "if nothing does: rm -r " STATE_DIR,
			    "'" STATE_DIR
			    "' stays: what sysboxup has forgotten may use its certificates");
	return 0;
}

static int attempt(struct cli *cli, struct gate *gate, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;

	s.gate = gate;
	if (session_open(&s, cli, SESSION_APPLIED | SESSION_LOCK | SESSION_HOST, err) < 0 ||
	    give_back(&s, err) < 0)
		return -1;
	if (option_given(&cli->opts, "purge") && purge(&s, err) < 0)
		return -1;
	return EXIT_DONE;
}

static int run(struct cli *cli, struct err *err)
{
	int rc = session_no_state(cli, err);

	if (rc)
		return rc < 0 ? -1 : EXIT_DONE;
	return restart_run(cli, attempt, err);
}

const struct command cmd_uninstall = {
	.name = "uninstall",
	.usage = "[--purge] [--force] [--allow-restart] [--when-idle TIME] [--stop-containers] [--lock-wait TIME]",
	.summary = "everything back to before the first transaction",
	.about =
		"Takes back everything that sysboxup has in place, as one new transaction: each "
		"path is again what it was before sysboxup first touched it, also where the "
		"transactions that did it are pruned. What somebody else changed in the meantime "
		"is never overwritten, as with rollback. The history stays, so that this can be "
		"taken back too: sysboxup rollback ID, with the number that is said at the end. "
		"With --purge it goes as well, with downloaded packages and the highest catalog "
		"serial seen. The program itself is not removed.",
	.options = uninstall_options,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
