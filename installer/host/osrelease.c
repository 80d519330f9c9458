/* SPDX-License-Identifier: Apache-2.0 */
#include "host/osrelease.h"

#include <stddef.h>

#define OSRELEASE_MAX (64 * 1024)	/* bytes */

struct reader {
	const char *at, *end;
	unsigned int line;
};

static bool is_newline(char c) { return c == '\n' || c == '\r'; }
static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool is_key(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

static char take(struct reader *r)
{
	r->line += *r->at == '\n';
	return *r->at++;
}

static void skip_line(struct reader *r)
{
	while (r->at < r->end && !is_newline(*r->at))
		r->at++;
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
}

/* NAME=, or the rest of the line is of no interest. */
static bool read_key(struct reader *r, struct buf *key)
{
	buf_clear(key);
	while (r->at < r->end && is_key(*r->at, !key->len))
		buf_addc(key, take(r));
	if (key->len && r->at < r->end && *r->at == '=') {
		r->at++;
		return true;
	}
	skip_line(r);
	return false;
}

/* What follows a backslash outside of quotes: itself, or the line goes on. */
static void read_escape(struct reader *r, struct buf *value)
{
	char c = r->at < r->end ? take(r) : '\n';

	if (c == '\r' && r->at < r->end && *r->at == '\n')
		c = take(r);
	if (!is_newline(c))
		buf_addc(value, c);
}

/* Inside double quotes only these lose their backslash. */
static void read_quoted_escape(struct reader *r, struct buf *value)
{
	if (r->at < r->end && !strchr("\"\\`$\n\r", *r->at))
		buf_addc(value, '\\');
	read_escape(r, value);
}

static int read_quotes(struct reader *r, char quote, struct buf *value, struct err *err)
{
	unsigned int begin = r->line;

	while (r->at < r->end) {
		char c = take(r);
		if (c == quote)
			return 0;
		if (c == '\\' && quote == '"')
			read_quoted_escape(r, value);
		else
			buf_addc(value, c);
	}
	return err_set(err, ERR_FAILED, "line %u: quotes that never close", begin);
}

static int read_value(struct reader *r, struct buf *value, struct err *err)
{
	size_t keep = 0;	/* blanks at the end count only if quoted or escaped */

	buf_clear(value);
	skip_blanks(r);
	while (r->at < r->end && !is_newline(*r->at)) {
		char c = take(r);
		if (c == '\'' || c == '"') {
			if (read_quotes(r, c, value, err) < 0)
				return -1;
		} else if (c == '\\') {
			read_escape(r, value);
		} else {
			buf_addc(value, c);
			if (is_blank(c))
				continue;
		}
		keep = value->len;
	}
	buf_splice(value, keep, value->len - keep, "", 0);
	return 0;
}

static const struct {
	const char *key;
	size_t offset;
} fields[] = {
	{ "ID", offsetof(struct os_release, id) },
	{ "VERSION_ID", offsetof(struct os_release, version_id) },
	{ "VERSION_CODENAME", offsetof(struct os_release, codename) },
	{ "PRETTY_NAME", offsetof(struct os_release, pretty_name) },
};

static void assign(struct os_release *o, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (str_eq(key, fields[i].key))
			str_replace((char **)((char *)o + fields[i].offset), value);
	if (str_eq(key, "ID_LIKE")) {
		strv_release(&o->id_like);
		str_words(&o->id_like, value);
	}
}

static void fill_defaults(struct os_release *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		char **field = (char **)((char *)o + fields[i].offset);
		if (!*field)
			*field = xstrdup("");
	}
	if (str_empty(o->id))
		str_replace(&o->id, "linux");
}

static int parse_lines(struct os_release *o, struct reader *r, struct err *err)
{
	struct buf key CLEANUP(buf_release) = BUF_INIT, value CLEANUP(buf_release) = BUF_INIT;

	while (r->at < r->end) {
		if (is_newline(*r->at) || is_blank(*r->at))
			take(r);
		else if (*r->at == '#' || *r->at == ';')
			skip_line(r);
		else if (read_key(r, &key)) {
			if (read_value(r, &value, err) < 0)
				return -1;
			assign(o, key.data, value.data);
		}
	}
	return 0;
}

int osrelease_parse(struct os_release *ret, const char *text, size_t len, struct err *err)
{
	struct os_release o CLEANUP(osrelease_release) = { 0 };
	struct reader r = { text, text + len, 1 };

	if (memchr(text, '\0', len))
		return err_set(err, ERR_FAILED, "a NUL byte in what should be text");
	if (parse_lines(&o, &r, err) < 0)
		return -1;
	fill_defaults(&o);
	*ret = o;
	o = (struct os_release){ 0 };
	return 0;
}

int osrelease_read(struct os_release *ret, const struct root *root, struct err *err)
{
	static const char *const paths[] = { "/etc/os-release", "/usr/lib/os-release" };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int got = 1;

	for (size_t i = 0; i < ARRAY_SIZE(paths) && got == 1; i++) {
		got = root_read_optional(root, paths[i], OSRELEASE_MAX, &text, err);
		if (got < 0)
			return -1;
		if (!got && osrelease_parse(ret, text.data, text.len, err) < 0)
			return err_prefix(err, "cannot read '%s'", paths[i]);
	}
	return got ? osrelease_parse(ret, "", 0, err) : 0;
}

void osrelease_release(struct os_release *o)
{
	free(STEAL(o->id));
	free(STEAL(o->version_id));
	free(STEAL(o->codename));
	free(STEAL(o->pretty_name));
	strv_release(&o->id_like);
}
