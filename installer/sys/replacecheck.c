/* SPDX-License-Identifier: Apache-2.0 */
/* The refusals: all that would make the exchange fail, or succeed in the wrong place, found before
 * anything is written. */
#include "sys/replacecheck.h"

#include "base/str.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Linux < 5.8 has no STATX_ATTR_MOUNT_ROOT: the number of the mount that a descriptor is on (since
 * 3.15). */
static long mount_id(int fd)
{
	char path[64], text[512], *at;
	int64_t id;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	int info CLEANUP(closep) = io_open_existing(AT_FDCWD, path, O_RDONLY);
	ssize_t n = info < 0 ? -1 : read(info, text, sizeof text - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = strstr(text, "mnt_id:");
	if (!at)
		return -1;
	at = str_trim(at + strlen("mnt_id:"));
	at[strcspn(at, "\n")] = '\0';
	return str_to_i64(at, 0, INT32_MAX, &id) ? -1 : (long)id;
}

/* Not st_dev: on overlayfs a file and its directory may show different ones with nothing
 * mounted. */
static bool is_mount_point(const struct place *pl, const struct statx *sx)
{
	if (sx->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return sx->stx_attributes & STATX_ATTR_MOUNT_ROOT;
	int fd CLEANUP(closep) = io_open_existing(pl->dirfd, pl->name, O_PATH | O_NOFOLLOW);
	return fd >= 0 && mount_id(fd) != mount_id(pl->dirfd);
}

static int refuse(struct err *err, const char *what, const char *path, const char *why,
		  const char *remedy)
{
	err_set(err, ERR_REFUSED, "%s '%s': %s", what, path, why);
	return err_remedy(err, "%s", remedy);
}

static bool is_locked(const struct statx *sx)
{
	return sx->stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND);
}

static int check_directory(const struct place *pl, struct err *err)
{
	struct statx sx;

	if (statx(pl->dirfd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx))
		return err_errno(err, errno, "cannot look at the directory of '%s'", pl->real);
	if (is_locked(&sx))
		return refuse(err, "cannot replace", pl->real,
			      "its directory is immutable or append-only",
			      "chattr -i -a on the directory, if that is not on purpose");
	if (!faccessat(pl->dirfd, ".", W_OK | X_OK, AT_EACCESS))
		return 0;
	err_errno(err, errno, "cannot write in the directory of '%s'", pl->real);
	return err_raise(err, ERR_REFUSED);
}

static int check_target(const struct replace *rp, const struct place *pl, struct err *err)
{
	struct statx sx;

	if (rp->before.type == NODE_ABSENT)
		return 0;
	if (rp->before.type == NODE_DIR)
		return refuse(err, "cannot replace", pl->real, "it is a directory",
			      "move it away first");
	if (rp->before.type == NODE_OTHER)
		return refuse(err, "cannot replace", pl->real, "it is a device, a pipe or a socket",
			      "move it away first");
	if (statx(pl->dirfd, pl->name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &sx))
		return err_errno(err, errno, "cannot look at '%s'", pl->real);
	if (is_mount_point(pl, &sx))
		return refuse(err, "cannot replace", pl->real, "something is mounted on it",
			      "unmount it, or change the file where it comes from");
	if (is_locked(&sx))
		return refuse(err, "cannot replace", pl->real, "it is immutable or append-only",
			      "chattr -i -a on the file, if that is not on purpose");
	return 0;
}

/* A tag is used once: a file of that name is of a run that nobody recovered. */
static int check_leftovers(const struct place *pl, struct err *err)
{
	const char *const names[] = { pl->temp, pl->old, pl->undo };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!fstatat(pl->dirfd, names[i], &st, AT_SYMLINK_NOFOLLOW))
			return refuse(err, "cannot use the temporary name beside", pl->real,
				      names[i],
				      "it is left of an interrupted run: sysboxup recover");
	return 0;
}

static int complete_after(struct replace *rp, struct err *err)
{
	struct stat st;

	if (rp->after.type != NODE_ABSENT && rp->after.type != NODE_FILE &&
	    rp->after.type != NODE_LINK)
		return err_set(err, ERR_REFUSED, "cannot make '%s': neither file nor link", rp->path);
	if (rp->after.type != NODE_FILE)
		return 0;
	if (rp->content_fd < 0) {
		digest_hex(rp->content, rp->content_len, rp->after.digest);
		rp->after.size = rp->content_len;
		return 0;
	}
	if (fstat(rp->content_fd, &st))
		return err_errno(err, errno, "cannot look at the new content of '%s'", rp->path);
	rp->after.size = (uint64_t)st.st_size;
	if (*rp->after.digest)		/* verified by whoever opened it, and once more when it is copied */
		return 0;
	return fs_copy_fd(rp->content_fd, -1, UINT64_MAX, rp->after.digest, err);
}

int replace_check(struct replace *rp, struct err *err)
{
	struct place pl CLEANUP(place_release) = PLACE_INIT;

	if (place_open(rp, &pl, err))
		return err_raise(err, ERR_REFUSED);
	if (node_read_at(&rp->before, pl.dirfd, pl.name, NODE_DIGEST, err) ||
	    check_target(rp, &pl, err) || complete_after(rp, err))
		return -1;
	if (node_equal(&rp->before, &rp->after, rp->set_mtime ? NODE_CMP_MTIME : NODE_CMP_PLAIN))
		return 0;	/* nothing will be written: a read-only directory does not matter */
	return check_directory(&pl, err) || check_leftovers(&pl, err) ? -1 : 0;
}
