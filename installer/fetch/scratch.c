/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/scratch.h"

#include "sys/fs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* mkdir is exclusive: a name that exists already is not ours. */
static int make_below(struct scratch *s, const char *base)
{
	closep(&s->base);
	s->base = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int n = 0; s->base >= 0 && n < 1000; n++) {
		snprintf(s->path, sizeof(s->path), "%s/sysboxup-fetch.%d.%u", base, (int)getpid(),
			 n);
		if (!io_mkdirat(s->base, path_basename(s->path), 0700))
			return 0;
		if (errno != EEXIST)
			break;
	}
	s->path[0] = '\0';
	return -1;
}

int scratch_make(struct scratch *ret, struct err *err)
{
	struct scratch s CLEANUP(scratch_release) = SCRATCH_INIT;

	if (make_below(&s, "/run") < 0 && make_below(&s, "/tmp") < 0)
		return err_errno(err, errno, "cannot make a directory below /run or /tmp");
	s.fd = openat(s.base, path_basename(s.path),
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s.fd < 0)
		return err_errno(err, errno, "cannot open '%s'", s.path);
	*ret = s;
	s = (struct scratch)SCRATCH_INIT;
	return 0;
}

void scratch_release(struct scratch *s)
{
	closep(&s->fd);
	if (s->path[0])
		fs_remove_tree(s->base, path_basename(s->path), NULL);
	closep(&s->base);
	*s = (struct scratch)SCRATCH_INIT;
}
