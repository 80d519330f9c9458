/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cmds.h"
#include "cli/confirm.h"
#include "cli/exit.h"

static const struct {
	enum out_paint paint;
	const char *words;
} outcomes[] = {
	[RECOVERED_NOTHING] = { PAINT_NONE, "Nothing to recover." },
	[RECOVERED_DONE] = { PAINT_GOOD, "Done: what was begun, or nobody confirmed, is undone. The host is as before it." },
	[RECOVERED_PART] = { PAINT_NONE, "Files and units are as before; packages follow in sysboxup-recover-late.service." },
};

static int run(struct cli *cli, struct err *err)
{
	const char *half = option_text(&cli->opts, "boot");
	bool tick = option_given(&cli->opts, "expired");
	enum txn_recovered came;

	if (half && !str_eq(half, "early") && !str_eq(half, "late"))
		return err_set(err, ERR_USAGE, "--boot is 'early' or 'late', as the two units have it");
	if ((tick ? confirm_tick(cli, &came, err) : session_recover(cli, &came, err)) < 0)
		return -1;
	cli->result.changed = came != RECOVERED_NOTHING;
	if (tick && came == RECOVERED_NOTHING)
		return EXIT_DONE;
	render_say(cli->out, outcomes[came].paint, "%s", outcomes[came].words);
	return EXIT_DONE;
}

static const struct option_spec recover_options[] = {
	{ .name = "boot", .arg = "HALF",
	  .help = "early or late, as the two units at boot: before anything runs, and in front of Docker" },
	{ .name = "expired",
	  .help = "only what --confirm-within has the time run out for, as sysboxup-pending.timer does each second" },
	{ .name = NULL },
};

const struct command cmd_recover = {
	.name = "recover",
	.usage = "[--boot early|late | --expired]",
	.summary = "finish what a crash left: undo, or clean up",
	.about = "If an earlier run was interrupted before its commit, undoes everything it had done; after it, only cleans up. "
		 "The same for what waited to be confirmed and is too late; what can still be confirmed is left alone (exit 7). "
		 "Doing it twice changes nothing. Two units do the same at boot, before Docker starts: sysboxup-recover.service "
		 "files and units, early, and sysboxup-recover-late.service packages. After a failure, Docker starts all the same.",
	.options = recover_options,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
