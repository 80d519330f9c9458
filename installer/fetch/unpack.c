/* SPDX-License-Identifier: Apache-2.0 */
/* A .deb is an ar archive of two tar archives: libarchive runs twice, the inner one reading what
 * the outer one gives. */
#include "fetch/unpack.h"

#include "base/digest.h"
#include "fetch/control.h"
#include "sys/io.h"
#include "sys/libarchive.h"

#include <errno.h>
#include <unistd.h>

#define MAX_PATH 4096
#define CONTROL_MAX (1024 * 1024)
#define BLOCK (16 * 1024)

/* What a package may have. One of the catalog is unpacked by us, too (method "files"). */
struct rules {
	size_t members;
	bool set_id, hard_links;
};

static const struct rules of_catalog = { .members = 10000 },
			  of_dpkg = { .members = 100000, .set_id = true, .hard_links = true };

struct reader {
	const char *what;
	const struct rules *rules;
	int fd;
	off_t at;			/* own position: the descriptor's is shared with its other users */
	struct archive *outer, *inner;
	uint64_t left;			/* bytes that may still be unpacked */
	size_t members;
	struct err *err;
	char raw[BLOCK], unpacked[BLOCK];
};

static int refuse(struct reader *r, const char *path, const char *why)
{
	char shown[256];

	err_quote(shown, sizeof(shown), path);
	return err_set(r->err, ERR_REFUSED, "%s is refused: member '%s' %s", r->what, shown, why);
}

static int broken(struct reader *r, const char *why)
{
	return err_set(r->err, ERR_REFUSED, "%s is not an intact Debian package: %s", r->what, why);
}

static int broken_archive(struct reader *r, struct archive *a)
{
	char shown[256];

	err_quote(shown, sizeof(shown),
		  sym_archive_error_string(a) ? sym_archive_error_string(a) : "damaged");
	return broken(r, shown);
}

/* --- the two archives --- */

static la_ssize_t read_file(struct archive *a, void *user, const void **ret_block)
{
	struct reader *r = user;
	ssize_t n;

	do
		n = pread(r->fd, r->raw, sizeof(r->raw), r->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		sym_archive_set_error(a, errno, "cannot be read");
	else
		r->at += n;
	*ret_block = r->raw;
	return n;
}

static la_ssize_t read_outer(struct archive *a, void *user, const void **ret_block)
{
	struct reader *r = user;
	la_ssize_t n = sym_archive_read_data(r->outer, r->unpacked, sizeof(r->unpacked));

	if (n < 0)
		sym_archive_set_error(a, EIO, "%s", sym_archive_error_string(r->outer));
	*ret_block = r->unpacked;
	return n;
}

static void reader_free(struct reader **rp)
{
	if (!*rp)
		return;
	sym_archive_read_free((*rp)->inner);
	sym_archive_read_free((*rp)->outer);
	free(*rp);
}

/* NULL: libarchive cannot be loaded. */
static struct reader *reader_new(int fd, const char *what, const struct rules *rules,
				 uint64_t max_bytes, struct err *err)
{
	struct reader *r;

	if (libarchive_load(err) < 0)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->what = what;
	r->rules = rules;
	r->fd = fd;
	r->left = max_bytes;
	r->err = err;
	r->outer = sym_archive_read_new();
	sym_archive_read_support_format_ar(r->outer);
	return r;
}

static int open_outer(struct reader *r)
{
	if (sym_archive_read_open(r->outer, r, NULL, read_file, NULL) != ARCHIVE_OK)
		return broken_archive(r, r->outer);
	return 0;
}

/* The next member of the ar archive; names that begin with '_' are for others (deb(5)). */
static int next_outer(struct reader *r, const char **ret_name)
{
	struct archive_entry *e;

	do {
		int rc = sym_archive_read_next_header(r->outer, &e);

		if (rc == ARCHIVE_EOF)
			return broken(r, "a part of it is missing");
		if (rc != ARCHIVE_OK)
			return broken_archive(r, r->outer);
		*ret_name = sym_archive_entry_pathname(e);
	} while (*ret_name && **ret_name == '_');
	return *ret_name ? 0 : broken(r, "a part of it has no name");
}

static int open_inner(struct reader *r, const char *stem)
{
	static const char *const suffixes[] = { ".tar", ".tar.gz", ".tar.xz", ".tar.zst" };
	const char *name;
	bool known = false;

	if (next_outer(r, &name) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		known |= str_starts(name, stem) && str_eq(name + strlen(stem), suffixes[i]);
	if (!known)
		return refuse(r, name, "is not what belongs there");
	sym_archive_read_free(r->inner);
	r->inner = sym_archive_read_new();
	sym_archive_read_support_format_tar(r->inner);
	sym_archive_read_support_filter_gzip(r->inner);
	sym_archive_read_support_filter_xz(r->inner);
	sym_archive_read_support_filter_zstd(r->inner);
	if (sym_archive_read_open(r->inner, r, NULL, read_outer, NULL) != ARCHIVE_OK)
		return broken_archive(r, r->inner);
	return 0;
}

/* "debian-binary" comes first and says 2.x: another major number is another format. */
static int check_format(struct reader *r)
{
	const char *name;
	char text[8] = "";

	if (next_outer(r, &name) < 0)
		return -1;
	if (!str_eq(name, "debian-binary") ||
	    sym_archive_read_data(r->outer, text, sizeof(text) - 1) < 0)
		return broken(r, "it does not begin with debian-binary");
	if (!str_starts(text, "2."))
		return broken(r, "its format is not 2.x");
	return 0;
}

/* --- members --- */

static int too_much(struct reader *r)
{
	return err_set(r->err, ERR_REFUSED, "%s is refused: it unpacks to more than is allowed", r->what);
}

static bool path_printable(const char *p)
{
	for (; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

/* "./usr/bin/" becomes "/usr/bin". Nothing that would have to be resolved is accepted. */
static int normalise(struct reader *r, const char *raw, char **ret)
{
	struct strv parts CLEANUP(strv_release) = STRV_INIT;
	struct buf path CLEANUP(buf_release) = BUF_INIT;

	if (!raw || !*raw || strlen(raw) > MAX_PATH || !path_printable(raw))
		return refuse(r, raw ? raw : "", "has no usable name");
	if (*raw == '/')
		return refuse(r, raw, "has an absolute path");
	str_split(&parts, raw, '/');
	for (size_t i = 0; i < parts.n; i++) {
		const char *part = parts.v[i];

		if (str_eq(part, ".."))
			return refuse(r, raw, "leads out with '..'");
		if ((str_eq(part, ".") && i == 0) || (!*part && i == parts.n - 1))
			continue;
		if (!*part || str_eq(part, "."))
			return refuse(r, raw, "has an unusual path");
		buf_addf(&path, "/%s", part);
	}
	*ret = path.len ? buf_detach(&path) : xstrdup("/");
	return 0;
}

static void member_release(struct deb_member *m)
{
	free(m->path);
	free(m->target);
	*m = (struct deb_member){ 0 };
}

static int member_type(struct reader *r, struct archive_entry *e, const char *raw, char *ret)
{
	if (sym_archive_entry_hardlink(e) && !r->rules->hard_links)
		return refuse(r, raw, "is a hard link");
	if (sym_archive_entry_hardlink(e))
		*ret = 'h';
	else if (sym_archive_entry_filetype(e) == AE_IFREG)
		*ret = 'f';
	else if (sym_archive_entry_filetype(e) == AE_IFDIR)
		*ret = 'd';
	else if (sym_archive_entry_filetype(e) == AE_IFLNK)
		*ret = 'l';
	else
		return refuse(r, raw, "is a device, a pipe or a socket");
	return 0;
}

static int member_target(struct reader *r, struct archive_entry *e, const char *raw,
			 struct deb_member *m)
{
	if (m->type == 'h')
		return normalise(r, sym_archive_entry_hardlink(e), &m->target);
	if (m->type != 'l')
		return 0;
	m->target = xstrdup(sym_archive_entry_symlink(e));
	if (str_empty(m->target) || strlen(m->target) > MAX_PATH || !path_printable(m->target))
		return refuse(r, raw, "links to nothing usable");
	return 0;
}

static int member_read(struct reader *r, struct archive_entry *e, struct deb_member *ret)
{
	struct deb_member m CLEANUP(member_release) = { 0 };
	const char *raw = sym_archive_entry_pathname(e);

	if (normalise(r, raw, &m.path) < 0 || member_type(r, e, raw, &m.type) < 0)
		return -1;
	if (m.type != 'd' && str_eq(m.path, "/"))
		return refuse(r, raw, "is no directory");
	m.mode = sym_archive_entry_perm(e) & 07777;
	if ((m.mode & 06000) && !r->rules->set_id)
		return refuse(r, raw, "is set-id");
	if (member_target(r, e, raw, &m) < 0)
		return -1;
	if (m.type == 'f')
		m.size = (uint64_t)sym_archive_entry_size(e);
	if (m.size > r->left)	/* said before a byte of it is unpacked */
		return too_much(r);
	*ret = m;
	m = (struct deb_member){ 0 };
	return 0;
}

/* 0, or 1 at the end. */
static int next_member(struct reader *r, struct deb_member *ret)
{
	struct archive_entry *e;
	int rc = sym_archive_read_next_header(r->inner, &e);

	if (rc == ARCHIVE_EOF)
		return 1;
	if (rc != ARCHIVE_OK)
		return broken_archive(r, r->inner);
	if (++r->members > r->rules->members)
		return err_set(r->err, ERR_REFUSED, "%s is refused: more than %zu members", r->what,
			       r->rules->members);
	return member_read(r, e, ret);
}

/* The whole content of the current member, as often as there is some. sink returns 0 or -1. */
static int read_content(struct reader *r, int (*sink)(void *user, const void *data, size_t len),
			void *user)
{
	char block[BLOCK];
	la_ssize_t n;

	while ((n = sym_archive_read_data(r->inner, block, sizeof(block))) > 0) {
		if ((uint64_t)n > r->left)
			return too_much(r);
		r->left -= (uint64_t)n;
		if (sink(user, block, (size_t)n) < 0)
			return -1;
	}
	return n < 0 ? broken_archive(r, r->inner) : 0;
}

static int sink_digest(void *user, const void *data, size_t len)
{
	digest_add(user, data, len);
	return 0;
}

static int hash_content(struct reader *r, struct deb_member *m)
{
	struct digest *hash CLEANUP(digest_freep) = digest_new();

	if (read_content(r, sink_digest, hash) < 0)
		return -1;
	digest_end(STEAL(hash), m->sha256);
	return 0;
}

/* --- control.tar --- */

static int sink_text(void *user, const void *data, size_t len)
{
	buf_add(user, data, len);
	return 0;
}

/* Scripts are read too, for nothing but the limit: dpkg will unpack them. */
static int sink_nothing(void *user, const void *data, size_t len)
{
	return 0;
}

struct control_part {
	struct buf control, conffiles;
};

static void control_part_release(struct control_part *p)
{
	buf_release(&p->control);
	buf_release(&p->conffiles);
}

static struct buf *text_of(struct control_part *p, const struct deb_member *m)
{
	if (m->type != 'f')
		return NULL;
	return str_eq(m->path, "/control")   ? &p->control :
	       str_eq(m->path, "/conffiles") ? &p->conffiles :
					       NULL;
}

static int read_control_member(struct reader *r, const struct deb_member *m, struct control_part *p)
{
	struct buf *text = text_of(p, m);

	if (m->target)
		return refuse(r, m->path, "is a link among the control files");
	if (!text)
		return read_content(r, sink_nothing, NULL);
	if (text->len)
		return refuse(r, m->path, "is there twice");
	if (m->size > CONTROL_MAX)
		return refuse(r, m->path, "is too large");
	return read_content(r, sink_text, text);
}

static int parse_control(struct reader *r, const struct control_part *p, struct deb *d)
{
	if (control_parse(&d->control, p->control.data, p->control.len, r->what, r->err) < 0)
		return -1;
	return conffiles_parse(&d->conffiles, p->conffiles.data, p->conffiles.len, r->what, r->err);
}

static int read_control(struct reader *r, struct deb *d)
{
	struct control_part p CLEANUP(control_part_release) = { BUF_INIT, BUF_INIT };
	int rc;

	if (open_inner(r, "control") < 0)
		return -1;
	for (;;) {
		struct deb_member m CLEANUP(member_release) = { 0 };

		rc = next_member(r, &m);
		if (rc)
			break;
		if (read_control_member(r, &m, &p) < 0)
			return -1;
	}
	return rc < 0 ? -1 : parse_control(r, &p, d);
}

/* --- data.tar --- */

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct deb_member *const *)a)->path,
		      (*(struct deb_member *const *)b)->path);
}

static const struct deb_member *sorted_find(const struct deb *d, const char *path)
{
	struct deb_member key = { .path = (char *)path }, *keyp = &key, **found;

	found = d->n ? bsearch(&keyp, d->sorted, d->n, sizeof(struct deb_member *), by_path) : NULL;
	return found ? *found : NULL;
}

const struct deb_member *deb_find(const struct deb *d, const char *path)
{
	const struct deb_member *m = sorted_find(d, path);

	return m && m->type == 'h' ? sorted_find(d, m->target) : m;
}

/* No member lies below one that is no directory, whichever comes first. */
static int check_parents(struct reader *r, const struct deb *d, const struct deb_member *m)
{
	char *parent CLEANUP(freep) = path_dirname(m->path);

	while (strlen(parent) > 1) {
		const struct deb_member *p = sorted_find(d, parent);
		char *up = path_dirname(parent);

		if (p && p->type != 'd') {
			free(up);
			return refuse(r, m->path, "lies behind a member that is no directory");
		}
		free(parent);
		parent = up;
	}
	return 0;
}

/* A hard link is one to a file, and not by way of another. */
static int check_member(struct reader *r, const struct deb *d, const struct deb_member *m)
{
	const struct deb_member *file = m->type == 'h' ? sorted_find(d, m->target) : NULL;

	if (m->type == 'h' && (!file || file->type != 'f'))
		return refuse(r, m->path, "links to nothing usable");
	return check_parents(r, d, m);
}

static int check_paths(struct reader *r, struct deb *d)
{
	d->sorted = xcalloc(d->n + 1, sizeof(struct deb_member *));
	for (size_t i = 0; i < d->n; i++)
		d->sorted[i] = &d->v[i];
	qsort(d->sorted, d->n, sizeof(struct deb_member *), by_path);
	for (size_t i = 1; i < d->n; i++)
		if (str_eq(d->sorted[i - 1]->path, d->sorted[i]->path))
			return refuse(r, d->sorted[i]->path, "is there twice");
	for (size_t i = 0; i < d->n; i++)
		if (check_member(r, d, &d->v[i]) < 0)
			return -1;
	return 0;
}

static int read_data(struct reader *r, struct deb *d)
{
	size_t cap = 0;
	int rc;

	if (open_inner(r, "data") < 0)
		return -1;
	for (;;) {
		struct deb_member m = { 0 };

		rc = next_member(r, &m);
		if (rc)
			break;
		if (d->n == cap) {
			cap = cap ? cap * 2 : 64;
			d->v = xreallocarray(d->v, cap, sizeof(*d->v));
		}
		d->v[d->n++] = m;
		if (m.type == 'f' && hash_content(r, &d->v[d->n - 1]) < 0)
			return -1;
	}
	return rc < 0 ? -1 : check_paths(r, d);
}

static int read_all(struct deb *ret, struct reader *r)
{
	struct deb d CLEANUP(deb_release) = { 0 };

	if (open_outer(r) < 0 || check_format(r) < 0 || read_control(r, &d) < 0 ||
	    read_data(r, &d) < 0)
		return -1;
	*ret = d;
	d = (struct deb){ 0 };
	return 0;
}

int deb_read(struct deb *ret, int fd, const char *what, uint64_t max_bytes, struct err *err)
{
	struct reader *r CLEANUP(reader_free) = reader_new(fd, what, &of_catalog, max_bytes, err);

	return r ? read_all(ret, r) : -1;
}

int deb_list(struct deb *ret, int fd, const char *what, uint64_t max_bytes, struct err *err)
{
	struct reader *r CLEANUP(reader_free) = reader_new(fd, what, &of_dpkg, max_bytes, err);

	return r ? read_all(ret, r) : -1;
}

void deb_release(struct deb *d)
{
	control_release(&d->control);
	strv_release(&d->conffiles);
	for (size_t i = 0; i < d->n; i++)
		member_release(&d->v[i]);
	free(d->v);
	free(d->sorted);
	*d = (struct deb){ 0 };
}

/* --- extraction --- */

struct output {
	struct reader *r;
	const struct deb_member *m;
	int fd;
	struct digest *hash;
};

static int sink_write(void *user, const void *data, size_t len)
{
	struct output *o = user;

	digest_add(o->hash, data, len);
	if (io_write_all(o->fd, data, len) < 0)
		return err_errno(o->r->err, errno, "cannot unpack '%s'", o->m->path);
	return 0;
}

static int extract_one(struct reader *r, const struct deb_member *m, int out_fd)
{
	struct output o = { r, m, out_fd, digest_new() };
	char hex[DIGEST_HEX + 1];
	int rc = read_content(r, sink_write, &o);

	digest_end(o.hash, hex);
	if (rc < 0)
		return -1;
	if (!str_eq(hex, m->sha256))
		return broken(r, "it changed while it was in use");
	return 0;
}

/* Member i must be what deb_read saw there: the rules were checked then. */
static int extract_members(struct reader *r, const struct deb *d,
			   int (*open_member)(void *user, const struct deb_member *m), void *user)
{
	for (size_t i = 0;; i++) {
		struct deb_member m CLEANUP(member_release) = { 0 };
		int rc = next_member(r, &m);

		if (rc < 0)
			return -1;
		if (rc > 0)
			return i == d->n ? 0 : broken(r, "it changed while it was in use");
		if (i >= d->n || !str_eq(m.path, d->v[i].path) || m.type != d->v[i].type)
			return broken(r, "it changed while it was in use");
		int out = m.type == 'f' ? open_member(user, &d->v[i]) : -1;

		if (out >= 0 && extract_one(r, &d->v[i], out) < 0)
			return -1;
	}
}

int deb_extract_all(const struct deb *d, int fd,
		    int (*open_member)(void *user, const struct deb_member *m), void *user,
		    struct err *err)
{
	struct reader *r CLEANUP(reader_free) =
		reader_new(fd, "the package", &of_catalog, UINT64_MAX, err);

	if (!r || open_outer(r) < 0 || check_format(r) < 0 || open_inner(r, "control") < 0 ||
	    open_inner(r, "data") < 0)
		return -1;
	return extract_members(r, d, open_member, user);
}

struct wanted {
	const char *path;
	int fd;
	bool found;
};

static int open_wanted(void *user, const struct deb_member *m)
{
	struct wanted *w = user;

	if (!str_eq(w->path, m->path))
		return -1;
	w->found = true;
	return w->fd;
}

int deb_extract(const struct deb *d, int fd, const char *path, int out_fd, struct err *err)
{
	struct wanted w = { path, out_fd, false };

	if (deb_extract_all(d, fd, open_wanted, &w, err) < 0)
		return -1;
	return w.found ? 0 : err_set(err, ERR_FAILED, "the package holds no file '%s'", path);
}

/* --- the control part, as it is --- */

int deb_control_files(int fd,
		      int (*take)(void *user, const struct deb_member *m, const struct buf *text,
				  struct err *err),
		      void *user, struct err *err)
{
	struct reader *r CLEANUP(reader_free) =
		reader_new(fd, "the package", &of_catalog, DEB_UNPACKED_MAX, err);

	if (!r || open_outer(r) < 0 || check_format(r) < 0 || open_inner(r, "control") < 0)
		return -1;
	for (;;) {
		struct deb_member m CLEANUP(member_release) = { 0 };
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		int rc = next_member(r, &m);

		if (rc)
			return rc < 0 ? -1 : 0;
		if (m.type != 'f')
			continue;
		if (m.size > CONTROL_MAX)
			return refuse(r, m.path, "is too large");
		if (read_content(r, sink_text, &text) < 0 || take(user, &m, &text, err))
			return -1;
	}
}
