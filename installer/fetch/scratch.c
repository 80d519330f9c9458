/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/scratch.h"

#include "sys/fs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX "sysboxup-fetch."

static int open_dir(int base, const char *name)
{
	return io_open_read(base, name, O_DIRECTORY | O_NOFOLLOW);
}

/* What killed runs left: ours, and nobody holds its lock. */
static void sweep(int base)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct stat st;

	fs_list_fd(base, &names, NULL);
	for (size_t i = 0; i < names.n; i++) {
		int fd CLEANUP(closep) = str_starts(names.v[i], PREFIX) ?
						 open_dir(base, names.v[i]) : -1;

		if (fd >= 0 && !fstat(fd, &st) && st.st_uid == geteuid() &&
		    !io_flock(fd, LOCK_EX | LOCK_NB))
			fs_remove_tree(base, names.v[i], NULL);
	}
}

/* Locked, and not swept away between its making and its locking. */
static bool hold(struct scratch *s)
{
	struct stat st, named;

	closep(&s->fd);
	s->fd = open_dir(s->base, path_basename(s->path));
	return s->fd >= 0 && !io_flock(s->fd, LOCK_EX | LOCK_NB) && !fstat(s->fd, &st) &&
	       !fstatat(s->base, path_basename(s->path), &named, AT_SYMLINK_NOFOLLOW) &&
	       st.st_ino == named.st_ino;
}

/* mkdir is exclusive: a name that exists already is not ours. */
static int make_below(struct scratch *s, const char *base)
{
	closep(&s->base);
	s->base = io_open_read(AT_FDCWD, base, O_DIRECTORY);
	if (s->base >= 0)
		sweep(s->base);
	for (unsigned int n = 0; s->base >= 0 && n < 1000; n++) {
		snprintf(s->path, sizeof(s->path), "%s/" PREFIX "%d.%u", base, (int)getpid(), n);
		if (!io_mkdirat(s->base, path_basename(s->path), 0700)) {
			if (hold(s))
				return 0;
		} else if (errno != EEXIST) {
			break;
		}
	}
	s->path[0] = '\0';
	return -1;
}

int scratch_make(struct scratch *ret, struct err *err)
{
	struct scratch s CLEANUP(scratch_release) = SCRATCH_INIT;

	if (make_below(&s, "/run") < 0 && make_below(&s, "/tmp") < 0)
		return err_errno(err, errno, "cannot make a directory below /run or /tmp");
	*ret = s;
	s = (struct scratch)SCRATCH_INIT;
	return 0;
}

void scratch_release(struct scratch *s)
{
	if (s->path[0])
		fs_remove_tree(s->base, path_basename(s->path), NULL);
	closep(&s->fd);
	closep(&s->base);
	*s = (struct scratch)SCRATCH_INIT;
}
