/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/part.h"

#include "sys/fs.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#define META_MAX 512
#define READ_SIZE (64 * 1024)

/* Locked, ours alone, and still what the name stands for: another process may just have published
 * it. */
static int open_once(struct part *p, struct err *err)
{
	struct stat st, named;

	p->fd = io_openat(p->dirfd, p->temp, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (p->fd < 0 && errno != ELOOP && errno != EISDIR)
		return err_errno(err, errno, "cannot write '%s'", p->temp);
	if (p->fd >= 0 && !fstat(p->fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1) {
		if (io_flock(p->fd, LOCK_EX | LOCK_NB) < 0)
			return err_set(err, ERR_LOCKED, "another process is downloading '%s'",
				       p->name);
		if (!fstatat(p->dirfd, p->temp, &named, AT_SYMLINK_NOFOLLOW) &&
		    named.st_ino == st.st_ino) {
			p->len = (uint64_t)st.st_size;
			return 0;
		}
	} else if (fs_remove_tree(p->dirfd, p->temp, err) < 0) {
		return -1;
	}
	closep(&p->fd);
	p->fd = -1;
	return 1;
}

static int hash_existing(struct part *p, struct err *err)
{
	char *block CLEANUP(freep) = xmalloc(READ_SIZE);
	uint64_t at = 0;

	while (at < p->len) {
		ssize_t n = pread(p->fd, block, READ_SIZE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, n ? errno : EIO, "cannot read '%s'", p->temp);
		digest_add(p->hash, block, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

static void read_meta(struct part *p)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (fs_read_at(p->dirfd, p->meta, META_MAX, &text, NULL) == 0)
		part_set_etag(p, str_trim(text.data));
}

int part_open(struct part *ret, int dirfd, const char *name, bool resume, struct err *err)
{
	struct part p CLEANUP(part_release) = PART_INIT;
	int rc = 1;

	p.dirfd = dirfd;
	p.name = xstrdup(name);
	p.temp = xasprintf("%s.part", name);
	p.meta = xasprintf("%s.meta", name);
	for (int tries = 0; rc == 1 && tries < 8; tries++)
		rc = open_once(&p, err);
	if (rc == 1)
		return err_set(err, ERR_FAILED, "cannot write '%s': somebody else keeps changing it", p.temp);
	if (rc < 0)
		return -1;
	p.hash = digest_new();
	if (!resume && part_restart(&p, err) < 0)
		return -1;
	if (p.len) {
		p.resumed = true;
		read_meta(&p);
		if (hash_existing(&p, err) < 0)
			return -1;
	}
	*ret = p;
	p = (struct part)PART_INIT;
	return 0;
}

int part_write(struct part *p, const void *data, size_t len, struct err *err)
{
	if (io_pwrite_all(p->fd, data, len, (off_t)p->len) < 0)
		return err_errno(err, errno, "cannot write '%s'", p->temp);
	digest_add(p->hash, data, len);
	p->len += len;
	return 0;
}

int part_restart(struct part *p, struct err *err)
{
	if (io_ftruncate(p->fd, 0) < 0)
		return err_errno(err, errno, "cannot write '%s'", p->temp);
	digest_freep(&p->hash);
	p->hash = digest_new();
	p->len = 0;
	p->resumed = false;
	part_set_etag(p, NULL);
	return 0;
}

/* Only a strong validator of reasonable length may stand in If-Range (RFC 9110 13.1.5). */
void part_set_etag(struct part *p, const char *etag)
{
	bool usable = etag && strlen(etag) < META_MAX && *etag == '"' && str_ends(etag + 1, "\"") &&
		      !strpbrk(etag, "\r\n");

	str_replace(&p->etag, usable ? etag : NULL);
}

void part_digest(struct part *p, char hex[DIGEST_HEX + 1])
{
	digest_end(STEAL(p->hash), hex);
}

/* Opened anew because the other descriptor can write, and compared because a name can change
 * hands. */
static int reopen(struct part *p, int *ret_fd, struct err *err)
{
	struct stat mine, named;
	int fd CLEANUP(closep) = io_open_read(p->dirfd, p->name, O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &named) < 0 || fstat(p->fd, &mine) < 0)
		return err_errno(err, errno, "cannot open '%s'", p->name);
	if (named.st_ino != mine.st_ino || named.st_dev != mine.st_dev)
		return err_set(err, ERR_FAILED, "'%s' was changed by somebody else", p->name);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int part_publish(struct part *p, int *ret_fd, struct err *err)
{
	if (io_fchmod(p->fd, 0644) < 0 || io_fsync(p->fd) < 0 ||
	    io_renameat2(p->dirfd, p->temp, p->dirfd, p->name, 0) < 0)
		return err_errno(err, errno, "cannot write '%s'", p->name);
	if (fs_unlink(p->dirfd, p->meta, err) < 0 || fs_sync_dir(p->dirfd, err) < 0)
		return -1;
	return reopen(p, ret_fd, err);
}

void part_keep(struct part *p)
{
	if (!p->len) {
		part_drop(p);
		return;
	}
	if (p->etag)
		fs_put(p->dirfd, p->meta, 0600, p->etag, strlen(p->etag), NULL);
	else
		fs_unlink(p->dirfd, p->meta, NULL);
}

void part_drop(struct part *p)
{
	fs_unlink(p->dirfd, p->meta, NULL);
	fs_unlink(p->dirfd, p->temp, NULL);
}

void part_release(struct part *p)
{
	closep(&p->fd);
	free(p->name);
	free(p->temp);
	free(p->meta);
	free(p->etag);
	digest_freep(&p->hash);
	*p = (struct part)PART_INIT;
}
