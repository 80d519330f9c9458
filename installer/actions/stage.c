/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/stage.h"

#include "sys/io.h"

#include <errno.h>

char *stage_name(const char *member)
{
	char *name = xstrdup(member);

	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '%';
	return name;
}

int stage_open(const struct action_ctx *ctx, const char *member, int *ret_fd, struct err *err)
{
	char *name CLEANUP(freep) = stage_name(member);
	int dir CLEANUP(closep) = -1, fd;

	if (txnlog_stage(ctx->log, &dir, err))
		return -1;
	fd = io_open_read(dir, name, O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, errno, "the package has no '%s'", member);
	*ret_fd = fd;
	return 0;
}
