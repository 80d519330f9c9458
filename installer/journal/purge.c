/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/state.h"

#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

#define GONE ".gone-txn"

/* THE instant: with its transactions, all of the history is gone (state_open). */
static int take_away(struct state *s, struct err *err)
{
	if (fs_remove_tree(s->fd, GONE, err))
		return -1;
	if (io_renameat2(s->fd, "txn", s->fd, GONE, 0) && errno != ENOENT)
		return err_errno(err, errno, "cannot take away '%s/txn'", STATE_DIR);
	return fs_sync_dir(s->fd, err);
}

static bool is_kept(const char *name, const char *const *keep)
{
	for (; *keep; keep++)
		if (str_eq(name, *keep))
			return true;
	return false;
}

/* The lock is held to the end: it is what keeps others out. */
static int remove_rest(struct state *s, const char *const *keep, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (fs_list_fd(s->fd, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (!str_eq(names.v[i], "lock") && !is_kept(names.v[i], keep) &&
		    fs_remove_tree(s->fd, names.v[i], err))
			return -1;
	return fs_unlink(s->fd, "lock", err) || fs_sync_dir(s->fd, err) ? -1 : 0;
}

/* A mount point, or a link that somebody put there, is theirs; and so is what they put into it. */
static bool stays(int errnum)
{
	return errnum == EBUSY || errnum == ENOTDIR || errnum == ENOTEMPTY || errnum == EEXIST ||
	       errnum == ENOENT;
}

static int remove_dir(struct state *s, struct err *err)
{
	int parent CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(s->root, STATE_DIR, false, &parent, &name, NULL, err))
		return -1;
	if (io_unlinkat(parent, name, AT_REMOVEDIR) && !stays(errno))
		return err_errno(err, errno, "cannot remove '%s'", STATE_DIR);
	return fs_sync_dir(parent, err);
}

int state_purge(struct state *s, const char *const *keep, struct err *err)
{
	return take_away(s, err) || remove_rest(s, keep, err) || remove_dir(s, err) ? -1 : 0;
}
