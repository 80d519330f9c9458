/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/settle.h"

#include "actions/action.h"
#include "engine/index.h"
#include "sys/fs.h"
#include "sys/stamp.h"

#include <errno.h>

static int date(int dirfd, const char *name, struct err *err)
{
	const struct timespec then = { .tv_sec = stamp_now() };
	const struct timespec both[2] = { then, then };

	if (!(name ? io_utimensat(dirfd, name, both) : io_futimens(dirfd, both)))
		return 0;
	return err_errno(err, errno, "cannot set the time of '%s'", name ? name : "a directory");
}

/* The name itself, not what a link there leads to, and the directory that it is in. */
static int date_place(const struct root *r, const char *path, bool follow, struct err *err)
{
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;
	struct stat st;

	if (root_parent(r, path, follow, &dir, &name, NULL, err))
		return -1;
	if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && date(dir, name, err))
		return -1;
	return date(dir, NULL, err);
}

/* A link to a file of ours lies where it lay; the file and its directory are behind it. */
static int date_path(const struct root *r, const char *path, struct err *err)
{
	if (!root_exists(r, path))
		return 0;
	return date_place(r, path, false, err) || date_place(r, path, true, err) ? -1 : 0;
}

static int date_entry(const struct root *r, const struct json *entry, struct err *err)
{
	const struct action_ops *ops = action_kind(json_get_str(entry, "kind"));
	const char *path = strstr(json_key(entry), ":/");

	if (path && date_path(r, path + 1, err))
		return -1;
	for (size_t i = 0; ops && ops->paths && ops->paths[i]; i++)
		if (date_path(r, ops->paths[i], err))
			return -1;
	return 0;
}

/* What is in it first: its own time is not touched by that. */
static int date_tree(int dirfd, const char *name, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	int fd CLEANUP(closep) = io_open_read(dirfd, name, O_DIRECTORY | O_NOFOLLOW);

	if (fd >= 0 && fs_list_fd(fd, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (date_tree(fd, names.v[i], err))
			return -1;
	return date(dirfd, name, err);
}

int settle_times(const struct state *s, struct err *err)
{
	struct json *ours CLEANUP(json_freep) = NULL;
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (!stamp_fixed() || s->fd < 0)
		return 0;
	state_forget_holder(s);
	if (index_load(s, &ours, err) < 0 || fs_list_fd(s->fd, &names, err) < 0)
		return -1;
	for json_each(entry, ours)
		if (date_entry(s->root, entry, err) < 0)
			return -1;
	for (size_t i = 0; i < names.n; i++)
		if (date_tree(s->fd, names.v[i], err) < 0)
			return -1;
	return date_path(s->root, STATE_DIR, err);
}
