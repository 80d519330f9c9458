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

static int wanted(bool quick)
{
	return SESSION_APPLIED | SESSION_HOST | (quick ? 0 : SESSION_PACKAGE);
}

static int prove(struct session *s, unsigned int *ret_bad, struct err *err)
{
	/* It changes nothing that a run could trip over, so it takes no lock; but what a run is in
	 * the middle of proves nothing. */
	if (state_busy(&s->state, err) < 0 || txn_check_pending(&s->state, err) < 0)
		return -1;
	show_target(s, "Proofs");
	return session_verify(s, ret_bad, err);
}

/* A run began, or one began and ended, since transaction `first` was the newest. */
static bool is_overtaken(const struct session *s, unsigned int first)
{
	struct err ignored = ERR_INIT;
	unsigned int now = 0;

	return state_busy(&s->state, &ignored) || txnlog_newest(&s->state, &now, &ignored) ||
	       now != first;
}

/* With nothing of ours in place there is nothing to prove. *ret_again: a run, which takes no notice
 * of us, was at work meanwhile, and what was seen of it proves nothing. */
static int look_changed(struct cli *cli, bool *ret_again, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	unsigned int first, bad = 0;
	int r;

	*ret_again = false;
	s.quick = option_given(&cli->opts, "quick");
	if (changed_wait(cli, err) < 0 || session_open(&s, cli, wanted(s.quick), err) < 0)
		return -1;
	if (!json_len(s.index))
		return 0;
	if (txnlog_newest(&s.state, &first, err))
		return -1;
	r = prove(&s, &bad, err);
	*ret_again = is_overtaken(&s, first);
	if (*ret_again) {
		*err = (struct err)ERR_INIT;
		report_info(cli->rep, "what a run did meanwhile proves nothing: looking once more");
		return 0;
	}
	return r < 0 ? -1 : changed_note(&s, bad, err);
}

static int prove_changed(struct cli *cli, struct err *err)
{
	bool again = true;

	while (again)
		if (look_changed(cli, &again, err) < 0)
			return -1;
	return EXIT_DONE;
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	unsigned int bad = 0;

	if (option_given(&cli->opts, "changed"))
		return prove_changed(cli, err);
	s.quick = option_given(&cli->opts, "quick");
	if (session_open(&s, cli, wanted(s.quick), err) < 0 || prove(&s, &bad, err) < 0)
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
