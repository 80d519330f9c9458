/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/help.h"

static int run(struct cli *cli, struct err *err)
{
	const struct command *c;

	if (!cli->opts.args.n) {
		help_program(cli->out);
		return EXIT_DONE;
	}
	c = command_find(cli->opts.args.v[0]);
	if (!c)
		return command_unknown(cli->opts.args.v[0], err);
	help_command(cli->out, c);
	return EXIT_DONE;
}

const struct command cmd_help = {
	.name = "help",
	.usage = "[COMMAND]",
	.summary = "show what can be typed",
	.about = "The same as --help.",
	.options = no_options,
	.args_max = 1,
	.run = run,
};
