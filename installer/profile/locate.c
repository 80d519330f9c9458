/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/locate.h"

#include <stdbool.h>
#include <string.h>

static const char *skip_comment(const char *p, const char *end)
{
	const char *close = p[1] == '/' ? "\n" : "*/";
	const char *at = memmem(p + 2, (size_t)(end - p) - 2, close, strlen(close));

	return at ? at + strlen(close) : end;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end) {
		if (end - p > 1 && *p == '/' && (p[1] == '/' || p[1] == '*'))
			p = skip_comment(p, end);
		else if (strchr(" \t\r\n,:", *p) && *p)
			p++;
		else
			break;
	}
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && end - p > 1)
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_scalar(const char *p, const char *end)
{
	if (*p == '"')
		return skip_string(p, end);
	while (p < end && !memchr(" \t\r\n,:[]{}/\"", *p, 12))
		p++;
	return p;
}

static const char *skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	for (p = skip_space(p, end); p < end; p = skip_space(p, end)) {
		if (*p == '{' || *p == '[')
			depth++, p++;
		else if (*p == '}' || *p == ']')
			depth -= depth > 0, p++;
		else
			p = skip_scalar(p, end);
		if (!depth)
			break;
	}
	return p;
}

/* The string that is the key of n bytes in the object at p, or NULL. */
static const char *find_key(const char *p, const char *end, const char *key, size_t n)
{
	p = skip_space(p, end);
	if (p == end || *p != '{')
		return NULL;
	for (p = skip_space(p + 1, end); p < end && *p == '"'; p = skip_space(p, end)) {
		const char *after = skip_string(p, end);

		if ((size_t)(after - p) == n + 2 && !memcmp(p + 1, key, n))
			return p;
		p = skip_value(after, end);
	}
	return NULL;
}

static unsigned int line_at(const char *text, const char *p)
{
	unsigned int line = 1;

	for (; text < p; text++)
		line += *text == '\n';
	return line;
}

/* Into *value's object as far as the dotted path is found there; *at: the last key of it. */
static bool descend(const char **value, const char *end, const char *path, const char **at)
{
	for (; *path; path += *path == '.') {
		size_t n = strcspn(path, ".");
		const char *found = find_key(*value, end, path, n);

		if (!found)
			return false;
		*at = found;
		*value = skip_string(found, end);
		path += n;
	}
	return true;
}

unsigned int locate_line(const char *text, size_t len, const char *section, const char *key)
{
	const char *end = text + len, *at = text, *value = text, *found;

	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		value += 3;
	if (descend(&value, end, section ? section : "", &at) && key) {
		found = find_key(value, end, key, strlen(key));
		at = found ? found : at;
	}
	return line_at(text, at);
}
