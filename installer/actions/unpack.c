/* SPDX-License-Identifier: Apache-2.0 */
/* Kind "unpack": a package fetched, verified and its members laid into stage/, all in prepare. The
 * host sees nothing of it. */
#include "actions/kinds.h"
#include "actions/stage.h"
#include "fetch/package.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

struct unpack_data {
	const struct catalog_entry *entry;	/* borrowed; NULL once decoded */
	char *name, *version;
	char *from;				/* the version that it replaces, or NULL */
	bool control;				/* its control part, too; not in a record */
};

struct unpack_target {
	const struct action_ctx *ctx;
	int dir;
	int fd;
};

extern const struct action_ops unpack_ops;

static void unpack_release(struct action *a)
{
	struct unpack_data *d = a->data;

	free(d->name);
	free(d->version);
	free(d->from);
	free(d);
}

struct action *action_unpack(const char *step, const struct catalog_entry *entry, const char *from)
{
	struct unpack_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("unpack:%s", entry->name);

	d->entry = entry;
	d->name = xstrdup(entry->name);
	d->version = xstrdup(entry->version);
	d->from = xstrdup(from);
	return action_new(&unpack_ops, key, step, RANK_FETCH, d);
}

void unpack_control(struct action *a)
{
	struct unpack_data *d = a->data;

	d->control = true;
}

static int open_member(void *user, const struct deb_member *m)
{
	struct unpack_target *t = user;
	char *name CLEANUP(freep) = NULL;

	closep(&t->fd);
	if (m->type != 'f')
		return -1;
	name = stage_name(m->path);
	t->fd = io_openat(t->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	return t->fd;
}

static int put_control(void *user, const struct deb_member *m, const struct buf *text,
		       struct err *err)
{
	const struct unpack_target *t = user;
	char *flat CLEANUP(freep) = stage_name(m->path + 1);
	char *name CLEANUP(freep) = xasprintf(STAGE_CONTROL "%s", flat);
	int fd CLEANUP(closep) = -1;

	fd = io_openat(t->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (fd < 0 || io_write_all(fd, text->data, text->len) || io_fchmod(fd, m->mode & 0777))
		return err_errno(err, errno, "cannot unpack '%s'", m->path);
	return 0;
}

static int unpack_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct unpack_data *d = a->data;
	struct unpack_target t = { ctx, -1, -1 };
	struct package pkg = { .fd = -1 };
	int r;

	if (package_fetch(&pkg, ctx->root, d->entry, ctx->profile, ctx->package_file, ctx->rep,
			  err))
		return -1;
	r = txnlog_stage(ctx->log, &t.dir, err);
	if (!r)
		r = deb_extract_all(&pkg.deb, pkg.fd, open_member, &t, err);
	if (!r && d->control)
		r = deb_control_files(pkg.fd, put_control, &t, err);
	closep(&t.fd);
	closep(&t.dir);
	package_release(&pkg);
	return r;
}

static int nothing(struct action *a, struct action_ctx *ctx, struct err *err)
{
	return 0;
}

static int unpack_encode(const struct action *a, struct json *j)
{
	const struct unpack_data *d = a->data;

	json_set_str(j, "name", d->name);
	json_set_str(j, "version", d->version);
	if (d->from)
		json_set_str(j, "from", d->from);
	return 0;
}

static int unpack_decode(struct action *a, const struct json *j, struct err *err)
{
	struct unpack_data *d = xcalloc(1, sizeof(*d));

	d->name = xstrdup(json_get_str(j, "name"));
	d->version = xstrdup(json_get_str(j, "version"));
	d->from = xstrdup(json_get_str(j, "from"));
	a->data = d;
	return 0;
}

static void unpack_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct unpack_data *d = a->data;

	if (d->from)
		report_change(r, d->name, "%s -> %s (files, sha256 %.16s...)", d->from, d->version,
			      d->entry ? d->entry->sha256 : "?");
	else
		report_change(r, d->name, "fetch %s, verify, unpack (sha256 %.16s...)", d->version,
			      d->entry ? d->entry->sha256 : "?");
}

const struct action_ops unpack_ops = {
	.kind = "unpack",
	.prepare = unpack_prepare,
	.commit = nothing,
	.undo = nothing,
	.invert = action_invert_nothing,
	.fold = action_fold_oldest,
	.encode = unpack_encode,
	.decode = unpack_decode,
	.describe = unpack_describe,
	.release = unpack_release,
};
