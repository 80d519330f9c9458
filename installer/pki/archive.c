/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/archive.h"

#include "sys/libarchive.h"

enum { BLOCK = 512, RECORD = 20 * BLOCK };

static void writerp(struct archive **a)
{
	if (*a)
		sym_archive_write_free(*a);
}

static void entryp(struct archive_entry **e)
{
	sym_archive_entry_free(*e);
}

static int add_file(struct archive *a, const struct pki_file *f)
{
	struct archive_entry *e CLEANUP(entryp) = sym_archive_entry_new();

	sym_archive_entry_set_pathname(e, f->path);
	sym_archive_entry_set_filetype(e, AE_IFREG);
	sym_archive_entry_set_perm(e, 0600);
	sym_archive_entry_set_size(e, (int64_t)f->data.len);
	return sym_archive_write_header(a, e) == ARCHIVE_OK &&
			       sym_archive_write_data(a, f->data.data, f->data.len) ==
				       (la_ssize_t)f->data.len ?
		       0 :
		       -1;
}

/* Room for all of it at once: growing would leave copies behind. */
static size_t room_for(const struct pki_files *f)
{
	size_t room = 2 * RECORD;

	for (size_t i = 0; i < f->n; i++)
		room += 2 * BLOCK + f->v[i].data.len;
	return room;
}

static int write_into(struct archive *a, const struct pki_files *f, struct buf *ret, size_t room)
{
	size_t used = 0;

	if (sym_archive_write_set_format_ustar(a) || sym_archive_write_add_filter_none(a) ||
	    sym_archive_write_open_memory(a, ret->data + ret->len, room, &used))
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (add_file(a, &f->v[i]))
			return -1;
	if (sym_archive_write_close(a))
		return -1;
	ret->len += used;
	return 0;
}

int archive_make(const struct pki_files *f, struct buf *ret, struct err *err)
{
	size_t room = room_for(f);
	struct archive *a CLEANUP(writerp) = NULL;

	if (libarchive_load(err) < 0)
		return -1;
	a = sym_archive_write_new();
	buf_reserve(ret, room);
	if (!a || write_into(a, f, ret, room))
		return err_set(err, ERR_FAILED, "cannot make the archive: %s",
			       a ? sym_archive_error_string(a) : "no memory");
	return 0;
}
