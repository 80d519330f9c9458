/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who makes which transition of the table in replace.h:
 *
 *	before/absent -> before/anything	make_temp	torn or whole, never visible
 *	before/anything -> after/before		swap_in, or take_away (after is absent), or
 *						place_new (before is absent)
 *	after/other -> other/after		swap_in's own check, or put_back when a crash came
 *						between the two
 *	after/before -> before/after		put_back
 *	before/anything -> before/absent	tidy
 */
#include "sys/replace.h"

#include "base/str.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/replacecheck.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- where ---- */

void place_release(struct place *pl)
{
	closep(&pl->dirfd);
	char **names[] = { &pl->name, &pl->real, &pl->temp, &pl->old, &pl->undo, &pl->kept };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		free(STEAL(*names[i]));
}

/* `.NAME.sysboxup-TAG` + suffix; a name too long for that goes by its digest. */
static char *temp_name(const struct replace *rp, const char *name, const char *suffix)
{
	char hex[DIGEST_HEX + 1];
	char *s = xasprintf(".%s.sysboxup-%s%s", name, rp->tag, suffix);

	if (strlen(s) <= NAME_MAX)
		return s;
	free(s);
	digest_hex(name, strlen(name), hex);
	return xasprintf(".%.16s.sysboxup-%s%s", hex, rp->tag, suffix);
}

int place_open(const struct replace *rp, struct place *pl, struct err *err)
{
	if (root_parent(rp->root, rp->path, !rp->nofollow, &pl->dirfd, &pl->name, &pl->real, err))
		return -1;
	pl->temp = temp_name(rp, pl->name, "");
	pl->old = temp_name(rp, pl->name, ".old");
	pl->undo = temp_name(rp, pl->name, ".undo");
	pl->kept = temp_name(rp, pl->name, ".kept");
	return 0;
}

/* ---- what is what ---- */

static int after_cmp(const struct replace *rp)
{
	return rp->set_mtime ? NODE_CMP_MTIME : NODE_CMP_PLAIN;
}

static bool is_before(const struct replace *rp, const struct node *n)
{
	return node_equal(n, &rp->before, NODE_CMP_MTIME);
}

static bool is_ours(const struct replace *rp, const struct node *n)
{
	if (node_equal(n, &rp->after, after_cmp(rp)))
		return true;
	for (size_t i = 0; i < rp->interim_n; i++)
		if (node_equal(n, &rp->interim[i], NODE_CMP_PLAIN))
			return true;
	return false;
}

static bool nothing_to_do(const struct replace *rp)
{
	return node_equal(&rp->before, &rp->after, after_cmp(rp));
}

static int conflict(const struct place *pl, struct err *err)
{
	err_set(err, ERR_FAILED, "'%s' was changed this instant by somebody else", pl->real);
	return REPLACE_CONFLICT;
}

static int failed(const struct place *pl, struct err *err)
{
	bool locked = errno == EPERM;

	err_errno(err, errno, "cannot replace '%s'", pl->real);
	return locked ? err_remedy(err, "chattr -i -a '%s', or its directory, whichever is immutable",
				   pl->real) :
			-1;
}

/* ---- names: each of these falls back where the file system lacks the flag ---- */

static bool unsupported(void)
{
	return errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
}

static bool no_hard_links(void)
{
	return unsupported() || errno == EPERM || errno == EMLINK;
}

int rename_new(int dirfd, const char *from, const char *to)
{
	struct stat st;

	if (!io_renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE))
		return 0;
	if (!unsupported())
		return -1;
	if (!io_linkat(dirfd, from, dirfd, to))
		return io_unlinkat(dirfd, from, 0);
	if (!no_hard_links())
		return -1;
	if (!fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW)) {
		errno = EEXIST;
		return -1;
	}
	return io_renameat2(dirfd, from, dirfd, to, 0);
}

static int swap(const struct place *pl, const char *a)
{
	return io_renameat2(pl->dirfd, a, pl->dirfd, pl->name, RENAME_EXCHANGE);
}

static int sync_place(const struct place *pl, struct err *err)
{
	return io_fsync(pl->dirfd) ? failed(pl, err) : 0;
}

static int drop(const struct place *pl, const char *name, struct err *err)
{
	return fs_unlink(pl->dirfd, name, err) ?
		       err_prefix(err, "cannot tidy up beside '%s'", pl->real) :
		       0;
}

/* ---- the temporary ---- */

static int write_content(const struct replace *rp, const struct node *n, int fd, struct err *err)
{
	char hex[DIGEST_HEX + 1];

	if (rp->content_fd < 0) {
		digest_hex(rp->content, rp->content_len, hex);
		if (io_write_all(fd, rp->content, rp->content_len))
			return err_errno(err, errno, "cannot write");
	} else if (fs_copy_fd(rp->content_fd, fd, UINT64_MAX, hex, err)) {
		return -1;
	}
	if (!str_eq(hex, n->digest))
		return err_set(err, ERR_FAILED, "the bytes to be written are not those announced");
	return 0;
}

static int write_file(const struct replace *rp, const struct place *pl, const char *name,
		      const struct node *n, bool set_mtime, struct err *err)
{
	int fd CLEANUP(closep) = io_openat(pl->dirfd, name,
					   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_errno(err, errno, "cannot make a file beside it");
	if (write_content(rp, n, fd, err))
		return -1;
	if (node_apply_meta(n, fd, set_mtime))
		return err_errno(err, errno, "cannot give it its owner, attributes and mode");
	if (io_fsync(fd))
		return err_errno(err, errno, "cannot sync");
	return io_close(STEAL_FD(fd)) ? err_errno(err, errno, "cannot close") : 0;
}

static int make_temp(const struct replace *rp, const struct place *pl, const char *name,
		     const struct node *n, bool set_mtime, struct err *err)
{
	int got;

	if (n->type == NODE_FILE)
		got = write_file(rp, pl, name, n, set_mtime, err);
	else if (io_symlinkat(n->target, pl->dirfd, name) ||
		 node_apply_link_meta(n, pl->dirfd, name, set_mtime))
		got = err_errno(err, errno, "cannot make a link beside it");
	else
		got = 0;
	return got ? err_prefix(err, "cannot replace '%s'", pl->real) : 0;
}

/* ---- commit: 0, -1 or REPLACE_CONFLICT; on failure the target is as it was, the temporary may be
 * left ---- */

/* What lies under name after a swap should have been expected. -1 with err when it cannot be
 * read. */
static int came_out(const struct replace *rp, const struct place *pl, const char *name,
		    bool expect_before, struct err *err)
{
	struct node n CLEANUP(node_release) = NODE_INIT;

	if (node_read_at(&n, pl->dirfd, name, NODE_DIGEST, err))
		return err_prefix(err, "cannot check what was replaced");
	return expect_before ? is_before(rp, &n) : is_ours(rp, &n);
}

/* The swap goes back. Should yet another version come out then, it is kept under a name of its
 * own. */
static int swap_back(const struct replace *rp, const struct place *pl, const char *name,
		     bool expect_ours, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (swap(pl, name))
		return err_errno(err, errno, "cannot put back '%s', its content is in '%s'", pl->real, name);
	if (came_out(rp, pl, name, !expect_ours, &ignored) == 1 ||
	    rename_new(pl->dirfd, name, pl->kept))
		return conflict(pl, err);
	conflict(pl, err);
	err_remedy(err, "one of the versions is kept beside it as '%s'", pl->kept);
	return REPLACE_CONFLICT;
}

/* After a swap: what came out under name is as expected, or all goes back. What cannot be read is
 * no conflict. */
static int check_out(const struct replace *rp, const struct place *pl, const char *name,
		     bool expect_before, struct err *err)
{
	struct err why = ERR_INIT;
	int same = came_out(rp, pl, name, expect_before, &why);

	if (same == 1)
		return 0;
	int got = swap_back(rp, pl, name, expect_before, err);
	if (same == 0 || got != REPLACE_CONFLICT)
		return got;
	*err = why;
	return -1;
}

/* The old file gets a second name first, then a plain rename: a crash in between leaves both. */
static int rename_over(const struct replace *rp, const struct place *pl, struct err *err)
{
	bool linked = !io_linkat(pl->dirfd, pl->name, pl->dirfd, pl->old);

	if (!linked && !no_hard_links())
		return errno == ENOENT ? conflict(pl, err) : failed(pl, err);
	int same = came_out(rp, pl, linked ? pl->old : pl->name, true, err);
	if (same != 1) {
		(void)io_unlinkat(pl->dirfd, pl->old, 0);	/* absent unless linked */
		return same ? same : conflict(pl, err);
	}
	if (sync_place(pl, err))
		return -1;
	return io_renameat2(pl->dirfd, pl->temp, pl->dirfd, pl->name, 0) ? failed(pl, err) : 0;
}

static int swap_in(const struct replace *rp, const struct place *pl, struct err *err)
{
	if (swap(pl, pl->temp)) {
		if (unsupported())
			return rename_over(rp, pl, err);
		return errno == ENOENT ? conflict(pl, err) : failed(pl, err);
	}
	return check_out(rp, pl, pl->temp, true, err);
}

static int place_new(const struct place *pl, struct err *err)
{
	if (!rename_new(pl->dirfd, pl->temp, pl->name))
		return 0;
	return errno == EEXIST ? conflict(pl, err) : failed(pl, err);
}

/* The target goes to the temporary name, if it is what it should be. */
static int take_away(const struct replace *rp, const struct place *pl, bool expect_before,
		     struct err *err)
{
	if (rename_new(pl->dirfd, pl->name, pl->temp))
		return errno == ENOENT ? conflict(pl, err) : failed(pl, err);
	int same = came_out(rp, pl, pl->temp, expect_before, err);
	if (same == 1)
		return 0;
	if (rename_new(pl->dirfd, pl->temp, pl->name))
		return err_errno(err, errno, "cannot put back '%s', its content is in '%s'", pl->real, pl->temp);
	return same ? same : conflict(pl, err);
}

static int publish(const struct replace *rp, const struct place *pl, struct err *err)
{
	if (rp->after.type == NODE_ABSENT)
		return take_away(rp, pl, true, err);
	return rp->before.type == NODE_ABSENT ? place_new(pl, err) : swap_in(rp, pl, err);
}

/* After a failure the temporary goes, but only if it is ours: it may hold a version of somebody
 * else. */
static void drop_failed(const struct replace *rp, const struct place *pl)
{
	struct node temp CLEANUP(node_release) = NODE_INIT;
	struct err ignored = ERR_INIT;

	if (!node_read_at(&temp, pl->dirfd, pl->temp, NODE_DIGEST, &ignored) &&
	    temp.type != NODE_ABSENT && is_ours(rp, &temp))
		(void)io_unlinkat(pl->dirfd, pl->temp, 0);
	(void)io_fsync(pl->dirfd);
}

int replace_commit(struct replace *rp, struct err *err)
{
	struct place pl CLEANUP(place_release) = PLACE_INIT;

	if (nothing_to_do(rp))
		return 0;
	if (place_open(rp, &pl, err))
		return -1;
	if (rp->after.type != NODE_ABSENT &&
	    make_temp(rp, &pl, pl.temp, &rp->after, rp->set_mtime, err)) {
		if (err->errnum != EEXIST)
			(void)io_unlinkat(pl.dirfd, pl.temp, 0);
		return -1;
	}
	int got = publish(rp, &pl, err);
	if (got) {
		drop_failed(rp, &pl);
		return got;
	}
	return sync_place(&pl, err);
}

/* ---- undo ---- */

static int tidy(const struct place *pl, struct err *err)
{
	if (drop(pl, pl->temp, err) || drop(pl, pl->old, err) || drop(pl, pl->undo, err))
		return -1;
	return sync_place(pl, err);
}

/* Without the exchange nothing shows afterwards what was replaced: it is looked at just before. */
static int rename_back(const struct replace *rp, const struct place *pl, const char *source,
		       struct err *err)
{
	int same = came_out(rp, pl, pl->name, false, err);

	if (same != 1)
		return same ? same : conflict(pl, err);
	return io_renameat2(pl->dirfd, source, pl->dirfd, pl->name, 0) ? failed(pl, err) : 0;
}

/* The before-image under source becomes the target again; what comes out there must be ours. */
static int put_back(const struct replace *rp, const struct place *pl, const char *source,
		    bool target_absent, struct err *err)
{
	if (target_absent) {
		if (!rename_new(pl->dirfd, source, pl->name))
			return 0;
		return errno == EEXIST ? conflict(pl, err) : failed(pl, err);
	}
	if (swap(pl, source)) {
		if (!unsupported())
			return errno == ENOENT ? conflict(pl, err) : failed(pl, err);
		return rename_back(rp, pl, source, err);
	}
	return check_out(rp, pl, source, false, err);
}

static int make_copy(const struct replace *rp, const struct place *pl, struct err *err)
{
	if (rp->before.type == NODE_FILE && rp->content_fd < 0 && !rp->content)
		return err_set(err, ERR_FAILED, "cannot restore '%s': its old content is gone", pl->real);
	if (drop(pl, pl->undo, err))	/* torn by a crash of an earlier undo */
		return -1;
	return make_temp(rp, pl, pl->undo, &rp->before, true, err);
}

/* Undo of a file that was made: it goes the way back, so that a stranger's last-instant edit is
 * seen. */
static int unmake(const struct replace *rp, const struct place *pl, struct err *err)
{
	if (drop(pl, pl->temp, err))
		return -1;
	int got = take_away(rp, pl, false, err);
	return got ? got : tidy(pl, err);
}

static int take_back(const struct replace *rp, const struct place *pl, bool target_absent,
		     struct err *err)
{
	struct node out CLEANUP(node_release) = NODE_INIT, old CLEANUP(node_release) = NODE_INIT;
	const char *source = pl->undo;

	if (node_read_at(&out, pl->dirfd, pl->temp, NODE_DIGEST, err) ||
	    node_read_at(&old, pl->dirfd, pl->old, NODE_DIGEST, err))
		return -1;
	/* a crash came between exchange and check, and what came out is somebody else's */
	bool strangers = out.type != NODE_ABSENT && !is_before(rp, &out) && !is_before(rp, &old);

	if (out.type != NODE_ABSENT && (strangers || is_before(rp, &out)))
		source = pl->temp;
	else if (old.type != NODE_ABSENT && is_before(rp, &old))
		source = pl->old;
	else if (make_copy(rp, pl, err))
		return -1;
	int got = put_back(rp, pl, source, target_absent, err);
	if (!got)
		got = tidy(pl, err);
	return got || !strangers ? got : conflict(pl, err);
}

static int undo_at(const struct replace *rp, const struct place *pl, struct err *err)
{
	struct node now CLEANUP(node_release) = NODE_INIT;

	if (node_read_at(&now, pl->dirfd, pl->name, NODE_DIGEST, err))
		return -1;
	if (is_before(rp, &now))
		return tidy(pl, err);
	if (is_ours(rp, &now))
		return rp->before.type == NODE_ABSENT ?
			       unmake(rp, pl, err) :
			       take_back(rp, pl, now.type == NODE_ABSENT, err);
	if (node_equal(&now, &rp->before, NODE_CMP_PLAIN))	/* only touched: nothing of ours is there */
		return tidy(pl, err);
	err_set(err, ERR_FAILED, "'%s' was changed by somebody else", pl->real);
	return REPLACE_CONFLICT;
}

int replace_undo(struct replace *rp, struct err *err)
{
	struct place pl CLEANUP(place_release) = PLACE_INIT;
	struct err why = ERR_INIT;

	if (nothing_to_do(rp))
		return 0;
	if (!place_open(rp, &pl, &why))
		return undo_at(rp, &pl, err);
	bool gone = why.errnum == ENOENT || why.errnum == ENOTDIR;
	if (gone && rp->before.type == NODE_ABSENT)
		return 0;
	*err = why;
	return gone ? REPLACE_CONFLICT : -1;
}

/*
 * A temporary name whose removal was synced has come back on btrfs after a power cut (Linux 6.18,
 * tests/crash/blocklog.bats). We take it that the replay of its log of synced changes knows an
 * inode by the name it had before an exchange; a commit ends that log, and with it no disk showed
 * it any more.
 */
static int settle(const struct place *pl, struct err *err)
{
	struct statfs fs;

	if (fstatfs(pl->dirfd, &fs))
		return failed(pl, err);
	return fs.f_type == BTRFS_SUPER_MAGIC && io_syncfs(pl->dirfd) ? failed(pl, err) : 0;
}

int replace_finish(struct replace *rp, struct err *err)
{
	struct place pl CLEANUP(place_release) = PLACE_INIT;
	struct err why = ERR_INIT;

	if (nothing_to_do(rp))
		return 0;
	if (!place_open(rp, &pl, &why))
		return tidy(&pl, err) || settle(&pl, err) ? -1 : 0;
	if (why.errnum == ENOENT || why.errnum == ENOTDIR)
		return 0;
	*err = why;
	return -1;
}

void replace_release(struct replace *rp)
{
	node_release(&rp->before);
	node_release(&rp->after);
}
