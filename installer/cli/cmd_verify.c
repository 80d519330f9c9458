/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/changed.h"
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/show.h"

static const struct option_spec verify_options[] = {
	{ .name = "quick", .help = "run no container; say instead what is known of the versions" },
	{ .name = "changed",
	  .help = "as sysboxup-watch.service does: wait until packages are installed, and note what fails for status" },
	{ .name = NULL },
};

static int prove(struct session *s, unsigned int *ret_bad, struct err *err)
{
	/* It changes nothing that a run could trip over, so it takes no lock; but what a run is in
	 * the middle of proves nothing. */
	if (state_busy(&s->state, err) < 0 || txn_check_pending(&s->state, err) < 0)
		return -1;
	show_target(s, "Proofs");
	return session_verify(s, ret_bad, err);
}

/* With nothing of ours in place there is nothing to prove. */
static int prove_changed(struct session *s, unsigned int *ret_bad, struct err *err)
{
	*ret_bad = 0;
	if (!json_len(s->index))
		return 0;
	return prove(s, ret_bad, err) < 0 ? -1 : changed_note(s, *ret_bad, err);
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	bool changed = option_given(&cli->opts, "changed");
	int want = SESSION_APPLIED | SESSION_HOST;
	unsigned int bad = 0;

	s.quick = option_given(&cli->opts, "quick");
	if (!s.quick)
		want |= SESSION_PACKAGE;
	if ((changed && changed_wait(cli, err) < 0) || session_open(&s, cli, want, err) < 0)
		return -1;
	if (changed)
		return prove_changed(&s, &bad, err) < 0 ? -1 : EXIT_DONE;
	if (prove(&s, &bad, err) < 0)
		return -1;
	if (!bad)
		return EXIT_DONE;
	err_set(err, ERR_DRIFT, "%u proof%s failed", bad, bad > 1 ? "s" : "");
	return err_remedy(err, "sysboxup status shows what drifted; sysboxup apply puts it right");
}

const struct command cmd_verify = {
	.name = "verify",
	.usage = "[--quick]",
	.summary = "prove by asking the running services that it works",
	.about = "Asks Docker and systemd, and runs a container under Sysbox from an image made on the spot; image and container "
		 "are gone afterwards. What cannot be proven is said, not assumed. Exits with 7 when a proof failed. Without "
		 "--profile, the profile last applied is what is proven. Exits with 4 while another run is at work. "
		 "With --quick no container is run; versions of Docker and Sysbox that are known not to work together are named. "
		 "sysboxup-watch.path has that done when a program of Docker or containerd was exchanged.",
	.options = verify_options,
	.flags = CMD_STEADY,
	.run = run,
};
