/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include "cli/exit.h"
#include "cli/help.h"
#include "cli/session.h"
#include "cli/who.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/proc.h"
#include "sys/signals.h"
#include "sys/stamp.h"

#include <errno.h>
#include <unistd.h>

enum { RESCUE_WAIT_MS = 60 * 1000, RESCUE_POLL_MS = 50 };

static const struct option_spec *select_command(void *user, const char *word, struct err *err)
{
	struct cli *cli = user;

	cli->cmd = command_find(word);
	if (!cli->cmd)
		command_unknown(word, err);
	return cli->cmd ? cli->cmd->options : NULL;
}

static enum out_color color_wanted(const struct options *o)
{
	const char *when = option_text(o, "color");

	if (str_eq(when, "always"))
		return COLOR_ALWAYS;
	return str_eq(when, "never") ? COLOR_NEVER : COLOR_AUTO;
}

static bool asks_help(const struct cli *cli)
{
	return option_given(&cli->opts, "help") || option_given(&cli->opts, "version");
}

static int check_arguments(const struct cli *cli, struct err *err)
{
	const struct command *c = cli->cmd;
	size_t n = cli->opts.args.n;
	char shown[64];

	if (!c)
		return err_set(err, ERR_USAGE, "no command given");
	if (n > c->args_max) {
		err_quote(shown, sizeof(shown), cli->opts.args.v[c->args_max]);
		return err_set(err, ERR_USAGE, "'%s' is one word too many for '%s'", shown,
			       c->name);
	}
	if (n < c->args_min)
		return err_set(err, ERR_USAGE, "'%s' needs an argument: sysboxup %s %s", c->name,
			       c->name, c->usage);
	return 0;
}

static int usage_remedy(const struct cli *cli, struct err *err)
{
	if (cli->cmd)
		return err_remedy(err, "sysboxup %s --help", cli->cmd->name);
	return err_remedy(err, "sysboxup --help");
}

static int parse(struct cli *cli, char **argv, struct err *err)
{
	int rc = options_parse(&cli->opts, global_options, select_command, cli, argv + 1, err);

	if (!rc && !asks_help(cli))
		rc = check_arguments(cli, err);
	return rc < 0 ? usage_remedy(cli, err) : 0;
}

/* Asked of a person who may not look: say how. */
static void hint_root(const struct cli *cli, struct err *err)
{
	if (err->remedy[0] || geteuid() == 0 || (err->errnum != EACCES && err->errnum != EPERM))
		return;
	err_remedy(err, "run it as root: sudo sysboxup %s", cli->cmd ? cli->cmd->name : "");
}

static int run_command(struct cli *cli, struct err *err)
{
	if ((cli->cmd->flags & CMD_ROOT) && geteuid() != 0) {
		err_set(err, ERR_REFUSED, "'%s' must be run as root", cli->cmd->name);
		return err_remedy(err, "sudo sysboxup %s", cli->cmd->name);
	}
	return cli->cmd->run(cli, err);
}

static const char *command_name(const struct cli *cli)
{
	return cli->cmd ? cli->cmd->name : NULL;
}

static const char *host_state(const struct cli *cli, int code)
{
	bool changes = cli->cmd && (cli->cmd->flags & CMD_CHANGES);

	return cli->result.host ? cli->result.host :
				  exit_host_state(code, changes, cli->result.changed);
}

/* Says how it ended; code is what the command returned, negative: err. */
static int conclude(struct cli *cli, int code, struct err *err)
{
	bool failed = code < 0;

	if (failed) {
		hint_root(cli, err);
		code = exit_code(err->kind);
		render_error(cli->out, err, code, host_state(cli, code));
	}
	render_summary(cli->out, command_name(cli), &cli->result, code, failed ? err : NULL);
	return code;
}

static int work(void *arg)
{
	struct cli *cli = arg;
	struct err err = ERR_INIT;
	int code = run_command(cli, &err);

	return conclude(cli, code, &err);
}

/* One in an image does not say which run it was of; then it is of this one if it was not there
 * before. */
static bool is_ours(const struct cli *cli, const struct txn_summary *t)
{
	const char *run = json_get_str(t->begin, "run");

	if (t->state != TXN_COMMITTED && t->state != TXN_PENDING)
		return false;
	if (str_eq(json_get_str(t->terminal, "run"), who_run_id()))	/* who confirmed it */
		return true;
	return run ? str_eq(run, who_run_id()) : t->id > cli->newest_before;
}

/* The newest transaction is of this run, and was committed, or pending, before the worker died. */
static bool in_place_by_us(struct cli *cli)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct err ignored = ERR_INIT;
	struct txn_summary t;
	bool ours;
	unsigned int id;

	if (session_open(&s, cli, 0, &ignored) < 0 ||
	    txnlog_newest(&s.state, &id, &ignored) < 0 || !id)
		return false;
	if (txnlog_read(&s.state, id, &t, &ignored) < 0)
		return false;
	ours = is_ours(cli, &t);
	if (ours)
		cli->result = (struct summary){
			.changed = true,
			.transaction = t.id,
			.actions = json_len(json_get(t.prepared, "actions")),
		};
	txn_summary_release(&t);
	return ours;
}

/* Another run may have the lock for the moment that it takes to see that something is
 * unfinished. */
static int recover_waiting(struct cli *cli, enum txn_recovered *ret, struct err *err)
{
	uint64_t deadline = clock_boot_ms() + RESCUE_WAIT_MS;

	for (;;) {
		struct err why = ERR_INIT;

		if (!session_recover(cli, ret, &why))
			return 0;
		if (why.kind != ERR_LOCKED || clock_boot_ms() >= deadline) {
			*err = why;
			return -1;
		}
		clock_pause_ms(RESCUE_POLL_MS);
	}
}

/* Killed behind its last step, or in front of its first. */
static int rescue_pending(struct cli *cli, const char *how, struct err *err)
{
	if (in_place_by_us(cli)) {
		report_warn(cli->rep, err->remedy, "the working process was %s, but everything is in place: %s", how,
			    err->msg);
		return conclude(cli, EXIT_DONE, err);
	}
	err_prefix(err, "the working process was %s, and nothing was touched", how);
	return conclude(cli, -1, err);
}

/* The parent's part, after the worker was killed (DESIGN.md section 5, "Children"). */
static int rescue(void *arg, int wait_status)
{
	struct cli *cli = arg;
	struct err err = ERR_INIT;
	char how[64];
	enum txn_recovered came;

	proc_status_words(wait_status, how, sizeof(how));
	if (recover_waiting(cli, &came, &err) < 0) {
		if (err.kind == ERR_PENDING)
			return rescue_pending(cli, how, &err);
		err_prefix(&err, "the working process was %s, and recovery failed", how);
		return conclude(cli, err_raise(&err, ERR_UNDO), &err);
	}
	if (in_place_by_us(cli)) {
		report_warn(cli->rep, NULL, "the working process was %s, but after the commit: it is done", how);
		return conclude(cli, EXIT_DONE, &err);
	}
	if (came == RECOVERED_PART)
		err_set(&err, ERR_INTERRUPTED, "the working process was %s", how);
	else
		err_set(&err, ERR_FAILED, "the working process was %s; %s", how,
			came == RECOVERED_DONE ? "what it had done is undone" :
						 "it had not changed anything yet");
	return conclude(cli, -1, &err);
}

static unsigned int newest_of_image(struct cli *cli)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct err ignored = ERR_INIT;
	unsigned int id;

	if (session_open(&s, cli, 0, &ignored) < 0 || !stamp_sealed() ||
	    txnlog_newest(&s.state, &id, &ignored) < 0)
		return 0;
	return id;
}

static int supervise(struct cli *cli)
{
	struct err err = ERR_INIT;
	int code;

	who_run_id();
	if (option_given(&cli->opts, "root") || option_given(&cli->opts, "image"))
		cli->newest_before = newest_of_image(cli);
	code = child_supervise(work, cli, rescue, cli);
	if (code >= 0)
		return code;
	err_errno(&err, errno, "cannot start the working process");
	return conclude(cli, -1, &err);
}

static int help_or_version(struct cli *cli)
{
	if (option_given(&cli->opts, "version"))
		render_raw(cli->out, "sysboxup " SYSBOXUP_VERSION "\n",
			   strlen("sysboxup " SYSBOXUP_VERSION "\n"));
	else if (cli->cmd)
		help_command(cli->out, cli->cmd);
	else
		help_program(cli->out);
	return EXIT_DONE;
}

static int dispatch(struct cli *cli, char **argv)
{
	struct err err = ERR_INIT;
	int rc = parse(cli, argv, &err);
	const struct options *o = &cli->opts;

	out_set_color(color_wanted(o));
	render_init(cli->out, option_given(o, "json") && !asks_help(cli), option_given(o, "quiet"),
		    option_given(o, "verbose"));
	if (rc < 0)
		return conclude(cli, rc, &err);
	if (asks_help(cli))
		return help_or_version(cli);
	if (cli->cmd->flags & (CMD_CHANGES | CMD_STEADY))
		signals_init();
	return cli->cmd->flags & CMD_CHANGES ? supervise(cli) : work(cli);
}

/* A result that could not be written is a failure, unless the host was changed: then the code has
 * to tell that. */
static int check_output(const struct cli *cli, int code)
{
	struct err err = ERR_INIT;

	out_flush(OUT_RESULT);
	if (!out_failed() || code != EXIT_DONE || (cli->cmd && (cli->cmd->flags & CMD_CHANGES)))
		return code;
	err_errno(&err, out_failed(), "cannot write to standard output");
	render_error(cli->out, &err, EXIT_FAILED, host_state(cli, EXIT_FAILED));
	return EXIT_FAILED;
}

int cli_main(int argc, char **argv)
{
	struct render out;
	struct cli cli = { .opts = OPTIONS_INIT, .argv = argv, .out = &out, .rep = &out.report };
	int code;

	io_claim_standard();
	code = argc > 0 ? dispatch(&cli, argv) : EXIT_USAGE;
	code = check_output(&cli, code);
	options_release(&cli.opts);
	render_release(&out);
	return code;
}
