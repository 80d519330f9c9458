/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/unitfile.h"

#include <ctype.h>
#include <errno.h>

#define UNIT_MAX (1024 * 1024)	/* bytes; systemd takes lines up to this */

/* The earlier hides the later. */
static const char *const unit_dirs[] = {
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
	"/run/systemd/generator.early", "/etc/systemd/system", "/run/systemd/system",
	"/run/systemd/generator", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
	"/lib/systemd/system", "/run/systemd/generator.late",
};

static const char *file_intern(struct unitfile *u, const char *path)
{
	for (size_t i = 0; i < u->files.n; i++)
		if (str_eq(u->files.v[i], path))
			return u->files.v[i];
	strv_add(&u->files, path);
	return u->files.v[u->files.n - 1];
}

/* --- text of one file --- */

static void setting_add(struct unitfile *u, const char *section, const struct otext *line)
{
	const char *text = line->text.data;
	const char *eq = strchr(text, '=');
	if (!eq)
		return;
	char *key CLEANUP(freep) = xstrndup(text, (size_t)(eq - text));
	size_t from = (size_t)(eq - text) + 1;
	size_t to = line->text.len;
	while (from < to && isspace((unsigned char)text[from]))
		from++;
	while (to > from && isspace((unsigned char)text[to - 1]))
		to--;

	u->v = xreallocarray(u->v, u->n + 1, sizeof(*u->v));
	struct unit_setting *s = &u->v[u->n++];
	*s = (struct unit_setting){ .section = xstrdup(section), .key = xstrdup(str_trim(key)),
				    .value = OTEXT_INIT, .at = otext_at(line, 0) };
	otext_add(&s->value, line, from, to - from);
}

static void line_end(struct unitfile *u, char **section, struct otext *line)
{
	const char *t = line->text.data;

	if (*t == '[') {
		const char *end = strchr(t, ']');
		free(*section);
		*section = end ? xstrndup(t + 1, (size_t)(end - t - 1)) : xstrdup("");
	} else if (*section) {
		setting_add(u, *section, line);
	}
	otext_release(line);
}

/* One physical line into the logical one; true if the next continues it. Comment lines in between
 * are no part of it. */
static bool line_add(struct otext *line, const char *s, size_t len, struct origin at)
{
	if (!line->text.len)
		while (len && isspace((unsigned char)*s))
			s++, len--;
	const char *first = s;
	while (first < s + len && isspace((unsigned char)*first))
		first++;
	if (first < s + len && (*first == '#' || *first == ';'))
		return line->text.len > 0;

	bool more = len && s[len - 1] == '\\';
	for (size_t i = 0; i < len - more; i++)
		otext_addc(line, s[i], at);
	if (more)
		otext_addc(line, ' ', at);
	return more;
}

static void text_parse(struct unitfile *u, const char *text, size_t len, const char *file)
{
	struct otext line CLEANUP(otext_release) = OTEXT_INIT;
	char *section CLEANUP(freep) = NULL;
	struct origin at = { file, 0 };

	for (size_t pos = 0; pos < len;) {
		const char *nl = memchr(text + pos, '\n', len - pos);
		size_t n = nl ? (size_t)(nl - text) - pos : len - pos;
		at.line++;
		if (!line_add(&line, text + pos, n - (n && text[pos + n - 1] == '\r'), at))
			line_end(u, &section, &line);
		pos += n + 1;
	}
	if (line.text.len)
		line_end(u, &section, &line);
}

/* --- which files --- */

static bool is_masked(const struct root *root, const char *path)
{
	char *target CLEANUP(freep) = NULL;

	return !root_readlink(root, path, &target) && str_eq(target, "/dev/null");
}

/* 1: absent, empty or masked. */
static int file_parse(struct unitfile *u, const struct root *root, const char *path,
		      struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (is_masked(root, path))
		return 1;
	int r = root_read_optional(root, path, UNIT_MAX, &text, err);
	if (r)
		return r;
	text_parse(u, text.data, text.len, file_intern(u, path));
	return text.len ? 0 : 1;
}

static int main_parse(struct unitfile *u, const struct root *root, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(unit_dirs); i++) {
		char *path CLEANUP(freep) = path_join(unit_dirs[i], u->name);
		if (!root_exists(root, path))
			continue;
		int r = file_parse(u, root, path, err);
		if (!r)
			u->path = STEAL(path);
		return r;
	}
	return 1;
}

/* "docker-ci.service" looks in docker-ci.service.d, docker-.service.d and service.d. */
static void dropin_names(const char *unit, struct strv *ret)
{
	const char *type = strrchr(unit, '.');

	strv_addf(ret, "%s.d", unit);
	if (!type)
		return;
	for (const char *p = type - 1; p > unit; p--)
		if (*p == '-' && p + 1 < type)
			strv_addf(ret, "%.*s%s.d", (int)(p + 1 - unit), unit, type);
	strv_addf(ret, "%s.d", type + 1);
}

struct dropin {
	char *name, *path;
};

static int dropin_cmp(const void *a, const void *b)
{
	return strcmp(((const struct dropin *)a)->name, ((const struct dropin *)b)->name);
}

struct dropins {
	struct dropin *v;
	size_t n;
};

static void dropins_release(struct dropins *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].name);
		free(d->v[i].path);
	}
	free(d->v);
}

static void dropins_add(struct dropins *d, const char *dir, const char *name)
{
	if (!str_ends(name, ".conf"))
		return;
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->v[i].name, name))
			return;
	d->v = xreallocarray(d->v, d->n + 1, sizeof(*d->v));
	d->v[d->n++] = (struct dropin){ xstrdup(name), path_join(dir, name) };
}

static int dropins_find(struct dropins *ret, const struct root *root, const char *unit,
			struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	dropin_names(unit, &names);
	for (size_t i = 0; i < names.n; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(unit_dirs); k++) {
			char *dir CLEANUP(freep) = path_join(unit_dirs[k], names.v[i]);
			struct strv entries CLEANUP(strv_release) = STRV_INIT;
			if (root_list(root, dir, &entries, err) < 0)
				return -1;
			for (size_t e = 0; e < entries.n; e++)
				dropins_add(ret, dir, entries.v[e]);
		}
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), dropin_cmp);
	return 0;
}

int unitfile_read(struct unitfile *ret, const struct root *root, const char *name, struct err *err)
{
	struct unitfile u CLEANUP(unitfile_release) = { .name = xstrdup(name) };
	struct dropins d CLEANUP(dropins_release) = { 0 };

	int r = main_parse(&u, root, err);
	if (r)
		return r;
	if (dropins_find(&d, root, name, err))
		return -1;
	for (size_t i = 0; i < d.n; i++)
		if (file_parse(&u, root, d.v[i].path, err) < 0)
			return -1;
	*ret = u;
	u = (struct unitfile){ 0 };
	return 0;
}

void unitfile_release(struct unitfile *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->v[i].section);
		free(u->v[i].key);
		otext_release(&u->v[i].value);
	}
	free(u->v);
	free(u->name);
	free(u->path);
	strv_release(&u->files);
	*u = (struct unitfile){ 0 };
}

/* --- words --- */

static const struct { char c, is; } escapes[] = {
	{ 'a', '\a' }, { 'b', '\b' }, { 'f', '\f' }, { 'n', '\n' }, { 'r', '\r' }, { 't', '\t' },
	{ 'v', '\v' }, { '\\', '\\' }, { '"', '"' }, { '\'', '\'' }, { 's', ' ' },
};

/* n digits of that base, and nothing else; -1 also for what no byte can be. */
static int digits(const char *s, size_t n, int base)
{
	static const char all[] = "0123456789abcdef";
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		int c = s[i] > '9' ? s[i] | 0x20 : s[i];
		const char *d = c ? memchr(all, c, (size_t)base) : NULL;
		if (!d)
			return -1;
		v = v * base + (int)(d - all);
	}
	return v <= UINT8_MAX ? v : -1;
}

/* The escape after a backslash at s: bytes used, the character in *ret. An unknown one stays as it
 * is written. */
static size_t unescape(const char *s, size_t left, char *ret)
{
	if (left >= 3 && *s == 'x' && digits(s + 1, 2, 16) > 0) {
		*ret = (char)digits(s + 1, 2, 16);
		return 3;
	}
	if (left >= 3 && digits(s, 3, 8) > 0) {
		*ret = (char)digits(s, 3, 8);
		return 3;
	}
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
		if (escapes[i].c == *s) {
			*ret = escapes[i].is;
			return 1;
		}
	return 0;
}

/* The next word from *pos, quotes and escapes taken off; false at the end. */
static bool word_next(const struct otext *t, size_t *pos, struct otext *ret, struct origin *first)
{
	const char *s = t->text.data;
	size_t i = *pos, len = t->text.len;
	char quote = 0;

	while (i < len && isspace((unsigned char)s[i]))
		i++;
	if (i >= len)
		return false;
	*first = otext_at(t, i);
	for (; i < len && (quote || !isspace((unsigned char)s[i])); i++) {
		char c;
		size_t used;
		if (s[i] == '\\' && i + 1 < len && (used = unescape(s + i + 1, len - i - 1, &c))) {
			otext_addc(ret, c, otext_at(t, i));
			i += used;
		} else if (quote ? s[i] == quote : s[i] == '"' || s[i] == '\'') {
			quote = quote ? 0 : s[i];
		} else {
			otext_addc(ret, s[i], otext_at(t, i));
		}
	}
	*pos = i;
	return true;
}

/* --- specifiers --- */

static const char *specifier(const struct unitfile *u, char c)
{
	static const struct { char c; const char *is;
	} fixed[] = {
		{ '%', "%" },        { 't', "/run" }, { 'S', "/var/lib" }, { 'C', "/var/cache" },
		{ 'L', "/var/log" }, { 'E', "/etc" }, { 'T', "/tmp" },     { 'V', "/var/tmp" },
		{ 'h', "/root" },    { 'u', "root" }, { 'U', "0" },        { 'i', "" },
		{ 'I', "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (fixed[i].c == c)
			return fixed[i].is;
	return c == 'n' ? u->name : NULL;
}

/* Specifiers that need a running system (%H, %m ...) stay as they are written. */
static void specifiers_expand(const struct unitfile *u, struct otext *t)
{
	struct otext out = OTEXT_INIT;

	for (size_t i = 0; i < t->text.len; i++) {
		const char *s = t->text.data[i] == '%' ? specifier(u, t->text.data[i + 1]) : NULL;
		if (!s) {
			otext_add(&out, t, i, 1);
			continue;
		}
		for (; *s; s++)
			otext_addc(&out, *s, otext_at(t, i));
		i++;
	}
	otext_release(t);
	*t = out;
}

/* --- environment --- */

void unit_env_release(struct unit_env *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->v[i].name);
		otext_release(&e->v[i].value);
	}
	free(e->v);
	*e = (struct unit_env){ 0 };
}

static const struct otext *env_get(const struct unit_env *e, const char *name, size_t len)
{
	for (size_t i = 0; i < e->n; i++)
		if (strlen(e->v[i].name) == len && !memcmp(e->v[i].name, name, len))
			return &e->v[i].value;
	return NULL;
}

static void env_put(struct unit_env *e, const char *name, struct otext *value)
{
	struct otext *old = (struct otext *)env_get(e, name, strlen(name));
	const struct otext none = OTEXT_INIT;

	if (!old) {
		e->v = xreallocarray(e->v, e->n + 1, sizeof(*e->v));
		e->v[e->n++] = (struct unit_var){ xstrdup(name), OTEXT_INIT };
		old = &e->v[e->n - 1].value;
	}
	otext_release(old);
	*old = *value;
	*value = none;
}

static void env_assign(struct unit_env *e, const struct otext *word)
{
	const char *eq = strchr(word->text.data, '=');
	if (!eq)
		return;
	size_t len = (size_t)(eq - word->text.data);
	char *name CLEANUP(freep) = xstrndup(word->text.data, len);
	struct otext value CLEANUP(otext_release) = OTEXT_INIT;
	otext_add(&value, word, len + 1, word->text.len - len - 1);
	env_put(e, name, &value);
}

static void env_setting(struct unit_env *e, const struct unitfile *u, const struct otext *value)
{
	struct origin at;
	size_t pos = 0;

	for (;;) {
		struct otext word CLEANUP(otext_release) = OTEXT_INIT;
		if (!word_next(value, &pos, &word, &at))
			return;
		specifiers_expand(u, &word);
		env_assign(e, &word);
	}
}

/* An EnvironmentFile, state for state as systemd's parse_env_file(): a quote opens only where a
 * value begins or another quote ended. */
struct env_reader {
	const char *s;
	size_t i, len;
	struct origin at;
};

static int env_getc(struct env_reader *r)
{
	if (r->i >= r->len)
		return -1;
	char c = r->s[r->i++];
	if (c == '\n')
		r->at.line++;
	return (unsigned char)c;
}

static void env_quoted(struct env_reader *r, char quote, struct otext *ret)
{
	struct origin at = r->at;

	for (int c = env_getc(r); c >= 0 && c != quote; at = r->at, c = env_getc(r)) {
		if (c == '\\' && quote == '"') {
			c = env_getc(r);
			if (c == '\n' || c < 0)
				continue;
			if (!strchr("\"\\`$", c))
				otext_addc(ret, '\\', at);
		}
		otext_addc(ret, (char)c, at);
	}
}

/* The rest of an unquoted value up to the end of the line, trailing blanks off. */
static void env_plain(struct env_reader *r, int c, struct origin at, struct otext *ret)
{
	struct otext raw CLEANUP(otext_release) = OTEXT_INIT;
	size_t keep = 0;

	for (; c >= 0 && c != '\n'; at = r->at, c = env_getc(r)) {
		if (c == '\\') {
			c = env_getc(r);
			if (c == '\n')
				continue;
			if (c < 0)
				break;
			otext_addc(&raw, (char)c, at);
			keep = raw.text.len;
			continue;
		}
		otext_addc(&raw, (char)c, at);
		if (!isspace(c))
			keep = raw.text.len;
	}
	otext_add(ret, &raw, 0, keep);
}

static void env_value(struct env_reader *r, struct otext *ret)
{
	for (;;) {
		struct origin at = r->at;
		int c = env_getc(r);
		if (c < 0 || c == '\n')
			return;
		if (isspace(c))
			continue;
		if (c != '"' && c != '\'') {
			env_plain(r, c, at, ret);
			return;
		}
		env_quoted(r, (char)c, ret);
	}
}

static void env_skip_comment(struct env_reader *r)
{
	for (int c = env_getc(r); c >= 0 && c != '\n'; c = env_getc(r))
		if (c == '\\')
			env_getc(r);
}

static void env_text(struct unit_env *e, const char *s, size_t len, const char *file)
{
	struct env_reader r = { s, 0, len, { file, 1 } };
	struct buf name CLEANUP(buf_release) = BUF_INIT;

	for (int c = env_getc(&r); c >= 0; c = env_getc(&r)) {
		if (!name.len && (c == '#' || c == ';')) {
			env_skip_comment(&r);
		} else if (c == '\n') {
			buf_clear(&name);
		} else if (c == '=') {
			struct otext value CLEANUP(otext_release) = OTEXT_INIT;
			env_value(&r, &value);
			if (name.len)
				env_put(e, str_trim(name.data), &value);
			buf_clear(&name);
		} else if (name.len || !isspace(c)) {
			buf_addc(&name, (char)c);
		}
	}
}

static int env_file(struct unit_env *e, struct unitfile *u, const struct root *root,
		    const char *path, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	path += *path == '-';
	if (*path != '/')
		return 0;
	int r = root_read_optional(root, path, UNIT_MAX, &text, err);
	if (r < 0)
		return -1;
	if (!r)
		env_text(e, text.data, text.len, file_intern(u, path));
	return 0;
}

int unitfile_env(struct unit_env *ret, struct unitfile *u, const struct root *root, struct err *err)
{
	struct unit_env e = { 0 };
	struct strv files CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < u->n; i++) {
		struct unit_setting *s = &u->v[i];
		if (!str_eq(s->section, "Service"))
			continue;
		if (str_eq(s->key, "Environment")) {
			if (!s->value.text.len)
				unit_env_release(&e);
			env_setting(&e, u, &s->value);
		} else if (str_eq(s->key, "EnvironmentFile")) {
			if (!s->value.text.len)
				strv_release(&files);
			else
				strv_add(&files, s->value.text.data);
		}
	}
	for (size_t i = 0; i < files.n; i++)
		if (env_file(&e, u, root, files.v[i], err)) {
			unit_env_release(&e);
			return -1;
		}
	*ret = e;
	return 0;
}

/* --- ExecStart= --- */

static void braces_expand(const struct unit_env *env, struct otext *word)
{
	struct otext out = OTEXT_INIT;
	const char *s = word->text.data;

	for (size_t i = 0; i < word->text.len; i++) {
		const char *end = s[i] == '$' && s[i + 1] == '{' ? strchr(s + i, '}') : NULL;
		if (end) {
			const struct otext *v = env_get(env, s + i + 2, (size_t)(end - s) - i - 2);
			if (v)
				otext_add(&out, v, 0, v->text.len);
			i = (size_t)(end - s);
			continue;
		}
		otext_add(&out, word, i, 1);
		i += s[i] == '$' && s[i + 1] == '$';
	}
	otext_release(word);
	*word = out;
}

/* $VAR alone is split into words, each with the line that it has in the environment's file. */
static void variable_expand(struct owords *ret, const struct unit_env *env, const char *name)
{
	const struct otext *v = env_get(env, name, strlen(name));
	size_t pos = 0;

	while (v) {
		struct otext word CLEANUP(otext_release) = OTEXT_INIT;
		struct origin first;
		if (!word_next(v, &pos, &word, &first))
			return;
		owords_take(ret, &word, first);
	}
}

static void exec_word(struct owords *ret, const struct unit_env *env, struct otext *word,
		      struct origin first)
{
	const char *s = word->text.data;

	if (s[0] == '$' && s[1] && s[1] != '{' && s[1] != '$') {
		variable_expand(ret, env, s + 1);
		return;
	}
	bool whole = s[0] == '$' && s[1] == '{' && s[word->text.len - 1] == '}';
	braces_expand(env, word);
	if (whole && word->text.len)
		first = otext_at(word, 0);
	owords_take(ret, word, first);
}

/* Takes "-", "@", ":", "+", "!", "|" off the program; with "@" the next word is argv[0], not an
 * argument. */
static bool exec_prefixes(struct otext *program)
{
	size_t n = strspn(program->text.data, "-@:+!|");
	bool at = n && memchr(program->text.data, '@', n);

	if (!n)
		return false;
	buf_splice(&program->text, 0, n, "", 0);
	buf_splice(&program->at, 0, n * sizeof(struct origin), "", 0);
	return at;
}

static const struct unit_setting *exec_setting(const struct unitfile *u)
{
	const struct unit_setting *last = NULL;

	for (size_t i = 0; i < u->n; i++)
		if (str_eq(u->v[i].section, "Service") && str_eq(u->v[i].key, "ExecStart"))
			last = u->v[i].value.text.len ? &u->v[i] : NULL;
	return last;
}

/*
 * A ";" that stands alone ends the command, "\;" alone is the word; quoted it is a word like any
 * other (systemd's config_parse_exec). Gives how many bytes of it there are at *pos, 0: neither.
 */
static size_t semicolon(const struct otext *t, size_t *pos)
{
	const char *s = t->text.data;

	while (*pos < t->text.len && isspace((unsigned char)s[*pos]))
		++*pos;
	size_t n = s[*pos] == ';' ? 1 : s[*pos] == '\\' && s[*pos + 1] == ';' ? 2 : 0;
	return !s[*pos + n] || isspace((unsigned char)s[*pos + n]) ? n : 0;
}

void unitfile_exec(struct owords *ret, const struct unitfile *u, const struct unit_env *env)
{
	const struct unit_setting *s = exec_setting(u);
	bool skip = false;
	size_t pos = 0;

	for (size_t n = 0; s; n++) {
		struct otext word CLEANUP(otext_release) = OTEXT_INIT;
		struct origin first;
		size_t semi = n ? semicolon(&s->value, &pos) : 0;
		if (semi == 1)
			return;
		pos += semi == 2;	/* the backslash */
		if (!word_next(&s->value, &pos, &word, &first))
			return;
		specifiers_expand(u, &word);
		if (!n)
			skip = exec_prefixes(&word);
		if (n == 1 && skip)
			continue;
		exec_word(ret, env, &word, first);
	}
}
