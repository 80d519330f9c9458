/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "registration": see actions/kinds.h. dpkg's database is text of others with a paragraph and
 * some files of ours in it, so nothing of it is kept or restored as a whole. Written under dpkg's
 * own lock, the files before the paragraph that speaks of them and the other way round when they
 * go: a kill leaves files that nobody reads, never a package without its list.
 */
#include "actions/registration.h"

#include "actions/kinds.h"
#include "actions/packages_data.h"
#include "actions/put.h"
#include "backends/pkg/apt.h"
#include "base/hex.h"
#include "journal/ballast.h"

#define KEY_PREFIX "registration:" DPKG_INFO "/"

extern const struct action_ops registration_ops;

static void registration_release(struct action *a)
{
	struct registration *d = a->data;

	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].path);
		free(d->v[i].member);
		buf_release(&d->v[i].text);
	}
	free(d->v);
	json_free(d->from);
	json_free(d->to);
	free(d->package);
	free(d->ours);
	free(d);
}

struct action *action_registration(const char *step, const char *package, const char *ours)
{
	struct registration *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = registration_key(package);

	d->package = xstrdup(package);
	d->ours = xstrdup(ours);
	return action_new(&registration_ops, key, step, RANK_FILES, d);
}

char *registration_key(const char *package)
{
	return xasprintf(KEY_PREFIX "%s.list", package);
}

static struct registered_file *add_listed(struct action *a, const char *path)
{
	struct registration *d = a->data;

	d->v = xreallocarray(d->v, d->n + 1, sizeof(*d->v));
	d->v[d->n] = (struct registered_file){ .path = xstrdup(path), .text = BUF_INIT };
	return &d->v[d->n++];
}

void registration_add_member(struct action *a, const char *path, const char *member)
{
	add_listed(a, path)->member = xstrdup(member);
}

void registration_add_text(struct action *a, const char *path, const void *data, size_t len)
{
	buf_add(&add_listed(a, path)->text, data, len);
}

/* ---- prepare ---- */

static int check_updates(const struct action_ctx *ctx, const char *then, struct err *err)
{
	size_t updates;

	if (dpkgdb_updates(ctx->root, &updates, err))
		return -1;
	if (!updates)
		return 0;
	err_set(err, ERR_REFUSED, "dpkg was interrupted: '" DPKG_DIR "/updates' is not empty");
	return err_remedy(err, "dpkg --configure -a, then %s", then);
}

/* Of an image without the lock's file none is made before the commit: a refusal leaves nothing. */
static int look_at_dpkg(struct registration *d, const struct action_ctx *ctx, struct err *err)
{
	d->lock_made = !root_exists(ctx->root, DPKG_LOCK);
	if ((!d->lock_made || ctx->host->running) &&
	    frontend_lock(ctx->root, packages_lock_seconds(), ctx->rep, err))
		return -1;
	return check_updates(ctx, "try again", err);
}

/* Whatever is there is ours, or what a removal leaves. */
static int check_from(const struct registration *d, struct err *err)
{
	char *version CLEANUP(freep) = note_field(d->from, "Version"), *want CLEANUP(freep) = NULL,
	     *state CLEANUP(freep) = NULL;

	note_status(d->from, &want, &state);
	if (!state || str_eq(state, "not-installed") || str_eq(state, "config-files"))
		return 0;
	if (!str_eq(version, d->ours)) {
		err_set(err, ERR_REFUSED, "dpkg has package '%s' %s (%s), and not by sysboxup", d->package,
			version ? version : "", state);
		return err_remedy(
			err,
			"leave Sysbox to dpkg from now on: sysboxup forget; or dpkg --purge %s, then try again",
			d->package);
	}
	if (!str_eq(state, "installed")) {
		err_set(err, ERR_REFUSED, "package '%s' is %s", d->package, state);
		return err_remedy(err, "dpkg --configure -a, then try again");
	}
	if (!str_eq(want, "hold"))
		return 0;
	err_set(err, ERR_REFUSED, "package '%s' is on hold", d->package);
	return err_remedy(err, "apt-mark unhold %s, then try again", d->package);
}

static int changed_since(const struct registration *d, struct err *err)
{
	err_set(err, ERR_REFUSED, "what dpkg has of package '%s' was changed by somebody else since", d->package);
	return err_remedy(
		err,
		"look at it: dpkg -s %s; rollback --force leaves it there, sysboxup forget leaves all of it to dpkg",
		d->package);
}

/* Of the names in one of two notes: each file now is as the one or the other has it. */
static bool files_known(const struct json *names, const struct json *now, const struct json *a,
			const struct json *b)
{
	for json_each(f, json_get(names, "files"))
		if (!note_same_file(now, a, json_key(f)) && !note_same_file(now, b, json_key(f)))
			return false;
	return true;
}

/* Nobody else has written there: each part is as before or as after. */
static bool is_known(const struct registration *d, const struct json *now)
{
	return (note_same_paragraph(now, d->from) || note_same_paragraph(now, d->to)) &&
	       files_known(d->from, now, d->from, d->to) && files_known(d->to, now, d->from, d->to);
}

static void warn_left(const struct registration *d, const struct action_ctx *ctx)
{
	char *remedy CLEANUP(freep) = xasprintf("dpkg --purge %s, if it is not wanted", d->package);

	report_warn(ctx->rep, remedy, "what dpkg has of package '%s' was changed by somebody else and stays", d->package);
}

/* Without a database there is nothing to take back. */
static int check_inverted(struct registration *d, const struct action_ctx *ctx, struct err *err)
{
	struct json *now CLEANUP(json_freep) = NULL;

	d->left = !root_exists(ctx->root, DPKG_STATUS);
	if (d->left)
		return 0;
	if (note_read(ctx->root, d->package, &now, err))
		return -1;
	d->left = !is_known(d, now);
	if (d->left && !ctx->force)
		return changed_since(d, err);
	if (d->left)
		warn_left(d, ctx);
	/* with what dpkg and somebody's hold have made of it, for undo */
	json_free(d->from);
	d->from = STEAL(now);
	return 0;
}

/* status is written whole, the files of both sides may be. What its end lacks is for undo to know,
 * which sees only the record. */
static int set_aside(struct registration *d, const struct action_ctx *ctx, struct err *err)
{
	static const char *const dirs[] = { DPKG_DIR, NULL };
	struct buf status CLEANUP(buf_release) = BUF_INIT, both CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err))
		return -1;
	d->joined = note_known(d->from) ? d->joined : note_joins(&status);
	json_print(d->from, &both);
	json_print(d->to, &both);
	return ballast_need(ctx->log, dirs, status.len + both.len, err);
}

static int registration_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct registration *d = a->data;

	if (look_at_dpkg(d, ctx, err))
		return -1;
	if (d->inverted)
		return check_inverted(d, ctx, err) || set_aside(d, ctx, err) ? -1 : 0;
	if (note_read(ctx->root, d->package, &d->from, err) || check_from(d, err) ||
	    registration_note(d, ctx, err))
		return -1;
	return set_aside(d, ctx, err);
}

/* ---- commit and undo ---- */

static char *info_path(const struct registration *d, const char *name)
{
	return xasprintf(DPKG_INFO "/%s.%s", d->package, name);
}

static int put_file(const struct registration *d, const struct action_ctx *ctx, const char *name,
		    const struct json *file, struct err *err)
{
	char *path CLEANUP(freep) = info_path(d, name);
	struct node want = { .type = file ? NODE_FILE : NODE_ABSENT,
			     .mode = (mode_t)json_get_i64(file, "mode", 0644),
			     .mtime = { .tv_sec = json_get_i64(file, "mtime", 0) } };
	struct buf data CLEANUP(buf_release) = BUF_INIT;

	if (!hex_decode(json_get_str(file, "data"), &data))
		return err_set(err, ERR_FAILED, "'%s' was recorded with content that cannot be read", path);
	return put_node(ctx, path, &want, data.data, data.len, true, err);
}

static int put_status(struct registration *d, const struct action_ctx *ctx,
		      const struct json *note, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err) ||
	    note_into_status(note, d->package, &status, d->joined, err))
		return -1;
	return put_content(ctx, DPKG_STATUS, &status, 0644, err);
}

/* What is so already is left alone. other: what is there else; files of neither are somebody's. */
static int put_note(struct registration *d, const struct action_ctx *ctx, const struct json *now,
		    const struct json *note, const struct json *other, struct err *err)
{
	const struct json *there = json_get(now, "files"), *wanted = json_get(note, "files");

	for json_each(f, wanted)
		if (!note_same_file(now, note, json_key(f)) &&
		    put_file(d, ctx, json_key(f), f, err))
			return -1;
	if (!note_same_paragraph(now, note) && put_status(d, ctx, note, err))
		return -1;
	for json_each(f, json_get(other, "files"))
		if (json_get(there, json_key(f)) && !json_get(wanted, json_key(f)) &&
		    put_file(d, ctx, json_key(f), NULL, err))
			return -1;
	return 0;
}

static int registration_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct registration *d = a->data;
	struct json *now CLEANUP(json_freep) = NULL;

	if (d->left)
		return 0;
	if (frontend_lock(ctx->root, packages_lock_seconds(), ctx->rep, err) ||
	    note_read(ctx->root, d->package, &now, err))
		return -1;
	return is_known(d, now) ? put_note(d, ctx, now, d->to, d->from, err) :
				  changed_since(d, err);
}

/* What a put that died left beside them. */
static int tidy(const struct registration *d, const struct action_ctx *ctx, struct err *err)
{
	const struct json *both[] = { d->from, d->to };

	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		for json_each(f, json_get(both[i], "files")) {
			char *path CLEANUP(freep) = info_path(d, json_key(f));
			if (put_tidy(ctx, path, err))
				return -1;
		}
	return put_tidy(ctx, DPKG_STATUS, err);
}

/* Gone altogether, it was somebody's removal. */
static int leave_alone(const struct registration *d, const struct action_ctx *ctx,
		       const struct json *now, struct err *err)
{
	if (ctx->force || (!note_known(now) && !json_len(json_get(now, "files")))) {
		warn_left(d, ctx);
		return 0;
	}
	err_set(err, ERR_FAILED, "what dpkg has of package '%s' was changed by somebody else and was left alone",
		d->package);
	return err_remedy(err, "dpkg --purge %s; then: sysboxup recover", d->package);
}

static int registration_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct registration *d = a->data;
	struct json *now CLEANUP(json_freep) = NULL;

	if (d->left)
		return 0;
	if (frontend_lock(ctx->root, packages_lock_seconds(), ctx->rep, err) ||
	    check_updates(ctx, "sysboxup recover", err) || tidy(d, ctx, err) ||
	    note_read(ctx->root, d->package, &now, err))
		return -1;
	return is_known(d, now) ? put_note(d, ctx, now, d->from, d->to, err) :
				  leave_alone(d, ctx, now, err);
}

/* Who waits for a lock on a host that runs would get that of a file which others do not see any
 * more. */
static int registration_finish(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct registration *d = a->data;

	if (!d->lock_made || ctx->host->running)
		return 0;
	return frontend_unmake(ctx->root, packages_lock_seconds(), ctx->rep, err);
}

static int registration_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct registration *d = a->data;
	struct json *now CLEANUP(json_freep) = NULL;

	if (d->left)
		return 0;
	if (note_read(ctx->root, d->package, &now, err))
		return -1;
	if (note_same_paragraph(now, d->to) && files_known(d->to, now, d->to, d->to))
		return 0;
	return err_set(err, ERR_FAILED, "dpkg does not have package '%s' as it was registered", d->package);
}

/* ---- later ---- */

static bool registration_fold(struct action *older, const struct action *newer)
{
	struct registration *o = older->data;
	const struct registration *n = newer->data;

	json_free(o->to);
	o->to = json_dup(n->to);
	return true;
}

static int registration_invert(const struct record *oldest, const struct record *newest,
			       struct action **ret, struct err *err)
{
	const struct registration *o = oldest->action->data, *n = newest->action->data;
	struct action *a;
	struct registration *d;

	*ret = NULL;
	if (json_equal(o->from, n->to))
		return 0;
	a = action_registration("rollback", o->package, NULL);
	d = a->data;
	d->inverted = true;
	d->from = json_dup(n->to);
	d->to = json_dup(o->from);
	d->joined = o->joined;
	*ret = a;
	return 0;
}

static int registration_encode(const struct action *a, struct json *j)
{
	const struct registration *d = a->data;

	json_set_str(j, "package", d->package);
	json_set(j, "from", json_dup(d->from));
	json_set(j, "to", json_dup(d->to));
	json_set_i64(j, "joined", (int64_t)d->joined);
	json_set_bool(j, "inverted", d->inverted);
	json_set_bool(j, "left", d->left);
	json_set_bool(j, "lock_made", d->lock_made);
	return 0;
}

static int registration_decode(struct action *a, const struct json *j, struct err *err)
{
	struct registration *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->package = xstrdup(json_get_str(j, "package"));
	if (!d->package || !json_get(j, "from") || !json_get(j, "to"))
		return err_set(err, ERR_FAILED, "no package, or not what was before or is after");
	d->from = json_dup(json_get(j, "from"));
	d->to = json_dup(json_get(j, "to"));
	d->joined = (size_t)json_get_i64(j, "joined", 0);
	d->inverted = json_get_bool(j, "inverted", false);
	d->left = json_get_bool(j, "left", false);
	d->lock_made = json_get_bool(j, "lock_made", false);
	return 0;
}

/* ---- shown ---- */

static void registration_describe(const struct action *a, const struct action_ctx *ctx,
				  struct report *r)
{
	const struct registration *d = a->data;

	if (d->inverted && !note_known(d->to))
		report_change(r, "dpkg", "package '%s' is no longer registered", d->package);
	else
		report_change(r, "dpkg", "package '%s' registered as installed", d->package);
}

static struct json *registration_index(const struct action *a, const struct root *root)
{
	const struct registration *d = a->data;
	char *version CLEANUP(freep) = note_field(d->to, "Version");
	struct json *j = json_obj();

	json_set_str(j, "package", d->package);
	json_set_str(j, "version", version);
	return j;
}

static enum report_state registration_drift(const struct json *entry, const char *key,
					    const struct action_ctx *ctx, struct buf *found)
{
	const char *package = json_get_str(entry, "package");
	struct pkg_status st = { 0 };
	struct err ignored = ERR_INIT;
	bool same;

	if (!package || dpkgdb_look(ctx->root, package, &st, &ignored))
		return STATE_UNKNOWN;
	same = str_eq(st.state, "installed") &&
	       str_eq(st.version, json_get_str(entry, "version"));
	if (!same && st.known)
		buf_addf(found, "dpkg has %s %s, %s", package, st.version ? st.version : "",
			 st.state);
	else if (!same)
		buf_addf(found, "dpkg does not know %s any more", package);
	pkg_status_release(&st);
	return same ? STATE_OK : STATE_BAD;
}

static const char *const paths[] = { DPKG_STATUS, NULL };

const struct action_ops registration_ops = {
	.kind = "registration",
	.prepare = registration_prepare,
	.commit = registration_commit,
	.undo = registration_undo,
	.finish = registration_finish,
	.verify = registration_verify,
	.invert = registration_invert,
	.fold = registration_fold,
	.encode = registration_encode,
	.decode = registration_decode,
	.describe = registration_describe,
	.index = registration_index,
	.drift = registration_drift,
	.paths = paths,
	.release = registration_release,
};
