/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "account": lines put into the account files, and taken out again. The files are never kept
 * or restored as wholes: what others add meanwhile stays. prepare chooses the ids and records the
 * exact lines; commit and undo do nothing to lines that are already as they should be, so both may
 * be repeated. The `-` backups of shadow's tools are not ours to write.
 *
 * An inverted action takes the lines of an older transaction out (and its undo puts them back
 * behind the line they followed).
 */
#include "actions/account.h"

#include "actions/account_db.h"
#include "actions/account_lock.h"
#include "actions/put.h"
#include "journal/ballast.h"
#include "sys/stamp.h"

enum { FILE_MAX = 16 * 1024 * 1024, DAY = 24 * 60 * 60, SPACE_PER_FILE = 16 * 1024 };

struct entry {
	enum account_file file;
	bool take_out;		/* else: put in */
	char *line;
	char *prev;		/* take_out: the line it follows */
	bool joined;		/* the file has no final newline without our line */
	bool made;		/* the file is not there without our line */
};

struct account {
	char *name;
	bool inverted;
	struct entry *v;
	size_t n;
	int64_t day;
	bool lock_made;		/* /etc/.pwd.lock was absent: it goes after an undo */
	bool lock_goes;		/* inverted: it goes after the commit */
};

extern const struct action_ops account_ops;

static void account_release(struct action *a)
{
	struct account *d = a->data;

	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].line);
		free(d->v[i].prev);
	}
	free(d->v);
	free(d->name);
	free(d);
}

static struct entry *entry_add(struct account *d, enum account_file file, bool take_out,
			       const char *line)
{
	d->v = xreallocarray(d->v, d->n + 1, sizeof(*d->v));
	d->v[d->n] = (struct entry){ .file = file, .take_out = take_out, .line = xstrdup(line) };
	return &d->v[d->n++];
}

static struct action *account_action(const char *step, const char *name, bool inverted)
{
	struct account *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("account:%s", name);

	d->name = xstrdup(name);
	d->inverted = inverted;
	return action_new(&account_ops, key, step, RANK_ACCOUNT, d);
}

struct action *action_account(const char *step, const char *name)
{
	return account_action(step, name, false);
}

/* ---- files ---- */

static char *file_path(enum account_file f)
{
	return xasprintf("/etc/%s", account_names[f]);
}

static int file_read(const struct root *r, enum account_file f, struct buf *ret, bool *ret_present,
		     struct err *err)
{
	char *path CLEANUP(freep) = file_path(f);
	int got = root_read_optional(r, path, FILE_MAX, ret, err);

	if (got < 0)
		return -1;
	*ret_present = !got;
	return 0;
}

static int texts_read(const struct root *r, struct account_texts *t, struct err *err)
{
	account_texts_init(t);
	for (size_t f = 0; f < ACC_FILES; f++) {
		if (file_read(r, f, &t->v[f], &t->present[f], err)) {
			account_texts_release(t);
			return -1;
		}
	}
	return 0;
}

static int missing_lines(const struct root *r, const struct account_texts *t, const char *name,
			 int64_t day, char *ret_lines[ACC_FILES], struct err *err)
{
	struct buf defs CLEANUP(buf_release) = BUF_INIT;

	if (root_read_optional(r, "/etc/login.defs", FILE_MAX, &defs, err) < 0)
		return -1;
	return account_missing(t, &defs, name, day, ret_lines, err);
}

static void lines_release(char *lines[ACC_FILES])
{
	for (size_t f = 0; f < ACC_FILES; f++)
		free(STEAL(lines[f]));
}

int account_needed(const struct root *r, const char *name, bool *ret, struct err *err)
{
	struct account_texts t CLEANUP(account_texts_release) = { 0 };
	char *lines[ACC_FILES] = { NULL };
	bool any = false;

	if (texts_read(r, &t, err) || missing_lines(r, &t, name, 0, lines, err))
		return -1;
	for (size_t f = 0; f < ACC_FILES; f++)
		any = any || lines[f];
	lines_release(lines);
	*ret = any;
	return 0;
}

/* ---- prepare ---- */

static int choose_lines(struct account *d, const struct root *r, const struct account_texts *t,
			struct err *err)
{
	char *lines[ACC_FILES] = { NULL };

	d->day = stamp_now() / DAY;
	if (missing_lines(r, t, d->name, d->day, lines, err))
		return -1;
	for (size_t f = 0; f < ACC_FILES; f++)
		if (lines[f])
			entry_add(d, f, false, lines[f])->made = !t->present[f];
	lines_release(lines);
	return 0;
}

static int changed_since(const struct account *d, enum account_file f, struct err *err)
{
	err_set(err, ERR_REFUSED, "the entry of '%s' in '/etc/%s' was changed by somebody else since", d->name, account_names[f]);
	return err_remedy(err, "look at it; rollback --force and uninstall --force leave it as it is and take back the others");
}

static void entry_drop(struct account *d, size_t i)
{
	free(d->v[i].line);
	free(d->v[i].prev);
	memmove(&d->v[i], &d->v[i + 1], (--d->n - i) * sizeof(*d->v));
}

/* Each line of an inverted action is still as recorded; what has gone already needs nothing. */
static int check_inverted(struct account *d, const struct account_texts *t,
			  const struct action_ctx *ctx, struct err *err)
{
	for (size_t i = d->n; i-- > 0;) {
		struct entry *e = &d->v[i];
		const struct buf *text = &t->v[e->file];
		char *now CLEANUP(freep) = account_line_of(text, d->name, NULL);

		if (e->take_out && account_has_line(text, e->line)) {
			free(e->prev);
			e->prev = account_prev_line(text, e->line);
			continue;
		}
		if (!e->take_out && !now)
			continue;
		if (now && !account_has_line(text, e->line) && !ctx->force)
			return changed_since(d, e->file, err);
		if (now && !account_has_line(text, e->line))
			report_warn(ctx->rep, NULL, "'/etc/%s': the entry of '%s' was changed by somebody else and stays",
				    account_names[e->file], d->name);
		entry_drop(d, i);
	}
	return 0;
}

/* Whether the file ends in a newline is for undo to know, which sees only the record. */
static void note_joined(struct account *d, const struct account_texts *t)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct buf *text = &t->v[d->v[i].file];
		if (!d->v[i].take_out)
			d->v[i].joined = text->len && text->data[text->len - 1] != '\n';
	}
}

/* On the way back each file is written whole again, and shadow's locks are files too. */
static int set_aside(const struct account *d, const struct account_texts *t,
		     const struct action_ctx *ctx, struct err *err)
{
	static const char *const etc[] = { "/etc", NULL };
	uint64_t bytes = 0;

	for (size_t i = 0; i < d->n; i++)
		bytes += t->v[d->v[i].file].len + strlen(d->v[i].line) + SPACE_PER_FILE;
	return ballast_need(ctx->log, etc, bytes, err);
}

static int account_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct account *d = a->data;
	struct account_texts t CLEANUP(account_texts_release) = { 0 };

	if (texts_read(ctx->root, &t, err))
		return -1;
	d->lock_made = !root_exists(ctx->root, ACCOUNT_LOCK_PATH);
	if (d->inverted ? check_inverted(d, &t, ctx, err) : choose_lines(d, ctx->root, &t, err))
		return -1;
	note_joined(d, &t);
	return set_aside(d, &t, ctx, err);
}

/* ---- commit and undo ---- */

static bool entry_in(const struct entry *e, bool undo)
{
	return e->take_out == undo;
}

static int write_file(const struct action_ctx *ctx, enum account_file f, const struct buf *text,
		      bool remove, struct err *err)
{
	static const struct node absent = NODE_INIT;
	char *path CLEANUP(freep) = file_path(f);

	return remove ? put_node(ctx, path, &absent, NULL, 0, false, err) :
			put_content(ctx, path, text, 0644, err);
}

/* One entry forwards or back. Leaves somebody's other entry of the same name alone:
 * *ret_foreign. */
static int apply_entry(struct account *d, struct entry *e, bool undo, const struct action_ctx *ctx,
		       bool *ret_foreign, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	bool present, have;

	if (file_read(ctx->root, e->file, &text, &present, err))
		return -1;
	have = account_has_line(&text, e->line);
	char *other CLEANUP(freep) = have ? NULL : account_line_of(&text, d->name, NULL);
	if (other)
		*ret_foreign = true;
	if (other || have == entry_in(e, undo))
		return 0;
	if (have)
		account_del_line(&text, e->line, e->joined);
	else
		account_add_line(&text, e->line, e->prev, &e->joined);
	return write_file(ctx, e->file, &text, have && e->made && !text.len, err);
}

static int take_locks(struct account *d, const struct action_ctx *ctx, struct account_locks **ret,
		      struct err *err)
{
	const char *names[ACC_FILES + 1] = { NULL };
	size_t n = 0;

	for (size_t f = 0; f < ACC_FILES; f++)
		for (size_t i = 0; i < d->n; i++)
			if (d->v[i].file == f && (!n || names[n - 1] != account_names[f]))
				names[n++] = account_names[f];
	return account_locks_take(ret, ctx->root, names, err);
}

/* Somebody may have taken an id since prepare. */
static int still_free(struct account *d, const struct action_ctx *ctx, struct err *err)
{
	struct account_texts t CLEANUP(account_texts_release) = { 0 };
	char *lines[ACC_FILES] = { NULL };
	bool same = true;

	if (d->inverted)
		return 0;
	if (texts_read(ctx->root, &t, err) ||
	    missing_lines(ctx->root, &t, d->name, d->day, lines, err))
		return -1;
	for (size_t i = 0; i < d->n; i++)
		same = same && str_eq(lines[d->v[i].file], d->v[i].line);
	lines_release(lines);
	if (same)
		return 0;
	return err_set(
		err, ERR_FAILED,
		"the account files were changed by somebody else this instant: the ids chosen for '%s' are taken",
		d->name);
}

static int account_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct account *d = a->data;
	struct account_locks *locks CLEANUP(account_locks_drop) = NULL;
	bool foreign = false;

	if (!d->n)
		return 0;
	if (take_locks(d, ctx, &locks, err) || still_free(d, ctx, err))
		return -1;
	for (size_t i = 0; i < d->n; i++) {
		if (apply_entry(d, &d->v[i], false, ctx, &foreign, err))
			return -1;
		if (foreign)
			return changed_since(d, d->v[i].file, err);
	}
	return 0;
}

static int tidy_files(const struct account *d, const struct action_ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < d->n; i++) {
		char *path CLEANUP(freep) = file_path(d->v[i].file);
		if (put_tidy(ctx, path, err))
			return -1;
	}
	return 0;
}

static int undo_entries(struct account *d, struct action_ctx *ctx, struct strv *strangers,
			struct err *err)
{
	for (size_t i = d->n; i-- > 0;) {
		bool foreign = false;
		if (apply_entry(d, &d->v[i], true, ctx, &foreign, err))
			return -1;
		if (foreign)
			strv_addf(strangers, "'/etc/%s'", account_names[d->v[i].file]);
	}
	return 0;
}

static int account_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct account *d = a->data;
	struct account_locks *locks CLEANUP(account_locks_drop) = NULL;
	struct strv strangers CLEANUP(strv_release) = STRV_INIT;

	if (!d->n)
		return 0;
	if (take_locks(d, ctx, &locks, err) || tidy_files(d, ctx, err) ||
	    undo_entries(d, ctx, &strangers, err))
		return -1;
	if (!strangers.n)
		return 0;
	char *where CLEANUP(freep) = strv_join(&strangers, ", ");
	if (ctx->force) {
		report_warn(ctx->rep, NULL, "the entry of '%s' in %s was changed by somebody else and stays", d->name, where);
		return 0;
	}
	err_set(err, ERR_FAILED, "the entry of '%s' in %s was changed by somebody else and was left alone", d->name, where);
	return err_remedy(err, "delete it, or run: userdel %s; then: sysboxup recover", d->name);
}

/*
 * In an image the lock file goes again if it was not there before us. On a host that runs it stays:
 * who waits for its lock by now would get that of a file which others do not see any more.
 */
static int account_finish(struct action *a, struct action_ctx *ctx, struct err *err)
{
	static const char *const none[] = { NULL };
	struct account *d = a->data;
	struct account_locks *locks CLEANUP(account_locks_drop) = NULL;
	bool goes = ctx->committed ? d->lock_goes : d->lock_made;

	if (!goes || !d->n || ctx->host->running || !root_exists(ctx->root, ACCOUNT_LOCK_PATH))
		return 0;
	return account_locks_take(&locks, ctx->root, none, err) ||
			       account_locks_unmake(locks, err) ?
		       -1 :
		       0;
}

static int account_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct account *d = a->data;

	for (size_t i = 0; i < d->n; i++) {
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		bool present;

		if (file_read(ctx->root, d->v[i].file, &text, &present, err))
			return -1;
		if (account_has_line(&text, d->v[i].line) != entry_in(&d->v[i], false))
			return err_set(err, ERR_FAILED, "'/etc/%s' does not have the entry of '%s' as written",
				       account_names[d->v[i].file], d->name);
	}
	return 0;
}

/* ---- later ---- */

/* The entry of d that e continues: the same line the other way round, or another one put into the
 * same file. */
static struct entry *entry_before(const struct account *d, const struct entry *e)
{
	for (size_t i = 0; i < d->n; i++) {
		struct entry *o = &d->v[i];

		if (o->file == e->file &&
		    (str_eq(o->line, e->line) || (!o->take_out && !e->take_out)))
			return o;
	}
	return NULL;
}

/* What d and then e did. A line is put in only where there is none: a second one in the same file
 * stands for the first. */
static void entry_join(struct account *d, const struct entry *e)
{
	struct entry *o = entry_before(d, e);
	bool made = o && o->made, undoes = o && o->take_out != e->take_out;

	if (o && !undoes && str_eq(o->line, e->line))
		return;
	if (o)
		entry_drop(d, (size_t)(o - d->v));
	if (undoes)
		return;
	struct entry *new = entry_add(d, e->file, e->take_out, e->line);
	new->prev = xstrdup(e->prev);
	new->joined = e->joined;
	new->made = e->made || made;
}

static bool account_fold(struct action *older, const struct action *newer)
{
	const struct account *n = newer->data;

	for (size_t i = 0; i < n->n; i++)
		entry_join(older->data, &n->v[i]);
	return true;
}

static int account_invert(const struct record *oldest, const struct record *newest,
			  struct action **ret, struct err *err)
{
	const struct account *o = oldest->action->data;
	struct action *a = account_action("rollback", o->name, true);
	struct account *d = a->data;

	for (const struct record *r = oldest; r; r = r->next)
		account_fold(a, r->action);
	for (size_t i = 0; i < d->n; i++)
		d->v[i].take_out = !d->v[i].take_out;
	d->lock_goes = o->lock_made;
	if (!d->n) {
		action_free(a);
		a = NULL;
	}
	*ret = a;
	return 0;
}

static struct json *entry_encode(const struct entry *e)
{
	struct json *j = json_obj();

	json_set_str(j, "file", account_names[e->file]);
	json_set_bool(j, "take_out", e->take_out);
	json_set_str(j, "line", e->line);
	if (e->prev)
		json_set_str(j, "prev", e->prev);
	json_set_bool(j, "joined", e->joined);
	json_set_bool(j, "made", e->made);
	return j;
}

static int account_encode(const struct action *a, struct json *j)
{
	const struct account *d = a->data;
	struct json *entries = json_arr();

	for (size_t i = 0; i < d->n; i++)
		json_add(entries, entry_encode(&d->v[i]));
	json_set_str(j, "name", d->name);
	json_set_bool(j, "inverted", d->inverted);
	json_set(j, "entries", entries);
	json_set_i64(j, "day", d->day);
	json_set_bool(j, "lock_made", d->lock_made);
	json_set_bool(j, "lock_goes", d->lock_goes);
	return 0;
}

static int entry_decode(struct account *d, const struct json *j, struct err *err)
{
	const char *file = json_get_str(j, "file"), *line = json_get_str(j, "line");

	for (size_t f = 0; f < ACC_FILES && line; f++) {
		if (!str_eq(file, account_names[f]))
			continue;
		struct entry *e = entry_add(d, f, json_get_bool(j, "take_out", false), line);
		e->prev = xstrdup(json_get_str(j, "prev"));
		e->joined = json_get_bool(j, "joined", false);
		e->made = json_get_bool(j, "made", false);
		return 0;
	}
	return err_set(err, ERR_FAILED, "an entry without file or line");
}

static int account_decode(struct action *a, const struct json *j, struct err *err)
{
	struct account *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->name = xstrdup(json_get_str(j, "name"));
	d->inverted = json_get_bool(j, "inverted", false);
	d->day = json_get_i64(j, "day", 0);
	d->lock_made = json_get_bool(j, "lock_made", false);
	d->lock_goes = json_get_bool(j, "lock_goes", false);
	if (!d->name)
		return err_set(err, ERR_FAILED, "no name");
	for json_each(e, json_get(j, "entries"))
		if (entry_decode(d, e, err))
			return -1;
	return 0;
}

static void account_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct account *d = a->data;

	if (d->inverted)
		report_change(r, a->key, "remove the entries of '%s' from the account files", d->name);
	else
		report_change(
			r, a->key,
			"add system account '%s' without login or home, with %d subordinate ids",
			d->name, SUBID_COUNT);
}

static struct json *account_index(const struct action *a, const struct root *root)
{
	const struct account *d = a->data;
	struct json *j, *entries;

	if (d->inverted || !d->n)
		return NULL;
	j = json_obj();
	entries = json_arr();
	for (size_t i = 0; i < d->n; i++)
		json_add(entries, entry_encode(&d->v[i]));
	json_set_str(j, "state", "present");
	json_set(j, "entries", entries);
	return j;
}

static enum report_state account_drift(const struct json *entry, const char *key,
				       const struct action_ctx *ctx, struct buf *found)
{
	struct err err = ERR_INIT;
	enum report_state state = STATE_OK;

	for json_each(e, json_get(entry, "entries")) {
		const char *file = json_get_str(e, "file"), *line = json_get_str(e, "line");
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		char *path CLEANUP(freep) = xasprintf("/etc/%s", file ? file : "");

		if (root_read_optional(ctx->root, path, FILE_MAX, &text, &err) < 0)
			return STATE_UNKNOWN;
		if (!line || account_has_line(&text, line))
			continue;
		buf_addf(found, "%s'%s' has another entry, or none", found->len ? ", " : "", path);
		state = STATE_BAD;
	}
	return state;
}

static const char *const paths[] = { "/etc/passwd",  "/etc/group",  "/etc/shadow", "/etc/gshadow",
				     "/etc/subuid", "/etc/subgid", ACCOUNT_LOCK_PATH, NULL };

const struct action_ops account_ops = {
	.kind = "account",
	.prepare = account_prepare,
	.commit = account_commit,
	.undo = account_undo,
	.finish = account_finish,
	.verify = account_verify,
	.invert = account_invert,
	.fold = account_fold,
	.encode = account_encode,
	.decode = account_decode,
	.describe = account_describe,
	.index = account_index,
	.drift = account_drift,
	.paths = paths,
	.release = account_release,
};
