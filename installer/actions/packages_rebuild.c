/* SPDX-License-Identifier: Apache-2.0 */
/* A package file from what is installed. Content is read once: what was hashed is what is
 * packed. */
#include "actions/packages_data.h"

#include "backends/pkg/aptsim.h"
#include "backends/pkg/installed.h"
#include "fetch/pack.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

#define PARTIAL "rebuilt.deb"

enum { CHUNK = 256 * 1024, NAME_DIGITS = 16 };

/* Files and links have the times that their package gave them; a directory's says when something
 * was last put there, by whomever. */
static int64_t time_of_package(const struct installed *p)
{
	int64_t newest = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].node.type != NODE_DIR && p->v[i].node.mtime.tv_sec > newest)
			newest = p->v[i].node.mtime.tv_sec;
	return newest;
}

/* ---- its control part ---- */

static int pack_text(struct deb_pack *out, const char *name, mode_t mode, int64_t when,
		     const struct buf *data, struct err *err)
{
	char *path CLEANUP(freep) = path_join("/", name);
	const struct pack_member m = {
		.path = path, .type = 'f', .mode = mode, .mtime = when, .size = data->len
	};

	return deb_pack_add(out, &m, err) || deb_pack_content(out, data->data, data->len, err) ?
		       -1 :
		       0;
}

static int pack_control(struct deb_pack *out, const struct installed *p, int64_t when,
			struct err *err)
{
	const struct pack_member top = { .path = "/", .type = 'd', .mode = 0755, .mtime = when };

	if (deb_pack_part(out, "control", err) || deb_pack_add(out, &top, err) ||
	    pack_text(out, "control", 0644, when, &p->control, err))
		return -1;
	for (size_t i = 0; i < p->control_files_n; i++)
		if (pack_text(out, p->control_files[i].name, p->control_files[i].mode, when,
			      &p->control_files[i].data, err))
			return -1;
	return 0;
}

/* ---- its files ---- */

static int copy_content(struct deb_pack *out, const struct installed_file *f, int fd,
			char md5[DIGEST_HEX + 1], struct err *err)
{
	struct digest *hash CLEANUP(digest_freep) = digest_new_md5();
	char *chunk CLEANUP(freep) = xmalloc(CHUNK);
	uint64_t left = f->node.size;
	ssize_t n;

	if (!hash)
		return err_set(err, ERR_REFUSED, "this host's libcrypto has no MD5, which dpkg's checksums are");
	while ((n = read(fd, chunk, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "cannot read '%s'", f->at);
		if ((uint64_t)n > left)
			break;
		left -= (uint64_t)n;
		digest_add(hash, chunk, (size_t)n);
		if (deb_pack_content(out, chunk, (size_t)n, err))
			return -1;
	}
	if (left || n)
		return err_set(err, ERR_REFUSED, "'%s' changed while it was read", f->at);
	digest_end(STEAL(hash), md5);
	return 0;
}

static int pack_content(struct deb_pack *out, const struct root *r, const struct installed_file *f,
			struct err *err)
{
	int fd CLEANUP(closep) = root_openat(r, f->at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	char md5[DIGEST_HEX + 1];

	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s'", f->at);
	if (copy_content(out, f, fd, md5, err))
		return -1;
	return installed_check_content(f, md5, err);
}

static const char types[] = { [NODE_FILE] = 'f', [NODE_DIR] = 'd', [NODE_LINK] = 'l' };

static int pack_file(struct deb_pack *out, const struct root *r, const struct installed_file *f,
		     int64_t when, struct err *err)
{
	const struct node *n = &f->node;
	const struct pack_member m = {
		.path = f->path,
		.type = f->first ? 'h' : types[n->type],
		.mode = n->mode,
		.uid = n->uid,
		.gid = n->gid,
		.mtime = n->type == NODE_DIR ? when : n->mtime.tv_sec,
		.size = n->size,
		.target = f->first ? f->first : n->target,
	};

	if (deb_pack_add(out, &m, err))
		return -1;
	return m.type == 'f' ? pack_content(out, r, f, err) : 0;
}

static int pack_data(struct deb_pack *out, const struct root *r, const struct installed *p,
		     int64_t when, struct err *err)
{
	if (deb_pack_part(out, "data", err))
		return -1;
	for (size_t i = 0; i < p->n; i++)
		if (pack_file(out, r, &p->v[i], when, err))
			return -1;
	return 0;
}

int packages_pack(const struct root *r, const struct installed *p, int fd, struct err *err)
{
	struct deb_pack *out CLEANUP(deb_pack_freep) = NULL;
	int64_t when = time_of_package(p);

	if (deb_pack_open(&out, fd, when, err) || pack_control(out, p, when, err) ||
	    pack_data(out, r, p, when, err) || deb_pack_close(out, err))
		return -1;
	return io_fsync(fd) ? err_errno(err, errno, "cannot sync the package") : 0;
}

/* ---- where it goes ---- */

static char *file_name(const struct pkg_op *op, const char *sha256)
{
	struct pkg_op old = { .name = op->name, .new_version = op->old_version, .arch = op->arch };
	char *plain CLEANUP(freep) = apt_archive_name(&old);

	return xasprintf("%.*s.rebuilt-%.*s.deb", (int)(strlen(plain) - strlen(".deb")), plain,
			 NAME_DIGITS, sha256);
}

/* stage/ goes with its transaction, so a half of one does not stay. */
static int make(const struct action_ctx *ctx, const struct installed *p, struct pkg_op *op,
		struct err *err)
{
	int stage CLEANUP(closep) = -1;

	if (fs_mkdir_path(ctx->root, DEBS_DIR, 0700, err) || txnlog_stage(ctx->log, &stage, err))
		return -1;
	int debs CLEANUP(closep) = packages_open_dir(ctx->root, DEBS_DIR, err);
	if (debs < 0)
		return -1;
	int fd CLEANUP(closep) =
		io_openat(stage, PARTIAL, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_errno(err, errno, "cannot make a package file");
	if (packages_pack(ctx->root, p, fd, err) || fs_copy_fd(fd, -1, UINT64_MAX, op->sha256, err))
		return -1;
	char *name CLEANUP(freep) = file_name(op, op->sha256);
	if (io_renameat2(stage, PARTIAL, debs, name, 0))
		return err_errno(err, errno, "cannot put '%s' into '%s'", name, DEBS_DIR);
	free(op->file);
	op->file = path_join(DEBS_DIR, name);
	return fs_sync_dir(debs, err);
}

int packages_rebuild(const struct action_ctx *ctx, struct pkg_op *op, struct err *err)
{
	struct installed p CLEANUP(installed_release) = { .control = BUF_INIT };

	if (installed_read(&p, ctx->root, op->name, err))
		return -1;
	if (!str_eq(p.version, op->old_version))
		return err_set(err, ERR_REFUSED, "%s %s is installed by now", p.name, p.version);
	if (make(ctx, &p, op, err) || dpkg_try_file(op->file, err))
		return -1;
	op->rebuilt = true;
	report_info(ctx->rep, "%s %s: its package file was rebuilt from the installed files, for the way back",
		    p.name, p.version);
	return 0;
}
