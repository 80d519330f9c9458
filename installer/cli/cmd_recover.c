/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/session.h"

static int run(struct cli *cli, struct err *err)
{
	bool done = false;

	if (session_recover(cli, &done, err) < 0)
		return -1;
	cli->result.changed = done;
	if (done)
		render_say(cli->out, PAINT_GOOD, "Done: what the interrupted run had begun is undone. The host is as before it.");
	else
		render_say(cli->out, PAINT_NONE, "Nothing to recover.");
	return EXIT_DONE;
}

static const struct option_spec recover_options[] = {
	{ .name = "boot",
	  .help = "as the unit at boot: nothing runs yet and nothing is waited for" },
	{ .name = NULL },
};

const struct command cmd_recover = {
	.name = "recover",
	.usage = "[--boot]",
	.summary = "finish what a crash left: undo, or clean up",
	.about = "If an earlier run was interrupted before its commit, undoes everything it had done; after it, only cleans up. "
		 "Doing it twice changes nothing. A unit does the same at boot, before Docker starts.",
	.options = recover_options,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
