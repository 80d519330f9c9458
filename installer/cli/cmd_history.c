/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/show.h"
#include "cli/who.h"
#include "sys/fs.h"

#include <errno.h>

#define CONTENT_MAX (64 * 1024 * 1024)

static const char *word(const struct json *begin, const char *key)
{
	const char *s = json_get_str(begin, key);

	return s ? s : "?";
}

static struct json *txn_object(const struct txn_summary *t)
{
	struct json *j = json_dup(t->begin);

	if (!j)
		j = json_obj();
	json_del(json_get_mut(j, "profile"), "text");
	json_set_i64(j, "id", t->id);
	json_set_str(j, "state", show_txn_state(t));
	json_set_i64(j, "actions", (int64_t)show_txn_actions(t));
	if (json_get_str(t->terminal, "reason"))
		json_set_str(j, "reason", json_get_str(t->terminal, "reason"));
	return j;
}

struct listed {
	struct txn_summary txn;
	unsigned int taken_back;	/* the rollback that did it, or 0 */
};

struct list {
	struct listed *v;
	size_t n;
};

static void list_release(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		txn_summary_release(&l->v[i].txn);
	free(l->v);
}

/* A rollback takes back everything from its target on; taking back a rollback gives back what it
 * took. */
static void mark_taken_back(struct list *l, unsigned int target, unsigned int by)
{
	for (size_t i = 0; i < l->n && l->v[i].txn.id < by; i++) {
		struct listed *one = &l->v[i];

		if (one->txn.id >= target && one->txn.state == TXN_COMMITTED && !one->taken_back)
			one->taken_back = by;
		else if (one->taken_back >= target && one->txn.id < target)
			one->taken_back = 0;
	}
}

static int list_add(struct list *l, const struct state *s, unsigned int id, struct err *err)
{
	struct txn_summary t;

	if (!txnlog_exists(s, id))
		return 0;
	if (txnlog_read(s, id, &t, err) < 0)
		return -1;
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct listed){ t, 0 };
	if (t.state == TXN_COMMITTED && json_get(t.begin, "rollback_to"))
		mark_taken_back(l, (unsigned int)json_get_i64(t.begin, "rollback_to", 0), t.id);
	return 0;
}

/* Whatever took back one of the newest is among them. */
static int list_read(struct list *l, const struct state *s, unsigned int limit, struct err *err)
{
	unsigned int newest, id;

	if (txnlog_newest(s, &newest, err) < 0)
		return -1;
	id = limit && newest > limit ? newest - limit : 0;
	for (id = id > s->pruned ? id : s->pruned; id < newest; id++)
		if (list_add(l, s, id + 1, err) < 0)
			return -1;
	return 0;
}

/* Above the oldest that is kept. */
static void list_pruned(struct cli *cli, unsigned int pruned)
{
	struct json *j = json_obj();

	json_set_i64(j, "last", pruned);
	render_row(
		cli->out, "pruned", j,
		"%5s  pruned up to %u: rollback reaches back to %u, uninstall to before all of them",
		"...", pruned, pruned + 1);
}

static void list_one(struct cli *cli, const struct listed *one)
{
	const struct txn_summary *t = &one->txn;
	char *who CLEANUP(freep) = who_words(t->begin), *state CLEANUP(freep) = NULL;
	struct json *j = txn_object(t);

	state = one->taken_back ? xasprintf("rolled back by %u", one->taken_back) :
				  xstrdup(show_txn_state(t));
	if (one->taken_back)
		json_set_i64(j, "rolled_back_by", one->taken_back);
	render_row(cli->out, "transaction", j, "%5u  %-20s  %-9s %7zu  %-12s %s", t->id,
		   word(t->begin, "time"), word(t->begin, "command"), show_txn_actions(t), who,
		   state);
}

static int read_limit(const struct cli *cli, unsigned int *ret, struct err *err)
{
	const char *text = option_text(&cli->opts, "limit");
	uint64_t limit = 0;

	if (text && (str_to_u64(text, 999999, &limit) < 0 || !limit))
		return err_set(err, ERR_USAGE, "--limit '%.32s' is no number from 1 on", text);
	*ret = (unsigned int)limit;
	return 0;
}

static int list(struct session *s, struct err *err)
{
	struct list l CLEANUP(list_release) = { NULL, 0 };
	unsigned int limit = 0;

	if (read_limit(s->cli, &limit, err) < 0 || list_read(&l, &s->state, limit, err) < 0)
		return -1;
	if (!l.n)
		render_say(s->cli->out, PAINT_NONE, "No transaction yet.");
	else
		render_say(s->cli->out, PAINT_STRONG, "%5s  %-20s  %-9s %7s  %-12s %s", "ID",
			   "WHEN", "COMMAND", "CHANGES", "WHO", "STATE");
	if (s->state.pruned && l.n && l.v[0].txn.id == s->state.pruned + 1)
		list_pruned(s->cli, s->state.pruned);
	for (size_t i = 0; i < l.n; i++)
		list_one(s->cli, &l.v[i]);
	return EXIT_DONE;
}

/* The arguments of an image's builder are not kept (cli/who.c). */
static char *command_line(const struct json *begin)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	for json_each(it, json_get(begin, "argv"))
		strv_add(&words, json_string(it) ? json_string(it) : "?");
	return words.n ? strv_join(&words, " ") : xstrdup(word(begin, "command"));
}

static void show_profile(struct cli *cli, const struct json *profile)
{
	const char *source = json_get_str(profile, "source");

	render_row(cli->out, NULL, NULL, "  profile  %s%s(SHA-256 %.16s...)", source ? source : "",
		   source ? " " : "", word(profile, "digest"));
}

static void show_head(struct cli *cli, const struct txn_summary *t)
{
	char *who CLEANUP(freep) = who_words(t->begin),
		  *line CLEANUP(freep) = command_line(t->begin);
	const struct json *profile = json_get(t->begin, "profile");
	const char *reason = json_get_str(t->terminal, "reason");

	render_row(cli->out, "transaction", txn_object(t), "Transaction %u: %s", t->id,
		   show_txn_state(t));
	render_row(cli->out, NULL, NULL, "  when     %s", word(t->begin, "time"));
	render_row(cli->out, NULL, NULL, "  who      %s", who);
	render_row(cli->out, NULL, NULL, "  command  %s", line);
	render_row(cli->out, NULL, NULL, "  program  sysboxup %s", word(t->begin, "program"));
	if (profile)
		show_profile(cli, profile);
	if (reason)
		render_row(cli->out, NULL, NULL, "  reason   %s", reason);
}

static int show_actions(struct session *s, const struct txn_summary *t, struct err *err)
{
	struct action_ctx ctx = session_action_ctx(s);
	struct txnlog log CLEANUP(txnlog_release) = TXNLOG_INIT;

	if (txnlog_open(&log, &s->state, t->id, err) < 0)
		return -1;
	ctx.log = &log;
	for json_each(j, json_get(t->prepared, "actions")) {
		struct action *a CLEANUP(action_freep) = NULL;

		if (action_decode(j, &a, err) < 0)
			return -1;
		a->ops->describe(a, &ctx, s->rep);
		ctx.index++;
	}
	return EXIT_DONE;
}

static bool is_about(const struct json *action, const char *path)
{
	static const char *const kinds[] = { "file:", "docker-config:" };
	const char *key = json_get_str(action, "key");

	for (size_t i = 0; key && i < ARRAY_SIZE(kinds); i++)
		if (str_starts(key, kinds[i]) && str_eq(key + strlen(kinds[i]), path))
			return true;
	return false;
}

static int find_action(const struct txn_summary *t, const char *path, unsigned int *ret)
{
	unsigned int i = 0;

	for json_each(j, json_get(t->prepared, "actions")) {
		if (is_about(j, path)) {
			*ret = i;
			return 0;
		}
		i++;
	}
	return -1;
}

static int print_content(struct cli *cli, const char *path, int fd, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (fs_read_fd(fd, CONTENT_MAX, &text, err) < 0)
		return err_prefix(err, "cannot read the old text of '%s'", path);
	if (cli->out->json) {
		struct json *j = json_obj();

		json_set_str(j, "path", path);
		json_set_str(j, "text", text.data);
		render_row(cli->out, "content", j, "%s", path);
	}
	render_raw(cli->out, text.data, text.len);
	return EXIT_DONE;
}

static int show_path(struct session *s, const struct txn_summary *t, const char *path,
		     struct err *err)
{
	int fd CLEANUP(closep) = -1;
	unsigned int index = 0;
	char shown[512];

	err_quote(shown, sizeof(shown), path);
	if (find_action(t, path, &index) < 0) {
		err_set(err, ERR_USAGE, "transaction %u did not change a file '%s'", t->id, shown);
		return err_remedy(err, "sysboxup history show %u", t->id);
	}
	if (txnlog_before_open(&s->state, t->id, index, &fd, err) == 0)
		return print_content(s->cli, path, fd, err);
	if (err->errnum != ENOENT)
		return -1;
	err_set(err, ERR_USAGE, "there was no file '%s' before transaction %u", shown, t->id);
	return -1;
}

static int show(struct session *s, const struct strv *args, struct err *err)
{
	struct txn_summary t;
	uint64_t id;
	int rc;

	if (str_to_u64(args->v[1], 999999, &id) < 0 || !id) {
		err_set(err, ERR_USAGE, "'history show' needs a transaction's number, not '%.32s'", args->v[1]);
		return err_remedy(err, "sysboxup history");
	}
	if (txnlog_read(&s->state, (unsigned int)id, &t, err) < 0)
		return err_remedy(err, "sysboxup history");
	if (args->n > 2) {
		rc = show_path(s, &t, args->v[2], err);
	} else {
		show_head(s->cli, &t);
		rc = show_actions(s, &t, err);
	}
	txn_summary_release(&t);
	return rc;
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	const struct strv *args = &cli->opts.args;
	char shown[64];

	if (args->n && !str_eq(args->v[0], "show")) {
		err_quote(shown, sizeof(shown), args->v[0]);
		return err_set(err, ERR_USAGE, "unknown word '%s' after history; did you mean 'history show'?", shown);
	}
	if (args->n == 1) {
		err_set(err, ERR_USAGE, "'history show' needs a transaction's number");
		return err_remedy(err, "sysboxup history");
	}
	if (session_open(&s, cli, args->n == 2 ? SESSION_HOST : 0, err) < 0)
		return -1;
	return args->n ? show(&s, args, err) : list(&s, err);
}

static const char *const words[] = { "show", NULL };

static const struct option_spec history_options[] = {
	{ .name = "limit", .arg = "N", .help = "only the newest N" },
	{ .name = NULL },
};

const struct command cmd_history = {
	.name = "history",
	.usage = "[--limit N] | show ID [PATH]",
	.summary = "who changed what and when; the old text of a file",
	.about =
		"Lists the transactions that are kept. \"show ID\" shows one with its changes; "
		"\"show ID PATH\" prints the file PATH as it was "
		"before that transaction, byte for byte.",
	.options = history_options,
	.words = words,
	.args_max = 3,
	.run = run,
};
