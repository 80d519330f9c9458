/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/memfile.h"

#include "sys/io.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int memfile_new(const char *name, const void *data, size_t len, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && !io_write_all(fd, data, len))
		return fd;
	err_errno(err, errno, "cannot make a file in memory");
	if (fd >= 0)
		close(fd);
	return -1;
}

int memfile_tail(int fd, size_t max, struct buf *ret, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_errno(err, errno, "cannot read a file in memory");
	size_t want = (size_t)st.st_size < max ? (size_t)st.st_size : max;
	char *data CLEANUP(freep) = xmalloc(want + 1);
	ssize_t n = pread(fd, data, want, st.st_size - (off_t)want);
	if (n < 0)
		return err_errno(err, errno, "cannot read a file in memory");
	buf_add(ret, data, (size_t)n);
	return 0;
}
