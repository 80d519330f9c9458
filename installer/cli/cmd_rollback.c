/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/goback.h"
#include "cli/restart.h"
#include "engine/rollback.h"

static const struct option_spec rollback_options[] = {
	{ .name = "force",
	  .help = "go on over what others changed since; their version is kept beside" },
	{ .name = "allow-restart", .help = "Docker may be restarted where a reload is not enough" },
	OPTION_STOP_CONTAINERS,
	OPTION_WHEN_IDLE,
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

static int attempt(struct cli *cli, struct gate *gate, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	unsigned int wanted, target = 0;

	s.gate = gate;
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
	if (goback_run(&s, &ctx, &plan, target, err) < 0)
		return -1;
	render_say(cli->out, PAINT_GOOD, "Done: transaction %u. This host is as it was before transaction %u.",
		   cli->result.transaction, target);
	return EXIT_DONE;
}

static int run(struct cli *cli, struct err *err)
{
	return restart_run(cli, attempt, err);
}

const struct command cmd_rollback = {
	.name = "rollback",
	.usage = "[ID] [--force] [--allow-restart] [--when-idle TIME] [--stop-containers] [--lock-wait TIME]",
	.summary = "undo the last transaction, or all back to ID",
	.about = "Takes back transaction ID and everything after it, as one new transaction. Without ID it is the last one that is "
		 "not taken back yet. What somebody else changed in the meantime is never overwritten: where it can be kept, it "
		 "is; otherwise the rollback stops before it touches anything and names it.",
	.options = rollback_options,
	.args_max = 1,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
