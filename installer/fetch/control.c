/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/control.h"

#include <strings.h>

static const struct {
	const char *name;
	size_t offset;
	bool required;
} fields[] = {
	{ "Package", offsetof(struct deb_control, package), true },
	{ "Version", offsetof(struct deb_control, version), true },
	{ "Architecture", offsetof(struct deb_control, arch), true },
	{ "Depends", offsetof(struct deb_control, depends), false },
	{ "Pre-Depends", offsetof(struct deb_control, pre_depends), false },
};

static char **slot(struct deb_control *c, size_t i)
{
	return (char **)((char *)c + fields[i].offset);
}

/* Unfolds continued lines; what is in the first stanza counts. */
static void unfold(struct strv *ret, const char *text)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n && *lines.v[i]; i++) {
		const char *line = lines.v[i];

		if (*line != ' ' && *line != '\t') {
			strv_add(ret, line);
		} else if (ret->n) {
			char *longer = xasprintf("%s%s", ret->v[ret->n - 1], line);

			free(ret->v[ret->n - 1]);
			ret->v[ret->n - 1] = longer;
		}
	}
}

static int set_field(struct deb_control *c, char *line, const char *what, struct err *err)
{
	char *colon = strchr(line, ':'), *value;

	if (!colon)
		return err_set(err, ERR_REFUSED, "%s: its control data has a line without a colon", what);
	*colon = '\0';
	value = str_trim(colon + 1);
	if (!strcasecmp(line, "Installed-Size"))
		str_to_u64(value, UINT32_MAX, &c->installed_size);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strcasecmp(line, fields[i].name))
			continue;
		if (*slot(c, i))
			return err_set(err, ERR_REFUSED, "%s: its control data has '%s' twice",
				       what, fields[i].name);
		*slot(c, i) = xstrdup(value);
	}
	return 0;
}

int control_parse(struct deb_control *ret, const char *text, size_t len, const char *what,
		  struct err *err)
{
	struct deb_control c CLEANUP(control_release) = { 0 };
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (memchr(text, '\0', len))
		return err_set(err, ERR_REFUSED, "%s: its control data is not text", what);
	unfold(&lines, text);
	for (size_t i = 0; i < lines.n; i++)
		if (set_field(&c, lines.v[i], what, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].required && str_empty(*slot(&c, i)))
			return err_set(err, ERR_REFUSED, "%s: its control data has no '%s'", what,
				       fields[i].name);
	*ret = c;
	c = (struct deb_control){ 0 };
	return 0;
}

void control_release(struct deb_control *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		free(*slot(c, i));
	*c = (struct deb_control){ 0 };
}

int conffiles_parse(struct strv *ret, const char *text, size_t len, const char *what,
		    struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (memchr(text, '\0', len))
		return err_set(err, ERR_REFUSED, "%s: its list of conffiles is not text", what);
	str_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *path = strchr(str_trim(lines.v[i]), '/');	/* a flag may stand before it */
		if (path && !strv_has(ret, path))
			strv_add(ret, path);
	}
	return 0;
}

/* "all" fits everywhere; the wildcards are Debian policy's 11.1, for Linux. */
static bool arch_fits(const char *have, const char *want)
{
	static const char *const any[] = { "all", "any", "linux-any", NULL };
	char *wildcard CLEANUP(freep) = xasprintf("any-%s", want);

	for (size_t i = 0; any[i]; i++)
		if (str_eq(have, any[i]))
			return true;
	return str_eq(have, want) || str_eq(have, wildcard);
}

static int mismatch(const char *what, const char *field, const char *got, const char *want,
		    struct err *err)
{
	char shown[128];

	err_quote(shown, sizeof(shown), got);
	return err_set(err, ERR_REFUSED, "%s is refused: its %s is '%s', not '%s'", what, field, shown, want);
}

int deb_check_control(const struct deb *d, const char *package, const char *version,
		      const char *arch, const char *what, struct err *err)
{
	const struct deb_control *c = &d->control;

	if (package && !str_eq(c->package, package))
		return mismatch(what, "name", c->package, package, err);
	if (version && !str_eq(c->version, version))
		return mismatch(what, "version", c->version, version, err);
	if (arch && !arch_fits(c->arch, arch))
		return mismatch(what, "architecture", c->arch, arch, err);
	return 0;
}
