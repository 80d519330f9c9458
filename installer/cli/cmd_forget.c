/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/show.h"
#include "engine/index.h"
#include "sys/fs.h"

static int show_what_stays(struct session *s, struct err *err)
{
	if (index_load(&s->state, &s->index, err) < 0)
		return -1;
	for json_each(entry, s->index)
		report_check(s->rep, show_key(json_key(entry)), STATE_NONE, NULL, NULL,
			     "stays as it is");
	if (root_exists(&s->root, STATE_DIR "/" SESSION_CERTIFICATES))
		report_check(s->rep, STATE_DIR "/" SESSION_CERTIFICATES, STATE_NONE, NULL, NULL,
			     "stays as it is: certificates, and their authority");
	return 0;
}

/* Where something is kept for what stays in place. */
static int note(struct session *s, struct err *err)
{
	for (const char *const *name = session_in_use; *name; name++) {
		char *path CLEANUP(freep) = path_join(STATE_DIR, *name);

		if (root_exists(&s->root, path))
			return fs_put(s->state.fd, SESSION_FORGOTTEN, 0600, "", 0, err);
	}
	return 0;
}

/* The host is the same whether or not it comes to its end; and so is running it again. */
static int drop(struct session *s, struct err *err)
{
	if (note(s, err) || session_purge(s, session_in_use, err) < 0) {
		err_prefix(err, "cannot forget all of it");
		return err_remedy(err, "remove the cause, then run it again: sysboxup forget");
	}
	s->cli->result.changed = true;
	return 0;
}

static void say_done(const struct session *s, bool again)
{
	size_t n = json_len(s->index);

	if (!n)
		render_say(s->cli->out, PAINT_GOOD, "Done: the history is gone. %s",
			   again ? "What was in place before was forgotten already." :
				   "Nothing of sysboxup was in place.");
	else
		render_say(s->cli->out, PAINT_GOOD,
			   "Done: %zu thing%s left in place, and forgotten. sysboxup cannot take %s back any more.",
			   n, n == 1 ? "" : "s", n == 1 ? "it" : "them");
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	int rc = session_no_state(cli, err);

	if (rc)
		return rc < 0 ? -1 : EXIT_DONE;
	if (session_open(&s, cli, SESSION_LOCK, err) < 0 || show_what_stays(&s, err) < 0)
		return -1;
	bool again = session_has_forgotten(&s);

	if (drop(&s, err) < 0)
		return -1;
	say_done(&s, again);
	return EXIT_DONE;
}

const struct command cmd_forget = {
	.name = "forget",
	.usage = "",
	.summary = "leave everything as it is, and drop the history",
	.about =
		"Names what sysboxup has in place, changes none of it, and removes its own state: history, "
		"before-images, downloaded packages, the profile last applied, the highest catalog serial seen. "
		"Certificates stay with their authority, and so do those whom the firewall lets in for a while. "
		"From then on these things are the administrator's, as if made by hand: no rollback or uninstall takes them back. "
		"There is no way back from it; uninstall is the other way to leave. Refused "
		"while a run is unfinished. Killed half-way, either all of the state is still there or, run again, none. "
		"The program itself and /etc/sysboxup stay.",
	.options = no_options,
	.flags = CMD_ROOT | CMD_CHANGES,
	.run = run,
};
