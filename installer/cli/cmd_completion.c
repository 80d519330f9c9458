/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/completion.h"
#include "cli/exit.h"
#include "cli/help.h"

static const struct {
	const char *name;
	void (*make)(struct buf *ret);
} texts[] = {
	{ "bash", completion_bash },
	{ "man-commands", help_mdoc_commands },
	{ "man-options", help_mdoc_options },
};

static int run(struct cli *cli, struct err *err)
{
	const char *wanted = cli->opts.args.v[0];
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	char shown[64];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!str_eq(texts[i].name, wanted))
			continue;
		texts[i].make(&b);
		render_raw(cli->out, b.data, b.len);
		return EXIT_DONE;
	}
	err_quote(shown, sizeof(shown), wanted);
	return err_set(err, ERR_USAGE, "there is no completion for '%s'", shown);
}

static const char *const words[] = { "bash", NULL };

const struct command cmd_completion = {
	.name = "completion",
	.usage = "bash",
	.summary = "print the bash completion",
	.about = "Prints what 'make install' puts in place: the completion for bash, and the man page's lists made from the same "
		 "tables.",
	.options = no_options,
	.words = words,
	.args_min = 1,
	.args_max = 1,
	.flags = CMD_HIDDEN,
	.run = run,
};
