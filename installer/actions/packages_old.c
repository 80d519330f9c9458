/* SPDX-License-Identifier: Apache-2.0 */
/* The package file of what is installed: without one nothing is replaced or removed. */
#include "actions/packages_data.h"

#include "backends/pkg/aptsim.h"
#include "sys/io.h"
#include "sys/signals.h"

#include <errno.h>

/* The Version field of upstream's packages: 0.7.0.linux; 0.5.0 was 0.5.0-0.linux. */
static bool entry_is(const struct catalog_entry *e, const struct packages *d,
		     const char *package_version)
{
	char *dotted CLEANUP(freep) = xasprintf("%s.linux", e->version),
		     *dashed CLEANUP(freep) = xasprintf("%s-0.linux", e->version);

	return str_eq(e->name, d->name) && str_eq(e->arch, d->arch) &&
	       (str_eq(e->package_version, package_version) || str_eq(dotted, package_version) ||
		str_eq(dashed, package_version));
}

static const struct catalog_entry *entry_of(const struct catalog *c, const struct packages *d,
					    const struct pkg_op *op)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (entry_is(&c->v[i], d, op->old_version) &&
		    (!*op->sha256 || str_eq(c->v[i].sha256, op->sha256)))
			return &c->v[i];
	return NULL;
}

/* Where it is if apt or we put it there. */
static char *old_path(const struct pkg_op *op)
{
	struct pkg_op old = { .name = op->name, .new_version = op->old_version, .arch = op->arch };
	char *name CLEANUP(freep) = apt_archive_name(&old);

	return path_join(DEBS_DIR, name);
}

static int cannot_undo(const struct pkg_op *op, struct err *err)
{
	err_prefix(err,
		   "this could not be undone: the package file of %s %s, which is installed, is not to be had, nor rebuilt",
		   op->name, op->old_version);
	err_remedy(err,
		   "install that package file again (dpkg -i), or name a catalog that has version %s, or remove %s yourself first",
		   op->old_version, op->name);
	return err_raise(err, ERR_REFUSED);
}

/* 1: not there, or not to be had; then it has been said why. */
static int fetch_old(const struct packages *d, const struct action_ctx *ctx,
		     const struct catalog *c, struct pkg_op *op, struct err *err)
{
	const struct catalog_entry *e = entry_of(c, d, op);
	struct err why = ERR_INIT;

	if (!e)
		return 1;
	if (!packages_fetch(ctx, e, NULL, &op->file, NULL, &why))
		return packages_hash_file(ctx->root, op->file, op->sha256, err);
	if (signals_pending()) {
		*err = why;
		return -1;
	}
	report_warn(ctx->rep, NULL, "the package file of %s %s is not to be had: %s", op->name,
		    op->old_version, why.msg);
	return 1;
}

/* 1: another build of that version. */
static int check_build(const struct action_ctx *ctx, struct pkg_op *op, struct err *err)
{
	bool same;

	if (packages_is_installed(ctx, op->file, op->name, &same, err))
		return -1;
	if (same)
		return 0;
	report_warn(ctx->rep, NULL, "'%s' is not the %s %s that is installed here", op->file, op->name,
		    op->old_version);
	free(STEAL(op->file));
	*op->sha256 = '\0';
	return 1;
}

int packages_find_old(const struct packages *d, const struct action_ctx *ctx,
		      const struct catalog *c, struct pkg_op *op, struct err *err)
{
	char *path CLEANUP(freep) = old_path(op);

	bool known = *op->sha256;
	int got;

	if (known ? packages_file_is(ctx->root, path, op->sha256) : root_exists(ctx->root, path)) {
		op->file = STEAL(path);
		got = packages_hash_file(ctx->root, op->file, op->sha256, err);
	} else {
		got = fetch_old(d, ctx, c, op, err);
	}
	if (!got && !known)
		got = check_build(ctx, op, err);
	if (got <= 0)
		return got;
	return packages_rebuild(ctx, op, err) ? cannot_undo(op, err) : 0;
}

/* ---- said beforehand ---- */

/* Whoever may not look into debs/ cannot tell. */
static bool can_look(const struct root *r)
{
	int fd CLEANUP(closep) = root_openat(r, DEBS_DIR, O_RDONLY | O_DIRECTORY, 0);

	return fd >= 0 || errno == ENOENT;
}

static bool is_here(const struct packages *d, const struct root *r, const struct pkg_op *op)
{
	const struct pkg_op *recorded = packages_op(d, d->name);
	char *path CLEANUP(freep) = old_path(op);

	return root_exists(r, path) ||
	       (recorded && str_eq(recorded->new_version, op->old_version) && recorded->file &&
		root_exists(r, recorded->file));
}

/* By what prepare will do, without hashing anything. */
static const char *way_back_of(const struct packages *d, const struct action_ctx *ctx,
			       const struct pkg_status *st)
{
	const struct pkg_op op = { .name = d->name,
				   .old_version = st->version,
				   .arch = d->arch ? d->arch : st->arch };

	if (!st->known || !str_eq(st->state, "installed") || !can_look(ctx->root) ||
	    is_here(d, ctx->root, &op))
		return NULL;
	if (!ctx->catalog)
		return "for the way back what is there is fetched, or " REBUILT;
	return entry_of(ctx->catalog, d, &op) ? NULL :
						"for the way back what is there is " REBUILT;
}

static bool is_rebuilt(const struct packages *d)
{
	const struct pkg_op *op = d->name ? packages_op(d, d->name) : NULL;

	return d->old_rebuilt || (d->remove && op && op->rebuilt);
}

const char *packages_way_back(const struct packages *d, const struct action_ctx *ctx)
{
	const struct pkg_op *op = d->name ? packages_op(d, d->name) : NULL;
	struct pkg_status st = { 0 };
	struct err ignored = ERR_INIT;
	const char *words = NULL;

	if (!d->remove && d->inverted && op && op->rebuilt)
		return "from a package file " REBUILT;
	if (d->before)
		return is_rebuilt(d) ? "for the way back what was there was " REBUILT : NULL;
	if (!ctx || !d->name || !(d->remove || d->from || d->inverted))
		return NULL;
	const struct pkg_ops *ops = pkg_backend(ctx->host);
	if (ops && !ops->status(ctx->host, d->name, &st, &ignored))
		words = way_back_of(d, ctx, &st);
	pkg_status_release(&st);
	return words;
}
