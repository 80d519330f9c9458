/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "packages". Commit is dpkg in the shield, in the batches that apt's plan has; where its
 * outcome cannot be known beforehand the record holds the whole before-state instead
 * (packages_before.c), and undo compares and puts right (packages_undo.c).
 */
#include "actions/packages_data.h"

#include "actions/kinds.h"

#include <errno.h>

extern const struct action_ops packages_ops;

static void packages_release(struct action *a)
{
	struct packages *d = a->data;

	strv_release(&d->names);
	strv_release(&d->autos);
	strv_release(&d->kept);
	pkg_plan_release(&d->plan);
	free(d->name);
	free(d->version);
	free(d->arch);
	free(d->expected);
	free(d->from);
	free(d->old_file);
	packages_forget_fetched(d);
	json_free(d->before);
	json_free(d->give_back);
	free(d);
}

struct action *action_packages(const char *step, const char *const *names, const char *name,
			       const char *version, const char *arch, bool remove)
{
	struct packages *d = xcalloc(1, sizeof(*d));

	if (names)
		strv_addv(&d->names, names);
	d->name = xstrdup(name);
	d->version = xstrdup(version);
	d->arch = xstrdup(arch);
	d->remove = remove;
	return action_new(&packages_ops, "packages", step, RANK_FILES, d);
}

struct action *action_package_named(const char *step, const char *name)
{
	struct action *a = action_packages(step, NULL, name, NULL, NULL, false);
	struct packages *d = a->data;

	d->by_name = true;
	free(a->key);
	a->key = xasprintf("packages:%s", name);
	return a;
}

void packages_replace(struct action *a, const char *from, const char *sha256)
{
	struct packages *d = a->data;

	str_replace(&d->from, from);
	if (sha256 && digest_valid(sha256))
		memcpy(d->old_sha256, sha256, sizeof(d->old_sha256));
}

/* ---- commit ---- */

static int commit_remove(struct packages *d, struct action_ctx *ctx, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT,
			  autos CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->plan.n; i++) {
		strv_add(&names, d->plan.v[i].name);
		if (json_get_bool(before_package(d, d->plan.v[i].name), "auto", false))
			strv_add(&autos, d->plan.v[i].name);
	}
	if (apt_mark(ctx, "manual", &autos, err) || dpkg_purge(ctx, &names, false, err) ||
	    before_drop_enabled(d, ctx, err))
		return -1;
	return before_restore_kept(d, ctx, err);
}

bool packages_takes_out(const struct packages *d)
{
	for (size_t i = 0; i < d->plan.n; i++)
		if (d->plan.v[i].what == PKG_REMOVE)
			return true;
	return false;
}

/* What the version of before did not need, once that is back. */
static int purge_surplus(const struct packages *d, struct action_ctx *ctx, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->plan.n; i++)
		if (d->plan.v[i].what == PKG_REMOVE)
			strv_add(&names, d->plan.v[i].name);
	return apt_mark(ctx, "manual", &names, err) || dpkg_purge(ctx, &names, false, err) ? -1 : 0;
}

static int install(const struct packages *d, struct action_ctx *ctx, struct err *err)
{
	struct pkg_plan comes CLEANUP(pkg_plan_release) = { 0 };

	for (size_t i = 0; i < d->plan.n; i++)
		if (d->plan.v[i].what != PKG_REMOVE)
			plan_copy_op(&comes, &d->plan.v[i]);
	return dpkg_install_plan(ctx, &comes, err);
}

static int commit_install(struct packages *d, struct action_ctx *ctx, struct err *err)
{
	if (install(d, ctx, err) || packages_check_noted(d, ctx, err) ||
	    apt_mark(ctx, "auto", &d->autos, err) || purge_surplus(d, ctx, err))
		return -1;
	if (d->give_back && before_give_back(d, ctx, err))
		return -1;
	return d->inverted ? before_drop_dist(d, ctx, err) : 0;
}

static int packages_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct packages *d = a->data;

	if (!d->plan.n)
		return 0;
	if (d->remove ? commit_remove(d, ctx, err) : commit_install(d, ctx, err)) {
		if (err->errnum == ETIMEDOUT)
			packages_note_hang(ctx);
		return -1;
	}
	return packages_sync(ctx->root, err);
}

static int verify_op(const struct packages *d, const struct pkg_op *op, struct action_ctx *ctx,
		     const struct pkg_ops *ops, struct err *err)
{
	struct pkg_status st = { 0 };

	if (ops->status(ctx->host, op->name, &st, err))
		return -1;
	bool goes = op->what == PKG_REMOVE;
	bool installed = st.known && str_eq(st.state, "installed") &&
			 (goes || str_eq(st.version, op->new_version));
	bool right = goes ? !st.known || str_eq(st.state, "not-installed") : installed;
	char *now CLEANUP(freep) = st.known ? xasprintf("%s %s", st.state,
							st.version ? st.version : "") :
					      xstrdup("not installed");
	pkg_status_release(&st);
	return right ? 0 : err_set(err, ERR_FAILED, "package '%s' is %s", op->name, now);
}

static int packages_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct packages *d = a->data;
	const struct pkg_ops *ops = pkg_backend(ctx->host);

	for (size_t i = 0; ops && i < d->plan.n; i++)
		if (verify_op(d, &d->plan.v[i], ctx, ops, err))
			return -1;
	return 0;
}

/* ---- later ---- */

/* The version of the catalog's package after (and before) an action; NULL: not installed. */
static const char *version_after(const struct packages *d)
{
	const struct pkg_op *op = d->name ? packages_op(d, d->name) : NULL;

	return op && op->what != PKG_REMOVE ? op->new_version : NULL;
}

static const char *version_before(const struct packages *d)
{
	return d->name && before_installed(d, d->name) ?
		       json_get_str(before_package(d, d->name), "version") :
		       NULL;
}

/* Dependencies that these transactions brought go with the package, if still automatic and needed
 * by nobody then. */
static void copy_new(struct packages *to, const struct packages *from)
{
	for (size_t i = 0; i < from->plan.n; i++) {
		const struct pkg_op *op = &from->plan.v[i];
		if (op->what != PKG_INSTALL || packages_op(to, op->name))
			continue;
		plan_copy_op(&to->plan, op);
		if (!str_eq(op->name, from->name))
			strv_add(&to->names, op->name);
	}
}

static struct action *invert_to_absent(const struct record *oldest, const struct packages *o,
				       const struct packages *n)
{
	struct action *a = action_packages("rollback", NULL, n->name, version_after(n), n->arch,
					   true);
	struct packages *d = a->data;
	const struct pkg_op *now = n->name ? packages_op(n, n->name) : NULL;

	d->inverted = true;
	d->by_name = n->by_name;
	d->expected = xstrdup(version_after(n));
	if (now && now->what == PKG_UPGRADE)
		plan_copy_op(&d->plan, now);
	for (const struct record *r = oldest; r; r = r->next)
		copy_new(d, r->action->data);
	before_conffile_paths(o, &d->kept);
	return a;
}

static void copy_removed_op(struct packages *to, const struct pkg_op *of)
{
	struct pkg_op op = *of;

	if (!op.file)
		return;
	op.what = PKG_INSTALL;
	op.new_version = op.old_version;
	op.old_version = NULL;
	plan_copy_op(&to->plan, &op);
}

/* The dependencies that went with it: without their files apt would choose anew. */
static void copy_removed(struct packages *to, const struct packages *from)
{
	for (size_t i = 0; i < from->plan.n; i++)
		if (!str_eq(from->plan.v[i].name, from->name))
			copy_removed_op(to, &from->plan.v[i]);
}

/* Came with these transactions and is there, or went with them and is not. */
static void net(const struct record *oldest, struct pkg_plan *came, struct pkg_plan *went)
{
	for (const struct record *r = oldest; r; r = r->next) {
		const struct packages *d = r->action->data;

		for (size_t i = 0; i < d->plan.n; i++) {
			const struct pkg_op *op = &d->plan.v[i];
			bool out = op->what == PKG_REMOVE;

			if (str_eq(op->name, d->name) || op->what == PKG_UPGRADE)
				continue;
			if (!plan_drop(out ? came : went, op->name))
				plan_copy_op(out ? went : came, op);
		}
	}
}

/* From one version to another: what came with the newer one goes with it, what went comes again. */
static void copy_net(struct packages *to, const struct record *oldest)
{
	struct pkg_plan came CLEANUP(pkg_plan_release) = { 0 },
			     went CLEANUP(pkg_plan_release) = { 0 };

	net(oldest, &came, &went);
	for (size_t i = 0; i < came.n; i++) {
		came.v[i].what = PKG_REMOVE;
		plan_copy_op(&to->plan, &came.v[i]);
	}
	for (size_t i = 0; i < went.n; i++)
		copy_removed_op(to, &went.v[i]);
}

/* A version comes back from its file: kept by the upgrade (old_file) or by the removal (the op's
 * own). */
static struct action *invert_to_version(const struct record *oldest, const struct packages *o,
					const struct packages *n, const char *version)
{
	struct action *a = action_packages("rollback", NULL, o->name, version, o->arch, false);
	struct packages *d = a->data;
	const struct pkg_op *removed = packages_op(o, o->name);
	struct pkg_op op = { .what = PKG_UPGRADE,
			     .name = o->name,
			     .new_version = (char *)version,
			     .arch = o->arch };

	d->inverted = true;
	d->by_name = o->by_name;
	d->expected = xstrdup(version_after(n));
	op.file = o->remove ? removed->file : o->old_file;
	memcpy(op.sha256, o->remove ? removed->sha256 : o->old_sha256, sizeof(op.sha256));
	op.rebuilt = o->remove ? removed->rebuilt : o->old_rebuilt;
	plan_copy_op(&d->plan, &op);
	if (o->remove)
		copy_removed(d, o);
	else
		copy_net(d, oldest);
	d->give_back = json_dup(json_get(o->before, "paths"));
	before_conffile_paths(o, &d->kept);
	return a;
}

/* The first and the last of them that changed anything; false: none did. */
static bool that_did(const struct record *oldest, const struct packages **ret_first,
		     const struct packages **ret_last)
{
	bool any = false;

	for (const struct record *r = oldest; r; r = r->next) {
		const struct packages *d = r->action->data;
		if (!d->plan.n)
			continue;
		if (!any)
			*ret_first = d;
		*ret_last = d;
		any = true;
	}
	return any;
}

static int packages_invert(const struct record *oldest, const struct record *newest,
			   struct action **ret, struct err *err)
{
	const struct packages *o = NULL, *n = NULL;

	*ret = NULL;
	if (!that_did(oldest, &o, &n))
		return 0;
	const char *before = version_before(o);
	if (before && !str_eq(before, version_after(n)))
		*ret = invert_to_version(oldest, o, n, before);
	else if (!before && !n->remove)
		*ret = invert_to_absent(oldest, o, n);
	if (*ret)
		str_replace(&(*ret)->key, oldest->action->key);
	return 0;
}

/* ---- pruned ---- */

static bool packages_idle(const struct action *a)
{
	const struct packages *d = a->data;

	return d->remove || !d->plan.n;
}

/* What invert asks the newest for: what of this package is there now. */
static void fold_op(struct packages *o, const struct pkg_op *op)
{
	struct pkg_op *mine = NULL;

	for (size_t i = 0; i < o->plan.n && !mine; i++)
		if (str_eq(o->plan.v[i].name, op->name))
			mine = &o->plan.v[i];
	if (!mine) {
		if (op->what == PKG_INSTALL || str_eq(op->name, o->name))
			plan_copy_op(&o->plan, op);
		return;
	}
	if (!str_eq(op->name, o->name))
		return;
	str_replace(&mine->new_version, op->new_version);
	str_replace(&mine->file, op->file);
	memcpy(mine->sha256, op->sha256, sizeof(mine->sha256));
	mine->rebuilt = op->rebuilt;
}

static bool packages_fold(struct action *older, const struct action *newer)
{
	struct packages *o = older->data;
	const struct packages *n = newer->data;

	if (!n->plan.n)
		return true;
	if (!o->plan.n || o->remove || n->remove || !str_eq(o->name, n->name))
		return false;
	for (size_t i = 0; i < n->plan.n; i++)
		fold_op(o, &n->plan.v[i]);
	return true;
}

static const char *const op_words[] = { [PKG_INSTALL] = "install",
					[PKG_UPGRADE] = "upgrade",
					[PKG_REMOVE] = "remove",
					[PKG_CONFIGURE_STRANGER] = "configure" };

static struct json *op_encode(const struct pkg_op *op)
{
	struct json *j = json_obj();

	json_set_str(j, "what", op_words[op->what]);
	json_set_str(j, "name", op->name);
	json_set(j, "old_version", json_str(op->old_version));
	json_set(j, "new_version", json_str(op->new_version));
	json_set(j, "arch", json_str(op->arch));
	json_set(j, "file", json_str(op->file));
	json_set_str(j, "sha256", op->sha256);
	if (op->rebuilt)
		json_set_bool(j, "rebuilt", true);
	json_set_i64(j, "batch", op->batch);
	return j;
}

static int op_decode(struct pkg_plan *plan, const struct json *j, struct err *err)
{
	const char *what = json_get_str(j, "what"), *sha256 = json_get_str(j, "sha256");
	struct pkg_op op = { .name = (char *)json_get_str(j, "name"),
			     .old_version = (char *)json_get_str(j, "old_version"),
			     .new_version = (char *)json_get_str(j, "new_version"),
			     .arch = (char *)json_get_str(j, "arch"),
			     .file = (char *)json_get_str(j, "file"),
			     .rebuilt = json_get_bool(j, "rebuilt", false),
			     .batch = (unsigned int)json_get_i64(j, "batch", 0) };

	if (sha256 && digest_valid(sha256))
		memcpy(op.sha256, sha256, sizeof(op.sha256));
	for (size_t i = 0; i < ARRAY_SIZE(op_words) && op.name; i++) {
		if (!str_eq(what, op_words[i]))
			continue;
		op.what = i;
		plan_copy_op(plan, &op);
		return 0;
	}
	return err_set(err, ERR_FAILED, "a package without name or operation");
}

static int packages_encode(const struct action *a, struct json *j)
{
	const struct packages *d = a->data;
	struct json *plan = json_arr();

	for (size_t i = 0; i < d->plan.n; i++)
		json_add(plan, op_encode(&d->plan.v[i]));
	json_set(j, "names", strv_json(&d->names));
	json_set(j, "name", json_str(d->name));
	json_set(j, "version", json_str(d->version));
	json_set(j, "arch", json_str(d->arch));
	json_set_bool(j, "remove", d->remove);
	if (d->by_name)
		json_set_bool(j, "by_name", true);
	json_set_bool(j, "inverted", d->inverted);
	if (d->from)
		json_set_str(j, "from", d->from);
	json_set(j, "plan", plan);
	json_set(j, "autos", strv_json(&d->autos));
	json_set(j, "kept", strv_json(&d->kept));
	json_set(j, "old_file", json_str(d->old_file));
	json_set_str(j, "old_sha256", d->old_sha256);
	if (d->old_rebuilt)
		json_set_bool(j, "old_rebuilt", true);
	if (d->give_back)
		json_set(j, "give_back", json_dup(d->give_back));
	json_set(j, "before", d->before ? json_dup(d->before) : json_null());
	return 0;
}

static int packages_decode(struct action *a, const struct json *j, struct err *err)
{
	struct packages *d = xcalloc(1, sizeof(*d));
	const char *old_sha256 = json_get_str(j, "old_sha256");
	const struct json *before = json_get(j, "before");

	a->data = d;
	json_strv(json_get(j, "names"), &d->names);
	json_strv(json_get(j, "autos"), &d->autos);
	if (json_get(j, "give_back"))
		d->give_back = json_dup(json_get(j, "give_back"));
	json_strv(json_get(j, "kept"), &d->kept);
	d->name = xstrdup(json_get_str(j, "name"));
	d->version = xstrdup(json_get_str(j, "version"));
	d->arch = xstrdup(json_get_str(j, "arch"));
	d->remove = json_get_bool(j, "remove", false);
	d->by_name = json_get_bool(j, "by_name", false);
	d->inverted = json_get_bool(j, "inverted", false);
	d->from = xstrdup(json_get_str(j, "from"));
	d->old_file = xstrdup(json_get_str(j, "old_file"));
	d->old_rebuilt = json_get_bool(j, "old_rebuilt", false);
	if (old_sha256 && digest_valid(old_sha256))
		memcpy(d->old_sha256, old_sha256, sizeof(d->old_sha256));
	if (before && json_type(before) == JSON_OBJECT)
		d->before = json_dup(before);
	for json_each(op, json_get(j, "plan"))
		if (op_decode(&d->plan, op, err))
			return -1;
	return 0;
}

/* ---- shown ---- */

static void describe_others(const struct packages *d, struct buf *line)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT, out CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->plan.n; i++)
		if (!str_eq(d->plan.v[i].name, d->name))
			strv_add(!d->remove && d->plan.v[i].what == PKG_REMOVE ? &out : &names,
				 d->plan.v[i].name);
	for (size_t i = 0; i < d->names.n; i++)
		if (!strv_has(&names, d->names.v[i]))
			strv_add(&names, d->names.v[i]);
	char *list CLEANUP(freep) = strv_join(&names, ", "),
		  *without CLEANUP(freep) = strv_join(&out, ", ");
	if (names.n)
		buf_addf(line, "%s%s", d->name ? ", with " : " ", list);
	if (!d->remove && !d->plan.n && d->name)
		buf_adds(line, " and what it depends on");
	if (out.n)
		buf_addf(line, ", without %s", without);
	if (names.n ? d->remove : out.n)
		buf_adds(line, " if nobody else needs them");
}

static void packages_describe(const struct action *a, const struct action_ctx *ctx,
			      struct report *r)
{
	const struct packages *d = a->data;
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	const char *version = d->remove ? NULL : d->version ? d->version : version_after(d);
	const char *from = !version ? NULL : d->from ? d->from : d->inverted ? d->expected : NULL;
	const char *back = packages_way_back(d, ctx);

	if (!from)
		buf_adds(&line, d->remove ? "remove " : "install ");
	if (d->name)
		buf_addf(&line, "%s%s%s%s%s%s (dpkg)", d->name, from ? " " : "", from ? from : "",
			 from ? " ->" : "", version ? " " : "", version ? version : "");
	describe_others(d, &line);
	if (back)
		buf_addf(&line, "; %s", back);
	report_change(r, a->key, "%s", line.data);
}

static struct json *packages_index(const struct action *a, const struct root *root)
{
	const struct packages *d = a->data;
	struct json *j, *versions;

	if (d->remove || !d->plan.n)
		return NULL;
	j = json_obj();
	versions = json_obj();
	for (size_t i = 0; i < d->plan.n; i++)
		json_set_str(versions, d->plan.v[i].name, d->plan.v[i].new_version);
	json_set_str(j, "state", "installed");
	json_set(j, "name", json_str(d->name));
	if (d->by_name)
		json_set_bool(j, "by_name", true);
	json_set(j, "packages", versions);
	json_set(j, "automatic", strv_json(&d->autos));
	if (d->old_rebuilt)
		json_set_bool(j, "rebuilt", true);
	return j;
}

static int packages_adopt(const char *key, const struct json *as, const struct action_ctx *ctx,
			  struct json **ret, struct err *err)
{
	const struct pkg_ops *ops = pkg_backend(ctx->host);
	const char *name = json_get_str(as, "name");
	struct json *j CLEANUP(json_freep) = json_obj(), *versions = json_obj();
	struct pkg_status st = { 0 };

	json_set(j, "packages", versions);
	if (!ops)
		return err_set(err, ERR_REFUSED, "no package manager that sysboxup knows runs here");
	if (ops->status(ctx->host, name, &st, err))
		return -1;
	json_set_str(j, "state", "installed");
	json_set_str(j, "name", name);
	json_set(versions, name, json_str(st.version));
	if (!str_eq(st.state, "installed"))
		err_set(err, ERR_REFUSED, "package '%s' is %s", name,
			st.known ? st.state : "not installed");
	pkg_status_release(&st);
	if (err_is_set(err))
		return -1;
	*ret = STEAL(j);
	return 0;
}

/* Only the package itself: its dependencies get security updates, and so does the distribution's
 * own. */
static enum report_state packages_drift(const struct json *entry, const char *key,
					const struct action_ctx *ctx, struct buf *found)
{
	const struct pkg_ops *ops = pkg_backend(ctx->host);
	const char *name = json_get_str(entry, "name");
	const char *version = name ? json_get_str(json_get(entry, "packages"), name) : NULL;
	struct pkg_status st = { 0 };
	struct err err = ERR_INIT;

	if (!version)
		return STATE_OK;
	if (!ops || ops->status(ctx->host, name, &st, &err))
		return STATE_UNKNOWN;
	bool same = st.known && str_eq(st.state, "installed") &&
		    (json_get_bool(entry, "by_name", false) || str_eq(st.version, version));
	if (!same)
		buf_addf(found, "%s is %s%s%s, not %s", name, st.known ? st.state : "not installed",
			 st.version ? " " : "", st.version ? st.version : "", version);
	else if (json_get_bool(entry, "rebuilt", false))
		buf_addf(found,
			 "%s as it was left; the version before it was " REBUILT ", for the way back",
			 version);
	pkg_status_release(&st);
	return same ? STATE_OK : STATE_BAD;
}

const struct action_ops packages_ops = {
	.kind = "packages",
	.late = true,
	.prepare = packages_prepare,
	.commit = packages_commit,
	.undo = packages_undo,
	.verify = packages_verify,
	.invert = packages_invert,
	.fold = packages_fold,
	.idle = packages_idle,
	.encode = packages_encode,
	.decode = packages_decode,
	.describe = packages_describe,
	.index = packages_index,
	.adopt = packages_adopt,
	.drift = packages_drift,
	.release = packages_release,
};
