/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/dpkgdb.h"

#include <ctype.h>
#include <strings.h>

enum { DATABASE_MAX = 128 * 1024 * 1024 };

static const char *line_end(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));

	return nl ? nl + 1 : end;
}

static bool line_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p == end;
}

bool stanza_next(const char **at, const char *end, struct stanza *ret)
{
	const char *p = *at, *from;

	while (p < end && line_blank(p, line_end(p, end)))
		p = line_end(p, end);
	for (from = p; p < end && !line_blank(p, line_end(p, end));)
		p = line_end(p, end);
	*at = p;
	if (p == from)
		return false;
	*ret = (struct stanza){ from, (size_t)(p - from) };
	return true;
}

/* Start of the field's value; *ret_end is the end of its first line. */
static const char *field_find(const struct stanza *s, const char *name, const char **ret_end)
{
	const char *end = s->text + s->len;
	size_t n = strlen(name);

	for (const char *p = s->text; p < end; p = line_end(p, end)) {
		if ((size_t)(end - p) <= n || p[n] != ':' || strncasecmp(p, name, n))
			continue;
		*ret_end = line_end(p, end);
		return p + n + 1;
	}
	return NULL;
}

char *stanza_field(const struct stanza *s, const char *name)
{
	const char *end, *value = field_find(s, name, &end);
	char *whole CLEANUP(freep) = value ? xstrndup(value, (size_t)(end - value)) : NULL;

	return whole ? xstrdup(str_trim(whole)) : NULL;
}

char *stanza_lines(const struct stanza *s, const char *name)
{
	const char *end, *stop = s->text + s->len, *value = field_find(s, name, &end);

	if (!value)
		return NULL;
	while (end < stop && (*end == ' ' || *end == '\t'))
		end = line_end(end, stop);
	return xstrndup(value, (size_t)(end - value));
}

static int read_optional(const struct root *r, const char *path, struct buf *ret, struct err *err)
{
	return root_read_optional(r, path, DATABASE_MAX, ret, err) < 0 ? -1 : 0;
}

int dpkgdb_read(const struct root *r, struct buf *ret, struct err *err)
{
	return read_optional(r, DPKG_STATUS, ret, err);
}

int dpkgdb_read_marks(const struct root *r, struct buf *ret, struct err *err)
{
	return read_optional(r, APT_MARKS, ret, err);
}

bool stanza_status(const struct stanza *s, char **ret_want, char **ret_flag, char **ret_state)
{
	char *value CLEANUP(freep) = stanza_field(s, "Status");
	char **out[] = { ret_want, ret_flag, ret_state };
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	if (value)
		str_words(&words, value);
	if (words.n != ARRAY_SIZE(out))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		if (out[i])
			*out[i] = xstrdup(words.v[i]);
	return true;
}

static bool stanza_installed(const struct stanza *s)
{
	char *state CLEANUP(freep) = NULL;

	return stanza_status(s, NULL, NULL, &state) && str_eq(state, "installed");
}

static bool stanza_names(const struct stanza *s, const char *name, size_t name_len,
			 const char *arch)
{
	char *have CLEANUP(freep) = stanza_field(s, "Package");
	char *have_arch CLEANUP(freep) = stanza_field(s, "Architecture");

	return have && strlen(have) == name_len && !memcmp(have, name, name_len) &&
	       (!arch || str_eq(arch, have_arch));
}

bool dpkgdb_find(const struct buf *status, const char *package, struct stanza *ret)
{
	const char *at = status->data, *end = status->data + status->len,
		   *colon = strchr(package, ':');
	size_t len = colon ? (size_t)(colon - package) : strlen(package);
	struct stanza s;
	bool found = false;

	while (stanza_next(&at, end, &s)) {
		if (!stanza_names(&s, package, len, colon ? colon + 1 : NULL) ||
		    (found && !stanza_installed(&s)))
			continue;
		*ret = s;
		found = true;
	}
	return found;
}

static bool has_other_arch(const struct buf *status, const char *name, const char *arch)
{
	const char *at = status->data, *end = status->data + status->len;
	struct stanza s;

	while (stanza_next(&at, end, &s)) {
		char *other CLEANUP(freep) = stanza_field(&s, "Architecture");
		if (other && !str_eq(other, arch) && !str_eq(other, "all") &&
		    stanza_names(&s, name, strlen(name), NULL))
			return true;
	}
	return false;
}

void dpkgdb_qualify(const struct buf *status, struct pkg_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct pkg_op *op = &plan->v[i];
		if (!op->arch || str_eq(op->arch, "all") || strchr(op->name, ':') ||
		    !has_other_arch(status, op->name, op->arch))
			continue;
		char *name = xasprintf("%s:%s", op->name, op->arch);
		free(op->name);
		op->name = name;
	}
}

bool dpkgdb_is_auto(const struct buf *marks, const char *package)
{
	struct stanza s;

	if (!dpkgdb_find(marks, package, &s))
		return false;
	char *value CLEANUP(freep) = stanza_field(&s, "Auto-Installed");
	return str_eq(value, "1");
}

void dpkgdb_status(const struct buf *status, const struct buf *marks, const char *package,
		   struct pkg_status *ret)
{
	struct stanza s;

	*ret = (struct pkg_status){ 0 };
	if (!dpkgdb_find(status, package, &s) || !stanza_status(&s, &ret->want, NULL, &ret->state))
		return;
	ret->known = true;
	ret->version = stanza_field(&s, "Version");
	ret->arch = stanza_field(&s, "Architecture");
	ret->automatic = dpkgdb_is_auto(marks, package);
}

int dpkgdb_look(const struct root *r, const char *package, struct pkg_status *ret, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT, marks CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(r, &status, err) || dpkgdb_read_marks(r, &marks, err))
		return -1;
	dpkgdb_status(&status, &marks, package, ret);
	return 0;
}

static bool settled(const char *flag, const char *state)
{
	return str_eq(flag, "ok") && (str_eq(state, "installed") || str_eq(state, "config-files") ||
				      str_eq(state, "not-installed"));
}

static void unsettled_each(const struct buf *status, struct strv *ret,
			   void (*add)(struct strv *, const struct stanza *, const char *state))
{
	const char *at = status->data, *end = status->data + status->len;
	struct stanza s;

	while (stanza_next(&at, end, &s)) {
		char *flag CLEANUP(freep) = NULL, *state CLEANUP(freep) = NULL;

		if (stanza_status(&s, NULL, &flag, &state) && !settled(flag, state))
			add(ret, &s, str_eq(flag, "ok") ? state : "reinstallation required");
	}
}

static void add_words(struct strv *ret, const struct stanza *s, const char *state)
{
	char *name CLEANUP(freep) = stanza_field(s, "Package");

	strv_addf(ret, "%s (%s)", name ? name : "?", state);
}

static void add_name(struct strv *ret, const struct stanza *s, const char *state)
{
	char *name CLEANUP(freep) = stanza_field(s, "Package"),
		   *arch CLEANUP(freep) = stanza_field(s, "Architecture");
	char *multi CLEANUP(freep) = stanza_field(s, "Multi-Arch");

	if (name && arch && str_eq(multi, "same"))
		strv_addf(ret, "%s:%s", name, arch);
	else if (name)
		strv_add(ret, name);
}

void dpkgdb_unsettled(const struct buf *status, struct strv *ret)
{
	unsettled_each(status, ret, add_words);
}

void dpkgdb_unsettled_names(const struct buf *status, struct strv *ret)
{
	unsettled_each(status, ret, add_name);
}

void dpkgdb_held(const struct buf *status, struct strv *ret)
{
	const char *at = status->data;
	struct stanza s;

	while (stanza_next(&at, status->data + status->len, &s)) {
		char *want CLEANUP(freep) = NULL, *name CLEANUP(freep) = NULL;

		if (!stanza_status(&s, &want, NULL, NULL) || !str_eq(want, "hold"))
			continue;
		name = stanza_field(&s, "Package");
		if (name)
			strv_add(ret, name);
	}
}

int dpkgdb_updates(const struct root *r, size_t *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	size_t n = 0;

	if (root_list(r, DPKG_DIR "/updates", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		n += isdigit((unsigned char)names.v[i][0]) != 0;
	*ret = n;
	return 0;
}

const char *dpkgdb_control_name(const char *entry, const char *base)
{
	size_t len = strlen(base);

	return str_starts(entry, base) && entry[len] == '.' && !strchr(entry + len + 1, '.') ?
		       entry + len + 1 :
		       NULL;
}
