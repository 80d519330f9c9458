/* SPDX-License-Identifier: Apache-2.0 */
/* commit and undo of kind "dependencies": the low half, in the shield. */
#include "actions/dependencies.h"

#include "actions/packages_data.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <errno.h>

enum { RUN_SECONDS = 1800, CHILD_SECONDS = 60 };

static int said_no(const struct dep_ops *ops, const struct strv *argv, const struct dep_output *o,
		   const char *complaint, struct err *err)
{
	struct buf why CLEANUP(buf_release) = BUF_INIT;
	char quoted[512];

	if (!complaint) {
		dep_why(ops, o, &why);
		return err_set(err, ERR_FAILED, "%s %s failed: %.700s", argv->v[0], argv->v[1],
			       why.data);
	}
	err_quote(quoted, sizeof(quoted), complaint);
	return err_set(err, ERR_FAILED, "%s %s: a script failed: %s", argv->v[0], argv->v[1],
		       quoted);
}

/* A script that fails is a failure, whatever the exit status says. */
static int run(const struct dep_ops *ops, const struct action_ctx *ctx, const struct strv *argv,
	       struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	char *complaint CLEANUP(freep) = NULL;
	struct proc p = PROC_INIT;

	p.argv = (const char *const *)argv->v;
	p.timeout = RUN_SECONDS;
	p.log = ctx->rep;
	p.ret_out = &o.out;
	p.ret_errout = &o.errout;
	if (packages_in_shield(ctx, &p, &o.status, err))
		return -1;
	complaint = dep_complaint(ops, &o);
	return o.status || complaint ? said_no(ops, argv, &o, complaint, err) : 0;
}

static int install(const struct dependencies *d, const struct dep_ops *ops,
		   const struct action_ctx *ctx, enum dep_how how, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT, files CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->deps.n; i++)
		strv_add(&files, d->deps.v[i].file);
	ops->install(&argv, &files, how);
	return run(ops, ctx, &argv, err);
}

static int mark(const struct dependencies *d, const struct dep_ops *ops,
		const struct action_ctx *ctx, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT, ids CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->deps.n; i++)
		if (!strv_has(&d->names, d->deps.v[i].name))
			strv_add(&ids, d->deps.v[i].id);
	if (!ops->mark || !d->names.n || !ids.n)
		return 0;
	ops->mark(&argv, &ids);
	return run(ops, ctx, &argv, err);
}

static int take_out(const struct dep_ops *ops, const struct action_ctx *ctx, const struct strv *ids,
		    enum dep_how how, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	if (!ids->n)
		return 0;
	ops->remove(&argv, ids, how);
	return run(ops, ctx, &argv, err);
}

static int now_there(const struct dependencies *d, const struct dep_ops *ops, struct strv *ret,
		     struct err *err)
{
	struct dep_list now CLEANUP(dep_list_release) = { 0 };
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	dep_ids(&d->deps, &all);
	if (ops->installed(&all, &now, err))
		return -1;
	dep_ids(&now, ret);
	return 0;
}

/* A script that fails does not keep a package: then it goes without its scripts. */
static int take_out_all(const struct dependencies *d, const struct dep_ops *ops,
			const struct action_ctx *ctx, const struct strv *ids, struct err *err)
{
	struct strv left CLEANUP(strv_release) = STRV_INIT, there CLEANUP(strv_release) = STRV_INIT;
	struct err why = ERR_INIT;

	if (!take_out(ops, ctx, ids, DEP_DO, &why))
		return 0;
	if (now_there(d, ops, &there, err))
		return -1;
	for (size_t i = 0; i < ids->n; i++)
		if (strv_has(&there, ids->v[i]))
			strv_add(&left, ids->v[i]);
	report_warn(ctx->rep, NULL, "%s%s", why.msg,
		    left.n ? "; what is left is removed without its scripts" : "");
	return take_out(ops, ctx, &left, DEP_AGAIN, err);
}

int dependencies_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dependencies *d = a->data;
	const struct dep_ops *ops = dep_backend_named(d->manager);
	struct strv ids CLEANUP(strv_release) = STRV_INIT;

	if (!d->deps.n)
		return 0;
	dep_ids(&d->deps, &ids);
	if (d->remove ? take_out_all(d, ops, ctx, &ids, err) ||
				deps_paths_give_back(d, ops, ctx, err) :
			install(d, ops, ctx, DEP_DO, err) || mark(d, ops, ctx, err))
		return -1;
	return packages_sync(ctx->root, err);
}

int dependencies_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dependencies *d = a->data;
	const struct dep_ops *ops = dep_backend_named(d->manager);
	struct strv there CLEANUP(strv_release) = STRV_INIT;

	if (!d->deps.n)
		return 0;
	if (now_there(d, ops, &there, err))
		return -1;
	for (size_t i = 0; i < d->deps.n; i++)
		if (strv_has(&there, d->deps.v[i].id) == d->remove)
			return err_set(err, ERR_FAILED, "package '%s' is %s", d->deps.v[i].name,
				       d->remove ? "still there" : "not there");
	return 0;
}

/* ---- undo of an installation ---- */

/* Some of them in the database and files of others on the disk: completed, so that the manager can
 * take them out whole. */
static int complete(const struct dependencies *d, const struct dep_ops *ops,
		    const struct action_ctx *ctx, struct strv *there, struct err *err)
{
	struct err why = ERR_INIT;

	if (there->n == d->deps.n || !deps_paths_any_new(d, ctx->root))
		return 0;
	report_info(ctx->rep, "repairing what was interrupted: the same packages once more");
	if (install(d, ops, ctx, DEP_AGAIN, &why))
		report_warn(ctx->rep, NULL, "%s", why.msg);
	strv_release(there);
	return now_there(d, ops, there, err);
}

static int drop_half_entries(const struct dependencies *d, const struct dep_ops *ops,
			     const struct root *r, const struct strv *there, struct err *err)
{
	for (size_t i = 0; ops->half_entry && i < d->deps.n; i++) {
		char *path CLEANUP(freep) = ops->half_entry(&d->deps.v[i]);
		char *dir CLEANUP(freep) = path_dirname(path);
		if (strv_has(there, d->deps.v[i].id) || !root_exists(r, path))
			continue;
		int fd CLEANUP(closep) = root_openat(r, dir, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return err_errno(err, errno, "cannot open '%s'", dir);
		if (fs_remove_tree(fd, path_basename(path), err))
			return -1;
	}
	return 0;
}

static int still_there(const struct strv *there, const struct strv *stay, struct err *err)
{
	struct strv left CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < there->n; i++)
		if (!strv_has(stay, there->v[i]))
			strv_add(&left, there->v[i]);
	char *list CLEANUP(freep) = strv_join(&left, ", ");
	return left.n ? err_set(err, ERR_FAILED, "packages are not as before: %s", list) : 0;
}

static int undo_install(const struct dependencies *d, const struct dep_ops *ops,
			struct action_ctx *ctx, struct err *err)
{
	struct strv there CLEANUP(strv_release) = STRV_INIT, stay CLEANUP(strv_release) = STRV_INIT;

	if (now_there(d, ops, &there, err) || complete(d, ops, ctx, &there, err) ||
	    dep_removable(ops, &there, &stay, err))
		return -1;
	for (size_t i = 0; i < stay.n; i++)
		report_warn(ctx->rep, NULL, "package '%s' stays: something that was installed meanwhile needs it",
			    stay.v[i]);
	if (take_out_all(d, ops, ctx, &there, err))
		return -1;
	strv_release(&there);
	if (now_there(d, ops, &there, err) || still_there(&there, &stay, err) ||
	    drop_half_entries(d, ops, ctx->root, &there, err))
		return -1;
	return deps_paths_restore(d, ops, ctx, err);
}

/* ---- undo of a removal ---- */

static int undo_remove(const struct dependencies *d, const struct dep_ops *ops,
		       struct action_ctx *ctx, struct err *err)
{
	struct strv there CLEANUP(strv_release) = STRV_INIT;

	if (now_there(d, ops, &there, err))
		return -1;
	if (there.n < d->deps.n && install(d, ops, ctx, DEP_AGAIN, err))
		return err_prefix(err, "cannot bring back what was removed");
	return deps_paths_restore(d, ops, ctx, err);
}

int dependencies_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dependencies *d = a->data;
	const struct dep_ops *ops = dep_backend_named(d->manager);

	if (!d->deps.n || !d->before)
		return 0;
	if (!ops)
		return err_set(err, ERR_FAILED, "the package manager '%s' is not known here",
			       d->manager ? d->manager : "");
	if (state_wait_child(ctx->state, CHILD_SECONDS, err) ||
	    dep_wait(ctx->host, ops, packages_lock_seconds(), true, ctx->rep, err) ||
	    dpkg_clear_shield(ctx, err))
		return -1;
	if (d->remove ? undo_remove(d, ops, ctx, err) : undo_install(d, ops, ctx, err))
		return -1;
	return packages_sync(ctx->root, err);
}
