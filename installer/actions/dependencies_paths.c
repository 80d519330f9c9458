/* SPDX-License-Identifier: Apache-2.0 */
/* The files of kind "dependencies": what was there before the packages, and what is to be left of
 * them. */
#include "actions/dependencies.h"

#include "actions/put.h"
#include "base/hex.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>

enum { KEPT_MAX = 1024 * 1024 };

static bool is_configuration(const char *path)
{
	return str_starts(path, "/etc/");
}

static bool is_left_out(const char *path)
{
	return str_eq(path, DEP_LEFT_OUT) || str_starts(path, DEP_LEFT_OUT "/");
}

/* ---- before ---- */

static int keep(const struct root *r, const char *path, struct json *paths, struct err *err)
{
	struct node n CLEANUP(node_release) = NODE_INIT;
	struct buf data CLEANUP(buf_release) = BUF_INIT;
	struct json *j;

	if (json_get(paths, path))
		return 0;
	if (node_read(&n, r, path, NODE_DIGEST, err) ||
	    (n.type == NODE_FILE && root_read(r, path, KEPT_MAX, &data, err)))
		return -1;
	j = json_obj();
	json_set(j, "node", node_encode(&n));
	char *hex CLEANUP(freep) = hex_encode(&data);
	if (*hex)
		json_set_str(j, "data", hex);
	json_set(paths, path, j);
	return 0;
}

static int keep_beside(const struct root *r, const struct dep_ops *ops, const char *path,
		       struct json *paths, struct err *err)
{
	for (const char *const *s = ops->suffixes; *s; s++) {
		char *copy CLEANUP(freep) = xasprintf("%s%s", path, *s);
		if (root_exists(r, copy) && keep(r, copy, paths, err))
			return -1;
	}
	return 0;
}

/* Theirs would be as somebody wishes whom nobody has asked. */
static void say_left_out(const struct strv *all, struct report *rep)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_starts(all->v[i], DEP_LEFT_OUT "/"))
			report_info(rep, "'%s' of the packages is left out: it is as the profile says", all->v[i]);
}

/* Not the packages' own, and not configuration, which they keep: it would be lost. */
static int in_the_way(const struct dep_ops *ops, const char *path, struct err *err)
{
	bool owned;

	if (ops->owned(path, &owned, err))
		return -1;
	if (owned)
		return 0;		/* the manager itself looks for conflicts between packages */
	err_set(err, ERR_REFUSED, "'%s' is there already and belongs to no package: %s would overwrite it", path, ops->name);
	return err_remedy(err, "move it away, then try again");
}

static int take_path(const struct dependencies *d, const struct dep_ops *ops, const struct root *r,
		     const char *path, struct json *before, struct err *err)
{
	struct json *paths = json_get_mut(before, "paths");
	struct stat st;

	if (is_left_out(path))
		return 0;
	if (is_configuration(path) && keep_beside(r, ops, path, paths, err))
		return -1;
	if (root_lstat(r, path, &st)) {
		json_add_str(json_get_mut(before, "new"), path);
		return 0;
	}
	if (S_ISDIR(st.st_mode) || is_configuration(path))
		return keep(r, path, paths, err);
	return d->remove ? 0 : in_the_way(ops, path, err);
}

static int litter_in(const struct dep_ops *ops, const struct root *r, const char *path,
		     struct strv *ret, struct err *err)
{
	char *dir CLEANUP(freep) = path_dirname(path);
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (!ops->litter)
		return 0;
	if (root_list(r, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (ops->litter(names.v[i], path_basename(path)))
			strv_take(ret, path_join(dir, names.v[i]));
	return 0;
}

static int litter_of(const struct dep_ops *ops, const struct root *r, const struct json *paths,
		     struct strv *ret, struct err *err)
{
	for json_each(p, paths)
		if (json_string(p) && litter_in(ops, r, json_string(p), ret, err))
			return -1;
	return 0;
}

int deps_paths_take(struct dependencies *d, const struct dep_ops *ops, const struct action_ctx *ctx,
		    struct err *err)
{
	struct json *before CLEANUP(json_freep) = json_obj();
	struct strv all CLEANUP(strv_release) = STRV_INIT, litter CLEANUP(strv_release) = STRV_INIT;

	json_set(before, "paths", json_obj());
	json_set(before, "new", json_arr());
	for (size_t i = 0; i < d->deps.n; i++)
		if (ops->paths(d->deps.v[i].file, &all, err))
			return -1;
	if (!d->remove)
		say_left_out(&all, ctx->rep);
	for (size_t i = 0; i < all.n; i++)
		if (take_path(d, ops, ctx->root, all.v[i], before, err))
			return -1;
	if (litter_of(ops, ctx->root, json_get(before, "new"), &litter, err))
		return -1;
	json_set(before, "litter", strv_json(&litter));
	json_free(d->before);
	d->before = STEAL(before);
	return 0;
}

/* ---- after ---- */

static int remove_path(const struct root *r, const char *path, struct err *err)
{
	int dirfd CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;
	struct stat st;

	if (root_lstat(r, path, &st))
		return 0;
	if (root_parent(r, path, false, &dirfd, &name, NULL, err))
		return -1;
	if (!io_unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) || errno == ENOENT)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return 0;	/* a directory in which somebody has put something */
	return err_errno(err, errno, "cannot remove '%s'", path);
}

static bool is_owned(const struct dep_ops *ops, const char *path)
{
	struct err ignored = ERR_INIT;
	bool owned;

	return ops->owned(path, &owned, &ignored) || owned;
}

bool deps_paths_any_new(const struct dependencies *d, const struct root *r)
{
	for json_each(p, json_get(d->before, "new"))
		if (json_string(p) && root_exists(r, json_string(p)))
			return true;
	return false;
}

/* What a package lists stands behind the directory that it is in: deepest first. */
static int sweep_new(const struct dependencies *d, const struct dep_ops *ops, const struct root *r,
		     struct err *err)
{
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	json_strv(json_get(d->before, "new"), &all);
	strv_sort(&all);
	for (size_t i = all.n; i-- > 0;)
		if (root_exists(r, all.v[i]) && !is_owned(ops, all.v[i]) &&
		    remove_path(r, all.v[i], err))
			return -1;
	return 0;
}

static int sweep_litter(const struct dependencies *d, const struct dep_ops *ops,
			const struct root *r, struct err *err)
{
	struct strv had CLEANUP(strv_release) = STRV_INIT, now CLEANUP(strv_release) = STRV_INIT;

	json_strv(json_get(d->before, "litter"), &had);
	if (litter_of(ops, r, json_get(d->before, "new"), &now, err))
		return -1;
	for (size_t i = 0; i < now.n; i++)
		if (!strv_has(&had, now.v[i]) && remove_path(r, now.v[i], err))
			return -1;
	return 0;
}

static bool is_copy_of(const struct root *r, const char *path, const struct json *kept)
{
	struct node n CLEANUP(node_release) = NODE_INIT, now CLEANUP(node_release) = NODE_INIT;
	struct err ignored = ERR_INIT;

	return kept && !node_decode(&n, json_get(kept, "node"), &ignored) &&
	       !node_read(&now, r, path, NODE_DIGEST, &ignored) && now.type == NODE_FILE &&
	       n.type == NODE_FILE && str_eq(n.digest, now.digest);
}

/* The manager's own copies of a configuration file. One may hold what somebody had made of ours: it
 * stays. */
static int sweep_beside(const struct dependencies *d, const struct dep_ops *ops,
			const struct action_ctx *ctx, const char *path, struct err *err)
{
	for (const char *const *s = ops->suffixes; *s; s++) {
		char *copy CLEANUP(freep) = xasprintf("%s%s", path, *s);
		if (json_get(json_get(d->before, "paths"), copy) || !root_exists(ctx->root, copy))
			continue;
		if (!d->remove && str_eq(*s, ops->saved) &&
		    !is_copy_of(ctx->root, copy, json_get(json_get(d->before, "paths"), path)))
			report_warn(ctx->rep, NULL, "'%s' holds what somebody has made of '%s'", copy, path);
		else if (remove_path(ctx->root, copy, err))
			return -1;
	}
	return 0;
}

static int restore_dir(const struct root *r, const char *path, const struct node *n,
		       struct err *err)
{
	if (fs_mkdir_path(r, path, n->mode, err))
		return -1;
	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || node_apply_meta(n, fd, false))
		return err_errno(err, errno, "cannot restore '%s'", path);
	return 0;
}

/* With ops: not what belongs to a package that is installed. */
static int restore(const struct action_ctx *ctx, const struct dep_ops *ops, const char *path,
		   const struct json *kept, struct err *err)
{
	struct node n CLEANUP(node_release) = NODE_INIT, now CLEANUP(node_release) = NODE_INIT;
	struct buf data CLEANUP(buf_release) = BUF_INIT;
	char *dir CLEANUP(freep) = path_dirname(path);

	if (node_decode(&n, json_get(kept, "node"), err) ||
	    node_read(&now, ctx->root, path, NODE_DIGEST, err))
		return -1;
	if (node_equal(&n, &now, n.type == NODE_DIR ? NODE_CMP_PLAIN : NODE_CMP_MTIME) ||
	    (ops && is_owned(ops, path)))
		return 0;
	if (n.type == NODE_DIR)
		return restore_dir(ctx->root, path, &n, err);
	if (!hex_decode(json_get_str(kept, "data"), &data))
		return err_set(err, ERR_FAILED, "'%s' was recorded with content that cannot be read", path);
	if (fs_mkdir_path(ctx->root, dir, 0755, err))
		return -1;
	return put_node(ctx, path, &n, data.data, data.len, true, err);
}

static int restore_kept(const struct dependencies *d, const struct dep_ops *ops,
			const struct action_ctx *ctx, struct err *err)
{
	for json_each(p, json_get(d->before, "paths"))
		if (restore(ctx, d->remove ? NULL : ops, json_key(p), p, err))
			return -1;
	return 0;
}

static int sweep_all_beside(const struct dependencies *d, const struct dep_ops *ops,
			    const struct action_ctx *ctx, struct err *err)
{
	for json_each(p, json_get(d->before, "new"))
		if (json_string(p) && is_configuration(json_string(p)) &&
		    sweep_beside(d, ops, ctx, json_string(p), err))
			return -1;
	for json_each(p, json_get(d->before, "paths"))
		if (is_configuration(json_key(p)) && sweep_beside(d, ops, ctx, json_key(p), err))
			return -1;
	return 0;
}

/* What a kill left lies in directories that are new: it goes first. */
int deps_paths_restore(const struct dependencies *d, const struct dep_ops *ops,
		       const struct action_ctx *ctx, struct err *err)
{
	if (sweep_litter(d, ops, ctx->root, err) ||
	    (!d->remove && sweep_new(d, ops, ctx->root, err)) ||
	    sweep_all_beside(d, ops, ctx, err))
		return -1;
	return restore_kept(d, ops, ctx, err);
}

static bool same_node(const struct json *a, const struct json *b)
{
	struct node x CLEANUP(node_release) = NODE_INIT, y CLEANUP(node_release) = NODE_INIT;
	struct err ignored = ERR_INIT;

	return a && b && !node_decode(&x, json_get(a, "node"), &ignored) &&
	       !node_decode(&y, json_get(b, "node"), &ignored) &&
	       node_equal(&x, &y, NODE_CMP_PLAIN);
}

/*
 * After a removal, a copy beside the configuration file `path`. As it was before the installation,
 * if it was still so when the removal began; what somebody has made of the file since is in the one
 * that the removal saved: that stays.
 */
static int settle_copy(const struct dependencies *d, const struct dep_ops *ops,
		       const struct action_ctx *ctx, const char *path, const char *suffix,
		       struct err *err)
{
	char *copy CLEANUP(freep) = xasprintf("%s%s", path, suffix);
	const struct json *was = json_get(json_get(d->before, "paths"), copy);
	const struct json *then = json_get(d->give_back, copy);
	bool there = root_exists(ctx->root, copy);

	if (there && str_eq(suffix, ops->saved) && !is_copy_of(ctx->root, copy, was) &&
	    !is_copy_of(ctx->root, copy, json_get(d->give_back, path))) {
		report_warn(ctx->rep, NULL, "'%s' holds what somebody has made of '%s'", copy, path);
		return 0;
	}
	if (then)
		return !there || same_node(was, then) ? restore(ctx, NULL, copy, then, err) : 0;
	if (!there || (was && str_eq(suffix, ops->saved)))
		return 0;
	return remove_path(ctx->root, copy, err);
}

static int settle_copies(const struct dependencies *d, const struct dep_ops *ops,
			 const struct action_ctx *ctx, const char *path, struct err *err)
{
	for (const char *const *s = ops->suffixes; *s; s++) {
		if (str_ends(path, *s))
			return 0;
		if (settle_copy(d, ops, ctx, path, *s, err))
			return -1;
	}
	return 0;
}

int deps_paths_give_back(const struct dependencies *d, const struct dep_ops *ops,
			 const struct action_ctx *ctx, struct err *err)
{
	for json_each(p, json_get(d->before, "paths"))
		if (is_configuration(json_key(p)) && settle_copies(d, ops, ctx, json_key(p), err))
			return -1;
	for json_each(p, d->give_back)
		if (!root_exists(ctx->root, json_key(p)) &&
		    restore(ctx, NULL, json_key(p), p, err))
			return -1;
	return 0;
}
