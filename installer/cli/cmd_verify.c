/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/show.h"

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	unsigned int bad = 0;

	if (session_open(&s, cli, SESSION_APPLIED | SESSION_HOST | SESSION_PACKAGE, err) < 0)
		return -1;
	/* It changes nothing that a run could trip over, so it takes no lock; but what a run is in
	 * the middle of proves nothing. */
	if (state_busy(&s.state, err) < 0)
		return -1;
	show_target(&s, "Proofs");
	if (session_verify(&s, &bad, err) < 0)
		return -1;
	if (!bad)
		return EXIT_DONE;
	err_set(err, ERR_DRIFT, "%u proof%s failed", bad, bad > 1 ? "s" : "");
	return err_remedy(err, "sysboxup status shows what drifted; sysboxup apply puts it right");
}

const struct command cmd_verify = {
	.name = "verify",
	.usage = "",
	.summary = "prove by asking the running services that it works",
	.about = "Asks Docker and systemd, and runs a container under Sysbox from an image made on the spot; image and container "
		 "are gone afterwards. What cannot be proven is said, not assumed. Exits with 7 when a proof failed. Without "
		 "--profile, the profile last applied is what is proven. Exits with 4 while another run is at work.",
	.options = no_options,
	.flags = CMD_STEADY,
	.run = run,
};
