/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/background.h"
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/session.h"
#include "pki/ca.h"
#include "pki/names.h"
#include "steps/firstboot.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <errno.h>

enum { PKI_LOCK_SECONDS = 60 };

/* A machine without a clock of its own begins somewhere in the past. */
static int check_clock(const struct session *s, struct err *err)
{
	char now[32], built[32];
	struct stat st;

	if (root_stat(&s->root, FIRST_BOOT_MARK, &st))
		return err_errno(err, errno, "cannot look at '%s'", FIRST_BOOT_MARK);
	if (clock_now() >= st.st_mtim.tv_sec)
		return 0;
	clock_iso(clock_now(), now);
	clock_iso(st.st_mtim.tv_sec, built);
	err_set(err, ERR_FAILED,
		"no key is made: the clock says %s, and this image was built at %s", now, built);
	return err_remedy(err, "set the clock, then: systemctl restart sysboxup-firstboot-late");
}

/* The authority of this machine alone, opened without a person, as `cert ca` would make it. So it
 * is in the ledger, where no rollback reaches, and another attempt finds it. */
static int make_authority(struct session *s, struct err *err)
{
	bool creds = pki_creds_available(&s->root);
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	struct pki_ca_spec spec = { .algorithm = "p256",
				    .guard = creds ? GUARD_CREDS : GUARD_KEY_FILE,
				    .key_file = FIRST_BOOT_SECRET };

	if (!s->profile.api.present && !s->profile.clients.n)
		return 0;
	if (check_clock(s, err) || ttl_read_ca(NULL, &spec.ttl, err) ||
	    pki_open(&pki, &s->root, PKI_WRITE, PKI_LOCK_SECONDS, err))
		return -1;
	if (pki.ledger.cas_n)
		return 0;
	/* nothing else may have needed the directory of the key file so far */
	if (!creds && fs_mkdir_path(&s->root, FIRST_BOOT_SECRET_DIR, 0755, err))
		return -1;
	return pki_ca_make(&pki, &spec, err);
}

static int boot(struct session *s, bool early, struct err *err)
{
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;

	if (!early && make_authority(s, err) < 0)
		return -1;
	if (session_plan(s, &plan, err) < 0 || (plan.n && background_run(s, &plan, err) < 0))
		return -1;
	if (early)
		render_say(s->cli->out, PAINT_NONE,
			   plan.n ? "First boot: files that were missing are back." :
				    "First boot: files are as in the image.");
	else
		render_say(s->cli->out, PAINT_GOOD, "First boot: done, transaction %u.",
			   s->cli->result.transaction);
	return EXIT_DONE;
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	const char *half = option_text(&cli->opts, "boot");
	bool early = str_eq(half, "early");
	int want = SESSION_APPLIED | SESSION_LOCK | SESSION_HOST | SESSION_INSTALLED;

	if (half && !early && !str_eq(half, "late"))
		return err_set(err, ERR_USAGE, "--boot is 'early' or 'late', as the two units have it");
	if (session_open(&s, cli, early ? want | SESSION_IMAGE : want, err) < 0)
		return err_prefix(err, "the first boot is not completed");
	if (!root_exists(&s.root, FIRST_BOOT_MARK)) {
		render_say(cli->out, PAINT_NONE, "Nothing to do: this machine had its first boot.");
		return EXIT_DONE;
	}
	return boot(&s, early, err) < 0 ? err_prefix(err, "the first boot is not completed") :
					  EXIT_DONE;
}

static const struct option_spec firstboot_options[] = {
	{ .name = "boot", .arg = "HALF",
	  .help = "early or late, as the two units at boot: before anything runs, and behind Docker" },
	{ .name = NULL },
};

const struct command cmd_firstboot = {
	.name = "first-boot",
	.usage = "[--boot early|late]",
	.summary = "prove an image on the machine that boots it",
	.about =
		"What two units do when an image boots that `apply --root` or `apply --image` made: "
		"sysboxup-firstboot.service puts back, before Docker starts, what other tools took away "
		"from it; sysboxup-firstboot-late.service, behind Docker, sets what belongs to this machine "
		"and proves by a container that it works. The transaction that comes of it takes away the "
		"mark of an image. If it fails, the image stays as it was built, and the next boot tries again.",
	.options = firstboot_options,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
