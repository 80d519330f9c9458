/* SPDX-License-Identifier: Apache-2.0 */
/* The ar archive around the two tar archives is written by hand: libarchive wants the size of each
 * member beforehand, and it is known when the member is packed. */
#include "fetch/pack.h"

#include "base/str.h"
#include "sys/io.h"
#include "sys/libarchive.h"

#include <errno.h>
#include <stdio.h>

#define AR_MAGIC "!<arch>\n"
#define BLOCK (256 * 1024)

enum { AR_HEADER = 60, AR_SIZE_AT = 48, AR_SIZE_LEN = 10 };

struct deb_pack {
	int fd;
	int64_t when;
	struct archive *tar;		/* of the part that is being written, or NULL */
	uint64_t at, part;		/* where we are, and where the part began */
	int errnum;			/* of a write that failed below libarchive */
	bool given_up;
};

static int failed(struct deb_pack *p, struct err *err)
{
	if (p->errnum)
		return err_errno(err, p->errnum, "cannot write the package");
	const char *why = p->tar ? sym_archive_error_string(p->tar) : NULL;
	return err_set(err, ERR_FAILED, "cannot write the package: %s", why ? why : "?");
}

static int put(struct deb_pack *p, const void *data, size_t len)
{
	if (io_write_all(p->fd, data, len)) {
		p->errnum = errno;
		return -1;
	}
	p->at += len;
	return 0;
}

static la_ssize_t write_part(struct archive *a, void *user, const void *data, size_t len)
{
	struct deb_pack *p = user;

	/* what is given up is closed all the same: libarchive frees nothing else */
	if (p->given_up || !put(p, data, len))
		return (la_ssize_t)len;
	sym_archive_set_error(a, p->errnum, "cannot be written");
	return -1;
}

/* Sizes of what is not written yet are 0, and put in when it is. */
static int begin_member(struct deb_pack *p, const char *name, uint64_t size)
{
	char header[AR_HEADER + 1];

	snprintf(header, sizeof(header), "%-16s%-12lld%-6d%-6d%-8s%-10llu`\n", name,
		 (long long)p->when, 0, 0, "100644", (unsigned long long)size);
	return put(p, header, AR_HEADER);
}

int deb_pack_open(struct deb_pack **ret, int fd, int64_t when, struct err *err)
{
	static const char version[] = "2.0\n";
	struct deb_pack *p CLEANUP(deb_pack_freep) = NULL;

	if (libarchive_load(err) < 0)
		return -1;
	p = xcalloc(1, sizeof(*p));
	p->fd = fd;
	p->when = when;
	if (put(p, AR_MAGIC, strlen(AR_MAGIC)) ||
	    begin_member(p, "debian-binary", strlen(version)) || put(p, version, strlen(version)))
		return failed(p, err);
	*ret = STEAL(p);
	return 0;
}

/* GNU's format, for dpkg reads no pax headers; and none of its blocks behind the end. */
static bool open_tar(struct deb_pack *p)
{
	struct archive *a = p->tar;

	return a && !sym_archive_write_set_format_gnutar(a) &&
	       !sym_archive_write_add_filter_gzip(a) &&
	       !sym_archive_write_set_filter_option(a, "gzip", "compression-level", "1") &&
	       !sym_archive_write_set_filter_option(a, "gzip", "timestamp", NULL) &&
	       !sym_archive_write_set_bytes_per_block(a, BLOCK) &&
	       !sym_archive_write_set_bytes_in_last_block(a, 1) &&
	       !sym_archive_write_open(a, p, NULL, write_part, NULL);
}

static int end_part(struct deb_pack *p, struct err *err)
{
	char size[AR_SIZE_LEN + 1];
	uint64_t len;

	if (sym_archive_write_close(p->tar))
		return failed(p, err);
	sym_archive_write_free(STEAL(p->tar));
	len = p->at - p->part;
	snprintf(size, sizeof(size), "%-10llu", (unsigned long long)len);
	if (io_pwrite_all(p->fd, size, AR_SIZE_LEN, (off_t)(p->part - AR_HEADER + AR_SIZE_AT))) {
		p->errnum = errno;
		return failed(p, err);
	}
	return len % 2 && put(p, "\n", 1) ? failed(p, err) : 0;
}

int deb_pack_part(struct deb_pack *p, const char *stem, struct err *err)
{
	char *name CLEANUP(freep) = xasprintf("%s.tar.gz", stem);

	if (p->tar && end_part(p, err))
		return -1;
	if (begin_member(p, name, 0))
		return failed(p, err);
	p->part = p->at;
	p->tar = sym_archive_write_new();
	return open_tar(p) ? 0 : failed(p, err);
}

static void entryp(struct archive_entry **e)
{
	sym_archive_entry_free(*e);
}

/* "./usr/bin/x"; a directory ends in a slash, which libarchive adds. */
static char *dotted(const char *path)
{
	return str_eq(path, "/") ? xstrdup(".") : xasprintf(".%s", path);
}

static void fill(struct archive_entry *e, const struct pack_member *m)
{
	char *path CLEANUP(freep) = dotted(m->path);
	char *first CLEANUP(freep) = m->type == 'h' ? dotted(m->target) : NULL;

	sym_archive_entry_set_pathname(e, path);
	sym_archive_entry_set_filetype(e, m->type == 'd' ? AE_IFDIR :
				      m->type == 'l' ? AE_IFLNK :
						       AE_IFREG);
	sym_archive_entry_set_perm(e, m->mode);
	sym_archive_entry_set_uid(e, m->uid);
	sym_archive_entry_set_gid(e, m->gid);
	sym_archive_entry_set_mtime(e, m->mtime, 0);
	sym_archive_entry_set_size(e, m->type == 'f' ? (la_int64_t)m->size : 0);
	if (m->type == 'l')
		sym_archive_entry_set_symlink(e, m->target);
	if (first)
		sym_archive_entry_set_hardlink(e, first);
}

int deb_pack_add(struct deb_pack *p, const struct pack_member *m, struct err *err)
{
	struct archive_entry *e CLEANUP(entryp) = sym_archive_entry_new();

	fill(e, m);
	return sym_archive_write_header(p->tar, e) ? failed(p, err) : 0;
}

int deb_pack_content(struct deb_pack *p, const void *data, size_t len, struct err *err)
{
	return sym_archive_write_data(p->tar, data, len) == (la_ssize_t)len ? 0 : failed(p, err);
}

int deb_pack_close(struct deb_pack *p, struct err *err)
{
	return end_part(p, err);
}

void deb_pack_freep(struct deb_pack **p)
{
	if (*p) {
		(*p)->given_up = true;
		sym_archive_write_free((*p)->tar);
	}
	free(STEAL(*p));
}
