/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/faultlog.h"

#ifdef SYSBOXUP_FAULTS

#include "base/buf.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "sysboxup-oplog 1\n"

int faultlog_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd >= 0 && !lseek(fd, 0, SEEK_END) && write(fd, HEAD, strlen(HEAD)) < 0)
		abort();
	return fd;
}

void faultlog_subject(const struct fault_op *op, char *ret, size_t size)
{
	int fd = op->to ? op->to_fd : op->fd;
	const char *name = op->to ? op->to : op->entry;
	char link[64], dir[PATH_MAX] = "";

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = fd >= 0 ? readlink(link, dir, sizeof dir - 1) : 0;
	dir[n > 0 ? n : 0] = '\0';
	snprintf(ret, size, "%s%s%s", dir, name && *name != '/' ? "/" : "", name ? name : "");
}

/* A path in a root begins with a slash, and is meant from its descriptor on. */
static int look(int fd, const char *name, struct stat *ret)
{
	name += fd >= 0 ? strspn(name, "/") : 0;
	return fstatat(fd, name, ret, AT_SYMLINK_NOFOLLOW);
}

void faultlog_before(struct faultlog *l, struct fault_op *op, unsigned long n)
{
	struct stat st;

	l->n = n;
	if (str_eq(op->call, "open"))
		l->made = (op->flags & O_CREAT) && look(op->fd, op->entry, &st);
	if (str_eq(op->call, "write"))
		op->at = lseek(op->fd, 0, SEEK_CUR);
}

static void add_word(struct buf *b, const char *s)
{
	if (!s) {
		buf_adds(b, " -");
		return;
	}
	buf_addc(b, ' ');
	for (const char *p = s; *p; p++)
		if (*p > ' ' && *p < 0x7f && *p != '%' && !str_eq(s, "-"))
			buf_addc(b, *p);
		else
			buf_addf(b, "%%%02X", (unsigned char)*p);
}

static void add_node(struct buf *b, const struct stat *st)
{
	buf_addf(b, " %llu:%llu", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
}

static void add_fd(struct buf *b, int fd, const char *entry)
{
	struct stat st = { 0 };

	if (fd == AT_FDCWD ? stat(".", &st) : fstat(fd, &st))
		st = (struct stat){ 0 };
	add_node(b, &st);
	add_word(b, entry);
}

static void add_line(struct faultlog *l, const struct fault_op *op, const struct stat *node,
		     const struct stat *times, struct buf *b)
{
	static const struct stat none;
	char path[PATH_MAX + 256];

	buf_addf(b, "%lu %s", l->n, str_eq(op->call, "open") && l->made ? "create" : op->call);
	add_fd(b, op->fd, op->entry);
	if (op->to)
		add_fd(b, op->to_fd, op->to);
	else
		buf_adds(b, " 0:0 -");
	add_node(b, op->entry ? node : &none);
	buf_addf(b, " %u %o %u %u %lld %lld.%09ld", op->flags, (unsigned int)op->mode, op->uid,
		 op->gid, (long long)op->at, (long long)times->st_mtim.tv_sec,
		 times->st_mtim.tv_nsec);
	add_word(b, op->attr);
	faultlog_subject(op, path, sizeof(path));
	add_word(b, path);
	buf_addf(b, " %zu\n", op->len);
	buf_add(b, op->data, op->len);
	buf_addc(b, '\n');
}

void faultlog_after(struct faultlog *l, const struct fault_op *op, int ret)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct stat node = { 0 }, times = { 0 };
	int errnum = errno, bad = 0;

	if (str_eq(op->call, "close"))
		return;
	if (str_eq(op->call, "open"))
		bad = fstat(ret, &node);
	else if (op->entry)
		bad = look(op->to ? op->to_fd : op->fd, op->to ? op->to : op->entry, &node);
	if (bad)	/* unlinked */
		node = (struct stat){ 0 };
	if (op->entry || fstat(op->fd, &times))
		times = node;
	add_line(l, op, &node, &times, &b);
	if (write(l->fd, b.data, b.len) != (ssize_t)b.len)
		abort();	/* a recording with a hole in it would lie */
	errno = errnum;
}

#else
typedef int faultlog_is_compiled_out;	/* a translation unit must not be empty */
#endif
