/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/session.h"
#include "host/seal.h"

static const struct option_spec seal_options[] = {
	{ .name = "fix",
	  .help = "take away what can be taken away; there is no way back from that" },
	{ .name = NULL },
};

static int fix_all(struct session *s, const struct seal_item *i, const struct strv *paths,
		   struct err *err)
{
	for (size_t n = 0; n < paths->n; n++) {
		s->cli->result.host =
			"what is said to be removed is removed, and perhaps what the error names; there is no way back from that";
		s->cli->result.changed = true;
		if (seal_fix(i, &s->host, paths->v[n], err) < 0)
			return err_prefix(err, "cannot seal '%s'", paths->v[n]);
		s->cli->result.host = "what is said to be removed is removed; there is no way back from that";
		report_change(s->rep, paths->v[n], i->way == SEAL_EMPTY ? "emptied" : "removed");
	}
	return paths->n ? 0 : seal_settle(i, &s->host, err);
}

/* As it has to be typed on the machine that builds the tree: what names a path of the tree, and
 * what ends in a command of ours. Allocated. */
static char *in_tree(const struct session *s, const char *words)
{
	const char *path = strstr(words, " /"), *ours = strstr(words, "sysboxup ");

	if (s->root.is_host || (!path && !ours))
		return xstrdup(words);
	return path ? xasprintf("%.*s %s%s", (int)(path - words), words, s->root.path, path + 1) :
		      xasprintf("%s --root %s", words, s->root.path);
}

static const char *remedy_of(const struct seal_item *i)
{
	if (i->remedy)
		return i->remedy;
	return i->stopped ? "stop Docker, then: sysboxup seal --fix" : "sysboxup seal --fix";
}

/* *left is counted up where something stays that clones would share. */
static int look(struct session *s, const struct seal_item *i, unsigned int *left, struct err *err)
{
	bool fix = option_given(&s->cli->opts, "fix") && i->way != SEAL_ASK &&
		   !(i->stopped && s->host.docker.main_pid > 0);
	struct strv paths CLEANUP(strv_release) = STRV_INIT;
	char *remedy CLEANUP(freep) = in_tree(s, remedy_of(i));

	if (seal_find(i, &s->host, &paths, err) < 0)
		return -1;
	if (fix)
		return fix_all(s, i, &paths, err);
	for (size_t n = 0; n < paths.n; n++)
		report_check(s->rep, i->id, STATE_BAD, i->why, remedy, "%s", paths.v[n]);
	*left += (unsigned int)paths.n;
	return 0;
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	bool fix = option_given(&cli->opts, "fix");
	unsigned int left = 0;

	if (session_open(&s, cli, SESSION_HOST, err) < 0)
		return -1;
	if (fix && s.state.fd >= 0 && state_lock(&s.state, cli->cmd->name, err) < 0)
		return -1;
	for (const struct seal_item *i = seal_items; i->id; i++)
		if (look(&s, i, &left, err) < 0)
			return -1;
	if (!left) {
		render_say(cli->out, PAINT_GOOD, "Sealed: nothing here would be the same in every clone.");
		return EXIT_DONE;
	}
	err_set(err, ERR_DRIFT, "%u thing%s would be the same in every clone", left, left > 1 ? "s" : "");
	char *remedy CLEANUP(freep) =
		in_tree(&s, fix ? "do what is said above, then look again: sysboxup seal" :
				  "sysboxup seal --fix");
	return err_remedy(err, "%s", remedy);
}

const struct command cmd_seal = {
	.name = "seal",
	.usage = "[--fix]",
	.summary = "no secret and no identity that clones would share",
	.about =
		"Looks in a tree (--root DIR) or on this machine for what was made once and would be in every clone of "
		"it: Docker's engine id and keys, swarm, containers, the machine id, the random seed, SSH host keys. "
		"Exits with 7 when there is any. With --fix it is taken away, and made anew by whom it belongs to at "
		"the next boot; that is no transaction, since a before-image would be the secret itself. Run it last, "
		"before the disk is copied.",
	.options = seal_options,
	.flags = CMD_ROOT | CMD_STEADY,
	.run = run,
};
