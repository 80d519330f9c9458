/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/state.h"

#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

/* Once the transactions are gone, nobody can tell any more that the base is not in force. */
static const struct { const char *name, *gone; } history[] = {
	{ "base", ".gone-base" },
	{ "txn", ".gone-txn" },
};

static int take_away(struct state *s, const char *name, const char *gone, struct err *err)
{
	if (fs_remove_tree(s->fd, gone, err))
		return -1;
	if (io_renameat2(s->fd, name, s->fd, gone, 0) && errno != ENOENT)
		return err_errno(err, errno, "cannot take away '%s/%s'", STATE_DIR, name);
	return fs_sync_dir(s->fd, err);
}

/* The lock is held to the end: it is what keeps others out. */
static int remove_rest(struct state *s, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (fs_list_fd(s->fd, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (!str_eq(names.v[i], "lock") && fs_remove_tree(s->fd, names.v[i], err))
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

int state_purge(struct state *s, struct err *err)
{
	/* What is made of the history goes before it, and all of that in one instant. */
	if (fs_unlink(s->fd, "index.json", err) || fs_unlink(s->fd, "profile.json", err) ||
	    fs_sync_dir(s->fd, err))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(history); i++)
		if (take_away(s, history[i].name, history[i].gone, err))
			return -1;
	return remove_rest(s, err) || remove_dir(s, err) ? -1 : 0;
}
