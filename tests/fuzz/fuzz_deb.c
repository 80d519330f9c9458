/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/unpack.h, in process. The first byte says what the rest is: a whole package ('w'), the list
 * of conffiles ('c') or the data member of one whose other parts are right. What is accepted keeps
 * every rule of the header, stays within its limit, and gives out each file with the digest and
 * size that it was read with; and what deb_read accepts is the same to deb_list.
 */
#include "base/digest.h"
#include "fetch/unpack.h"
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#define LIMIT (4 * 1024 * 1024)

static void ar_member(struct buf *b, const char *name, const void *data, size_t len)
{
	buf_addf(b, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", len);
	buf_add(b, data, len);
	if (len % 2)
		buf_addc(b, '\n');
}

/* One regular file in ustar form, and the end of the archive. */
static void tar_file(struct buf *b, const char *name, const char *text, size_t len)
{
	static const char zeros[512];
	char head[512] = "";
	unsigned int sum = 0;

	snprintf(head, 100, "%s", name);
	memcpy(head + 100, "0000644\0000000000\0000000000\0", 24);
	snprintf(head + 124, 12, "%011zo", len);
	memcpy(head + 136, "00000000000\0        0", 21);
	memcpy(head + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(head); i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	buf_add(b, head, sizeof(head));
	buf_add(b, text, len);
	buf_add(b, zeros, (sizeof(zeros) - len % sizeof(zeros)) % sizeof(zeros));
}

static void tar_end(struct buf *b)
{
	static const char zeros[1024];

	buf_add(b, zeros, sizeof(zeros));
}

static void wrap(const uint8_t *data, size_t size, bool is_conffiles, struct buf *ret)
{
	static const char text[] = "Package: a\nVersion: 1\nArchitecture: all\n";
	struct buf control CLEANUP(buf_release) = BUF_INIT, none CLEANUP(buf_release) = BUF_INIT;

	tar_file(&control, "./control", text, strlen(text));
	if (is_conffiles)
		tar_file(&control, "./conffiles", (const char *)data, size);
	tar_end(&control);
	tar_end(&none);
	buf_adds(ret, "!<arch>\n");
	ar_member(ret, "debian-binary", "2.0\n", 4);
	ar_member(ret, "control.tar", control.data, control.len);
	ar_member(ret, "data.tar", is_conffiles ? (const uint8_t *)none.data : data,
		  is_conffiles ? none.len : size);
}

static void check_path(const char *path)
{
	must(*path == '/');
	must(!strstr(path, "//") && !strstr(path, "/../") && !str_ends(path, "/.."));
	must(!strstr(path, "/./") && !str_ends(path, "/."));
	must(!path[1] || !str_ends(path, "/"));
}

static void check_conffiles(const struct deb *d)
{
	for (size_t i = 0; i < d->conffiles.n; i++) {
		const char *path = d->conffiles.v[i];

		must(*path == '/' && !strchr(path, '\n'));
		for (size_t k = 0; k < i && d->conffiles.n < 64; k++)
			must(!str_eq(path, d->conffiles.v[k]));
	}
}

static void check_rules(const struct deb *d, bool listed)
{
	uint64_t sum = 0;

	must(d->n <= (listed ? 100000 : 10000));
	must(!str_empty(d->control.package) && !str_empty(d->control.version));
	check_conffiles(d);
	for (size_t i = 0; i < d->n; i++) {
		const struct deb_member *m = &d->v[i];

		check_path(m->path);
		must(!(m->mode & ~(listed ? 07777u : 01777u)) &&
		     strchr(listed ? "fdlh" : "fdl", m->type));
		must((m->type == 'l' || m->type == 'h') == (m->target != NULL));
		must(m->type == 'h' ? deb_find(d, m->path)->type == 'f' :
				      deb_find(d, m->path) == m);
		must(m->type != 'f' || digest_valid(m->sha256));
		sum += m->size;
		for (size_t k = 0; k < i && d->n < 64; k++)
			must(!str_eq(m->path, d->v[k].path));
	}
	must(sum <= LIMIT);
}

struct out {
	int fd;
	const struct deb_member *m;
	size_t files;
};

static void check_last(struct out *o)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char block[65536], hex[DIGEST_HEX + 1];
	ssize_t n;

	if (!o->m)
		return;
	for (off_t at = 0; (n = pread(o->fd, block, sizeof(block), at)) > 0; at += n)
		buf_add(&text, block, (size_t)n);
	digest_hex(text.data, text.len, hex);
	must(str_eq(hex, o->m->sha256) && text.len == o->m->size);
	o->m = NULL;
}

static int open_member(void *user, const struct deb_member *m)
{
	struct out *o = user;

	check_last(o);
	must(!ftruncate(o->fd, 0) && !lseek(o->fd, 0, SEEK_SET));
	o->m = m;
	o->files++;
	return o->fd;
}

static void check_extract(const struct deb *d, int fd)
{
	static int out = -1;
	struct out o = { out < 0 ? out = memfd_create("out", MFD_CLOEXEC) : out, NULL, 0 };
	size_t files = 0;

	must(!deb_extract_all(d, fd, open_member, &o, NULL));
	check_last(&o);
	for (size_t i = 0; i < d->n; i++)
		files += d->v[i].type == 'f';
	must(o.files == files);
}

static bool check_list(struct deb *ret, int fd)
{
	struct err err = ERR_INIT;

	if (deb_list(ret, fd, "fuzz", LIMIT, &err) < 0) {
		must_be_said(&err);
		must(!ret->n && !ret->control.package && !ret->conffiles.n);
		return false;
	}
	check_rules(ret, true);
	return true;
}

static void check_equal(const struct deb *a, const struct deb *b)
{
	must(a->n == b->n && a->conffiles.n == b->conffiles.n);
	for (size_t i = 0; i < a->n; i++)
		must(str_eq(a->v[i].path, b->v[i].path) && str_eq(a->v[i].sha256, b->v[i].sha256));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct deb d CLEANUP(deb_release) = { 0 }, listed CLEANUP(deb_release) = { 0 };
	struct err err = ERR_INIT;

	if (!size)
		return 0;
	if (fd < 0)
		fd = memfd_create("in", MFD_CLOEXEC);
	if (data[0] == 'w')
		buf_add(&in, data + 1, size - 1);
	else
		wrap(data + 1, size - 1, data[0] == 'c', &in);
	must(!ftruncate(fd, 0) && pwrite(fd, in.data, in.len, 0) == (ssize_t)in.len);
	bool is_listed = check_list(&listed, fd);
	if (deb_read(&d, fd, "fuzz", LIMIT, &err) < 0) {
		must_be_said(&err);
		must(!d.n && !d.control.package);
		return 0;
	}
	must(is_listed);
	check_equal(&d, &listed);
	check_rules(&d, false);
	check_extract(&d, fd);
	return 0;
}
