/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/dpkgnote.h"

#include "base/hex.h"

#include <errno.h>
#include <sys/stat.h>

enum { NOTE_MAX = 1024 * 1024 };

static void set_hex(struct json *obj, const char *key, const struct buf *data)
{
	char *hex CLEANUP(freep) = hex_encode(data);

	json_set_str(obj, key, hex);
}

struct json *note_new(void)
{
	struct json *note = json_obj();

	json_set(note, "files", json_obj());
	return note;
}

void note_set_paragraph(struct json *note, const struct buf *paragraph)
{
	set_hex(note, "paragraph", paragraph);
}

void note_set_file(struct json *note, const char *name, mode_t mode, int64_t mtime,
		   const struct buf *data)
{
	struct json *file = json_obj();

	json_set_i64(file, "mode", mode);
	json_set_i64(file, "mtime", mtime);
	set_hex(file, "data", data);
	json_set(json_get_mut(note, "files"), name, file);
}

/* ---- as dpkg has it ---- */

static int read_file(const struct root *r, const char *entry, const char *name, struct json *note,
		     struct err *err)
{
	char *path CLEANUP(freep) = path_join(DPKG_INFO, entry);
	struct buf data CLEANUP(buf_release) = BUF_INIT;
	struct stat st;

	if (root_stat(r, path, &st))
		return err_errno(err, errno, "cannot look at '%s'", path);
	if (root_read(r, path, NOTE_MAX, &data, err))
		return -1;
	note_set_file(note, name, st.st_mode & 0777, st.st_mtim.tv_sec, &data);
	return 0;
}

static int read_files(const struct root *r, const char *package, struct json *note, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (root_list(r, DPKG_INFO, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		const char *name = dpkgdb_control_name(names.v[i], package);

		if (name && read_file(r, names.v[i], name, note, err))
			return -1;
	}
	return 0;
}

int note_read(const struct root *r, const char *package, struct json **ret, struct err *err)
{
	struct json *note CLEANUP(json_freep) = note_new();
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct stanza s;

	if (dpkgdb_read(r, &status, err) || read_files(r, package, note, err))
		return -1;
	if (dpkgdb_find(&status, package, &s)) {
		struct buf paragraph CLEANUP(buf_release) = BUF_INIT;

		buf_add(&paragraph, s.text, s.len);
		note_set_paragraph(note, &paragraph);
	}
	*ret = STEAL(note);
	return 0;
}

/* ---- looked at ---- */

bool note_known(const struct json *note)
{
	return json_get_str(note, "paragraph") != NULL;
}

static bool paragraph_of(const struct json *note, struct buf *ret, struct stanza *ret_stanza)
{
	const char *hex = json_get_str(note, "paragraph");

	if (!hex || !hex_decode(hex, ret))
		return false;
	*ret_stanza = (struct stanza){ ret->data, ret->len };
	return true;
}

char *note_field(const struct json *note, const char *name)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct stanza s;

	return paragraph_of(note, &text, &s) ? stanza_field(&s, name) : NULL;
}

void note_status(const struct json *note, char **ret_want, char **ret_state)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct stanza s;

	*ret_want = *ret_state = NULL;
	if (paragraph_of(note, &text, &s))
		stanza_status(&s, ret_want, NULL, ret_state);
}

bool note_same_paragraph(const struct json *a, const struct json *b)
{
	char *version[2] = { note_field(a, "Version"), note_field(b, "Version") };
	char *want[2], *state[2];
	bool same;

	note_status(a, &want[0], &state[0]);
	note_status(b, &want[1], &state[1]);
	same = note_known(a) == note_known(b) && str_eq(version[0], version[1]) &&
	       str_eq(state[0], state[1]);
	for (size_t i = 0; i < ARRAY_SIZE(version); i++) {
		free(version[i]);
		free(want[i]);
		free(state[i]);
	}
	return same;
}

static const char *data_of(const struct json *note, const char *name)
{
	return json_get_str(json_get(json_get(note, "files"), name), "data");
}

bool note_same_file(const struct json *a, const struct json *b, const char *name)
{
	return str_eq(data_of(a, name), data_of(b, name));
}

/* ---- in the text of status ---- */

/* With what separates it from the next one, or, where it is the last, from the one before. */
static void take_out(struct buf *status, size_t at, size_t len, size_t joined)
{
	size_t end = at + len;

	if (end < status->len && status->data[end] == '\n')
		end++;
	while (end == status->len && joined && at && status->data[at - 1] == '\n') {
		at--;
		joined--;
	}
	buf_splice(status, at, end - at, "", 0);
}

size_t note_joins(const struct buf *status)
{
	if (!status->len || str_ends(status->data, "\n\n"))
		return 0;
	return str_ends(status->data, "\n") ? 1 : 2;
}

static void append(struct buf *status, const struct buf *paragraph)
{
	for (size_t n = note_joins(status); n > 0; n--)
		buf_addc(status, '\n');
	buf_add(status, paragraph->data, paragraph->len);
	buf_addc(status, '\n');
}

int note_into_status(const struct json *note, const char *package, struct buf *status,
		     size_t joined, struct err *err)
{
	struct buf paragraph CLEANUP(buf_release) = BUF_INIT;
	struct stanza s, ignored;
	bool there = dpkgdb_find(status, package, &s);

	if (note_known(note) && !paragraph_of(note, &paragraph, &ignored))
		return err_set(err, ERR_FAILED, "what dpkg is to note of '%s' was recorded with a text that cannot be read",
			       package);
	if (there && paragraph.len)
		buf_splice(status, (size_t)(s.text - status->data), s.len, paragraph.data,
			   paragraph.len);
	else if (there)
		take_out(status, (size_t)(s.text - status->data), s.len, joined);
	else if (paragraph.len)
		append(status, &paragraph);
	return 0;
}
