/* SPDX-License-Identifier: Apache-2.0 */
/* prepare of kind "dependencies": nothing outside of our own state and the manager's caches is
 * changed. */
#include "actions/dependencies.h"

#include "actions/packages_data.h"
#include "journal/ballast.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>

#define FETCH_DIR DEPS_DIR "/fetch"
#define SLACK (16ULL * 1024 * 1024)

/* Packed files are smaller than what they become: by less than this. */
enum { UNPACKED = 6, ASK_SECONDS = 300, DEPTH = 4 };

/* ---- files ---- */

static int hash_file(const struct root *r, const char *path, char hex[DIGEST_HEX + 1],
		     struct err *err)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY, 0);

	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s'", path);
	if (fs_copy_fd(fd, -1, UINT64_MAX, hex, err))
		return -1;
	return io_fsync(fd) ? err_errno(err, errno, "cannot sync '%s'", path) : 0;
}

static bool is_intact(const struct root *r, const struct dep *dep)
{
	struct err ignored = ERR_INIT;
	char hex[DIGEST_HEX + 1];

	return dep->file && !hash_file(r, dep->file, hex, &ignored) && str_eq(hex, dep->sha256);
}

/* What an earlier run left there goes. */
static int empty_fetch_dir(const struct root *r, struct err *err)
{
	if (fs_mkdir_path(r, DEPS_DIR, 0700, err))
		return -1;
	int fd CLEANUP(closep) = packages_open_dir(r, DEPS_DIR, err);
	if (fd < 0 || fs_remove_tree(fd, "fetch", err))
		return -1;
	return fs_mkdir(fd, "fetch", 0700, err);
}

static int find_files(const struct root *r, const char *dir, int depth, struct strv *ret,
		      struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (root_list(r, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *path CLEANUP(freep) = path_join(dir, names.v[i]);
		struct stat st;
		if (root_lstat(r, path, &st))
			return err_errno(err, errno, "cannot look at '%s'", path);
		if (S_ISDIR(st.st_mode) && depth && find_files(r, path, depth - 1, ret, err))
			return -1;
		if (S_ISREG(st.st_mode) && dep_is_package(names.v[i]))
			strv_add(ret, path);
	}
	return 0;
}

/* Beside the others that were fetched, where pruning finds it. */
static int put_away(const struct root *r, const char *file, char **ret, struct err *err)
{
	char *dir CLEANUP(freep) = path_dirname(file);
	const char *name = path_basename(file);

	int from CLEANUP(closep) = packages_open_dir(r, dir, err);
	int to CLEANUP(closep) = from < 0 ? -1 : packages_open_dir(r, DEPS_DIR, err);
	if (to < 0)
		return -1;
	if (io_renameat2(from, name, to, name, 0) || io_fsync(to))
		return err_errno(err, errno, "cannot put '%s' into '%s'", name, DEPS_DIR);
	*ret = path_join(DEPS_DIR, name);
	return 0;
}

/* ---- what it would install ---- */

static int is_there(const struct dep_ops *ops, const struct dep *dep, bool *ret, struct err *err)
{
	struct strv id CLEANUP(strv_release) = STRV_INIT;
	struct dep_list now CLEANUP(dep_list_release) = { 0 };

	strv_add(&id, dep->id);
	if (ops->installed(&id, &now, err))
		return -1;
	*ret = now.n > 0;
	if (!now.n || str_eq(now.v[0].version, dep->version))
		return 0;
	err_set(err, ERR_REFUSED, "'%s' would have to be changed from %s to %s", dep->name,
		now.v[0].version, dep->version);
	return err_remedy(err, "upgrade it yourself first, then try again");
}

static int take_file(struct dependencies *d, const struct dep_ops *ops, const struct root *r,
		     const char *file, struct err *err)
{
	struct dep_list one CLEANUP(dep_list_release) = { .v = xcalloc(1, sizeof(struct dep)) };
	bool there;

	if (ops->read(file, &one.v[0], err))
		return -1;
	one.n = 1;
	if (is_there(ops, &one.v[0], &there, err))
		return -1;
	if (there)
		return 0;
	if (put_away(r, file, &one.v[0].file, err) ||
	    hash_file(r, one.v[0].file, one.v[0].sha256, err))
		return -1;
	dep_list_add(&d->deps, &one.v[0]);
	return 0;
}

static int fetch(struct dependencies *d, const struct dep_ops *ops, struct action_ctx *ctx,
		 const struct strv *names, struct err *err)
{
	struct strv files CLEANUP(strv_release) = STRV_INIT;

	if (empty_fetch_dir(ctx->root, err) || ops->fetch(names, FETCH_DIR, ctx->rep, err) ||
	    find_files(ctx->root, FETCH_DIR, DEPTH, &files, err))
		return -1;
	for (size_t i = 0; i < files.n; i++)
		if (take_file(d, ops, ctx->root, files.v[i], err))
			return -1;
	if (!d->deps.n)
		return err_set(err, ERR_REFUSED, "%s downloaded nothing that is not installed already", ops->name);
	return empty_fetch_dir(ctx->root, err);
}

static int try_install(const struct dependencies *d, const struct dep_ops *ops, struct err *err)
{
	struct dep_output o CLEANUP(dep_output_release) = { BUF_INIT, BUF_INIT, 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT, files CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->deps.n; i++)
		strv_add(&files, d->deps.v[i].file);
	ops->install(&argv, &files, DEP_TRY);
	return dep_ask(ops, &argv, NULL, ASK_SECONDS, NULL, &o, err);
}

/* Names that are there already are left out: their mention could be taken for a wish to upgrade
 * them. */
static int missing(const struct dependencies *d, const struct dep_ops *ops, struct strv *ret,
		   struct err *err)
{
	struct dep_list now CLEANUP(dep_list_release) = { 0 };

	if (ops->installed(&d->names, &now, err))
		return -1;
	for (size_t i = 0; i < d->names.n; i++) {
		bool there = false;
		for (size_t k = 0; k < now.n && !there; k++)
			there = str_eq(now.v[k].name, d->names.v[i]);
		if (!there)
			strv_add(ret, d->names.v[i]);
	}
	return 0;
}

/* ---- space ---- */

static uint64_t unpacked(const struct dependencies *d, const struct root *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->deps.n; i++) {
		struct stat st;
		if (!root_stat(r, d->deps.v[i].file, &st))
			sum += UNPACKED * (uint64_t)st.st_size;
	}
	return sum;
}

/* No package manager starts on a full disk: what undo needs is set aside. */
static int set_aside(const struct dependencies *d, const struct dep_ops *ops,
		     struct action_ctx *ctx, struct err *err)
{
	const char *const places[] = { "/usr", "/etc", ops->database, STATE_DIR, NULL };
	uint64_t installed = unpacked(d, ctx->root), need = installed + SLACK;

	if (packages_check_space(ctx->root, places, installed, need, err))
		return -1;
	return ballast_need(ctx->log, places, need, err);
}

/* ---- the two kinds ---- */

/* A rollback of a removal: the files are those of then. */
static int check_files(const struct dependencies *d, const struct dep_ops *ops,
		       const struct root *r, struct err *err)
{
	for (size_t i = 0; i < d->deps.n; i++) {
		bool there;
		if (is_there(ops, &d->deps.v[i], &there, err))
			return -1;
		if (there)
			return err_set(err, ERR_REFUSED, "package '%s' was installed by somebody else since", d->deps.v[i].name);
		if (!is_intact(r, &d->deps.v[i]))
			return err_set(err, ERR_REFUSED, "the package file '%s' is gone or damaged",
				       d->deps.v[i].file);
	}
	return 0;
}

static int prepare_install(struct dependencies *d, const struct dep_ops *ops,
			   struct action_ctx *ctx, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (d->deps.n)
		return check_files(d, ops, ctx->root, err);
	if (missing(d, ops, &names, err))
		return -1;
	return names.n ? fetch(d, ops, ctx, &names, err) : 0;
}

static int refuse_changed(const struct dep_ops *ops, const struct dep *dep, const char *now,
			  struct err *err)
{
	if (str_eq(dep->version, now)) {
		err_set(err, ERR_REFUSED, "the package file '%s' is gone or damaged: '%s' could not come back",
			dep->file, dep->name);
		return err_remedy(err, "put it there again, then try again");
	}
	err_set(err, ERR_REFUSED, "package '%s' was upgraded since: %s is installed, and was %s", dep->name, now,
		dep->version);
	return err_remedy(err, "%s %s, then try again", ops->downgrade, dep->file);
}

/* Those that are as they came; the rest stays, or is why nothing goes. */
static int find_unchanged(const struct dependencies *d, const struct dep_ops *ops,
			  const struct action_ctx *ctx, struct strv *ret, struct err *err)
{
	struct strv ids CLEANUP(strv_release) = STRV_INIT;
	struct dep_list now CLEANUP(dep_list_release) = { 0 };

	dep_ids(&d->deps, &ids);
	if (ops->installed(&ids, &now, err))
		return -1;
	for (size_t i = 0; i < now.n; i++) {
		const struct dep *dep = dep_find(&d->deps, now.v[i].id);
		if (dep && str_eq(dep->version, now.v[i].version) && is_intact(ctx->root, dep))
			strv_add(ret, dep->id);
		else if (dep && strv_has(&d->must_go, dep->name))
			return refuse_changed(ops, dep, now.v[i].version, err);
		else
			report_info(
				ctx->rep,
				"package '%s' stays: it was changed since, and its package file is not here",
				now.v[i].name);
	}
	return 0;
}

static int check_stay(const struct dependencies *d, const struct action_ctx *ctx,
		      const struct strv *stay, struct err *err)
{
	for (size_t i = 0; i < stay->n; i++) {
		const char *name = dep_find(&d->deps, stay->v[i])->name;
		if (strv_has(&d->must_go, name)) {
			err_set(err, ERR_REFUSED, "package '%s' would go, and something that was installed since needs it",
				name);
			return err_remedy(err, "remove that first, then try again");
		}
		report_info(ctx->rep, "package '%s' stays: something else needs it by now", stay->v[i]);
	}
	return 0;
}

/* Of what came, that which is still there as it came, and which nobody else needs. */
static int prepare_remove(struct dependencies *d, const struct dep_ops *ops, struct action_ctx *ctx,
			  struct err *err)
{
	struct strv ids CLEANUP(strv_release) = STRV_INIT, stay CLEANUP(strv_release) = STRV_INIT;
	struct dep_list go = { 0 };

	if (find_unchanged(d, ops, ctx, &ids, err) || dep_removable(ops, &ids, &stay, err) ||
	    check_stay(d, ctx, &stay, err))
		return -1;
	for (size_t i = 0; i < ids.n; i++)
		dep_list_add(&go, dep_find(&d->deps, ids.v[i]));
	dep_list_release(&d->deps);
	d->deps = go;
	return 0;
}

int dependencies_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dependencies *d = a->data;
	const struct dep_ops *ops = dep_backend(ctx->host);

	if (!ops || (d->manager && !str_eq(ops->name, d->manager))) {
		err_set(err, ERR_REFUSED, "the package manager '%s' is not here",
			d->manager ? d->manager : "of this distribution");
		return err_remedy(err, "install what is missing yourself, then try again");
	}
	str_replace(&d->manager, ops->name);
	if (dep_wait(ctx->host, ops, packages_lock_seconds(), false, ctx->rep, err) ||
	    (d->remove ? prepare_remove(d, ops, ctx, err) : prepare_install(d, ops, ctx, err)))
		return -1;
	if (!d->deps.n)
		return 0;
	if ((!d->remove && try_install(d, ops, err)) || deps_paths_take(d, ops, ctx, err))
		return -1;
	return set_aside(d, ops, ctx, err);
}
