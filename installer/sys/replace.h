/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to replace a file, make one, or take one away on the host (DESIGN.md section 5).
 *
 *	replace_check()		prepare: resolves the target, refuses what cannot work; changes
 *				nothing
 *	replace_commit()	temporary written, owner, xattrs, mode, fsync, exchanged with the
 *				target, directory fsynced
 *	replace_undo()		the old inode back by one more exchange; needs no space
 *	replace_finish()	after COMMITTED (or after undo): what came out is deleted
 *
 * The temporary has a deterministic name in the target's directory, `.NAME.sysboxup-TAG` (TAG =
 * "transaction.action"), and holds, after the exchange, the old file until replace_finish. So each
 * state that a crash leaves can be read from disk:
 *
 *	target	temporary	meaning
 *	before	absent		not begun, or undone and finished
 *	before	anything	not exchanged yet (the temporary may be torn), or exchanged back:
 *		delete the temporary
 *	after	before		exchanged: exchange back, delete
 *	after	absent		made where nothing was (before is absent): delete the target; or
 *		finished: use the copy
 *	after	other		exchanged, and what came out is somebody's edit of that instant:
 *		exchange back, REPLACE_CONFLICT
 *	other	any		somebody else's edit: REPLACE_CONFLICT, nothing is touched
 *
 * Taking a file away: renamed to the temporary. Where the file system has no RENAME_EXCHANGE
 * (EINVAL, ENOSYS) the old file is linked to a second deterministic name first and a plain rename
 * follows. A target that is a mount point or whose directory is on another device than itself is
 * refused in replace_check: there is no silent copy in place. The before-image, where it must be
 * written again from the copy, goes through `.NAME.sysboxup-TAG.undo`; names too long are shortened
 * to a digest. Where before and after are equal nothing is done by any of these, and undo returns
 * 0. If the file changes between check and exchange, what came out is not the before-image: it is
 * exchanged back and REPLACE_CONFLICT returned ("changed this instant by somebody else").
 */
#ifndef SYS_REPLACE_H
#define SYS_REPLACE_H

#include "sys/node.h"

enum { REPLACE_CONFLICT = -2 };		/* a stranger's edit: err is set (kind ERR_FAILED), the host untouched */

struct replace {
	const struct root *root;	/* borrowed */
	const char *path;		/* borrowed; absolute, inside the root */
	const char *tag;		/* borrowed; [0-9a-z.-]+ */
	bool nofollow;			/* act on a symlink itself (to make or replace links as links) */
	struct node before;		/* what is there; filled by replace_check, or from the record */
	struct node after;		/* what is wanted; type NODE_ABSENT takes the file away. NODE_FILE, NODE_LINK */
	bool set_mtime;			/* after.mtime is given to the file; else it is the time of writing */
	int content_fd;			/* NODE_FILE: where the bytes come from (read from offset 0), or -1 and: */
	const char *content;		/* borrowed */
	size_t content_len;
	const struct node *interim;	/* further states of ours that count as "after" in undo (n of them), or NULL */
	size_t interim_n;
};

#define REPLACE_INIT { .content_fd = -1 }

/*
 * Fills before, and of after: digest and size of a file (a digest already set is trusted here and
 * checked when copied). Needs write access to the directory unless nothing would change: a plan
 * without privileges uses node_read instead.
 */
int replace_check(struct replace *rp, struct err *err);
/* After REPLACE_CONFLICT nothing of ours is left; after another failure replace_undo gives what was
 * before. */
int replace_commit(struct replace *rp, struct err *err);
/*
 * content_fd/content hold the before-image's bytes here, used only where the old inode is gone.
 * Idempotent. Returns
 * 0 when the target equals `before` again (same inode where possible, mtime too), REPLACE_CONFLICT
 * for a stranger's edit.
 */
int replace_undo(struct replace *rp, struct err *err);
int replace_finish(struct replace *rp, struct err *err);
void replace_release(struct replace *rp);	/* the nodes; not the descriptor */

/* from becomes to, which must not be there (errno EEXIST); also where the file system has no
 * RENAME_NOREPLACE. */
int rename_new(int dirfd, const char *from, const char *to);

#endif
