/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_MEMFILE_H
#define SYS_MEMFILE_H

#include "base/buf.h"
#include "base/err.h"

/* A file in memory with these bytes, without a name anywhere: for a child (proc.keep_fd), gone with
 * its last descriptor. -1 and err. */
int memfile_new(const char *name, const void *data, size_t len, struct err *err);
/* What is in it now, at most max bytes from its end. */
int memfile_tail(int fd, size_t max, struct buf *ret, struct err *err);

#endif
