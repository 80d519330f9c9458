/* SPDX-License-Identifier: Apache-2.0 */
#include "host/dpkg.h"

#define STATUS_MAX (64 * 1024 * 1024)	/* bytes; a desktop with everything has 10 MB */

int dpkg_status_read(struct dpkg_status *ret, const struct root *root, struct err *err)
{
	struct buf text = BUF_INIT;

	if (root_read_optional(root, "/var/lib/dpkg/status", STATUS_MAX, &text, err) < 0) {
		buf_release(&text);
		return -1;
	}
	ret->text = text;
	return 0;
}

void dpkg_status_release(struct dpkg_status *s)
{
	buf_release(&s->text);
}

/* The value of a field of the stanza that begins at stanza, or NULL; not NUL-terminated:
 * *ret_len. */
static const char *field(const char *stanza, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);

	for (const char *line = stanza; *line && *line != '\n';) {
		size_t len = strcspn(line, "\n");
		if (len > n + 1 && !strncmp(line, name, n) && line[n] == ':') {
			line += n + 1 + strspn(line + n + 1, " ");
			*ret_len = strcspn(line, "\n");
			return line;
		}
		line += len + (line[len] == '\n');
	}
	return NULL;
}

static char *field_copy(const char *stanza, const char *name)
{
	size_t len;
	const char *value = field(stanza, name, &len);

	return value ? xstrndup(value, len) : NULL;
}

static const char *find_stanza(const struct dpkg_status *s, const char *package)
{
	char *line CLEANUP(freep) = xasprintf("Package: %s\n", package);

	for (const char *at = s->text.data; (at = strstr(at, line)); at++)
		if (at == s->text.data || at[-1] == '\n')
			return at;
	return NULL;
}

char *dpkg_version(const struct dpkg_status *s, const char *package)
{
	const char *stanza = find_stanza(s, package);
	char *status CLEANUP(freep) = stanza ? field_copy(stanza, "Status") : NULL;

	return status && str_ends(status, " installed") ? field_copy(stanza, "Version") : NULL;
}
