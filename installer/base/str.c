/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

void strv_release(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv)STRV_INIT;
}

void strv_take(struct strv *s, char *str)
{
	if (s->n + 1 >= s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->v = xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = str;
	s->v[s->n] = NULL;
}

void strv_add(struct strv *s, const char *str)
{
	strv_take(s, xstrdup(str));
}

void strv_addf(struct strv *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_take(s, xvasprintf(fmt, ap));
	va_end(ap);
}

void strv_addv(struct strv *s, const char *const *list)
{
	for (; list && *list; list++)
		strv_add(s, *list);
}

bool strv_has(const struct strv *s, const char *str)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i], str))
			return true;
	return false;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *s)
{
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), compare_strings);
}

char *strv_join(const struct strv *s, const char *sep)
{
	size_t len = 1;
	char *joined, *p;

	for (size_t i = 0; i < s->n; i++)
		len += strlen(s->v[i]) + strlen(sep);
	p = joined = xmalloc(len);
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			p = mempcpy(p, sep, strlen(sep));
		p = mempcpy(p, s->v[i], strlen(s->v[i]));
	}
	*p = '\0';
	return joined;
}

void str_split(struct strv *ret, const char *s, char sep)
{
	for (;;) {
		const char *end = strchrnul(s, sep);

		strv_take(ret, xstrndup(s, (size_t)(end - s)));
		if (!*end)
			return;
		s = end + 1;
	}
}

#define SPACE " \t\n\v\f\r"

void str_words(struct strv *ret, const char *s)
{
	for (s += strspn(s, SPACE); *s; s += strspn(s, SPACE)) {
		size_t n = strcspn(s, SPACE);

		strv_take(ret, xstrndup(s, n));
		s += n;
	}
}

bool str_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && !memcmp(s + n - k, suffix, k);
}

char *str_trim(char *s)
{
	size_t n;

	s += strspn(s, SPACE);
	n = strlen(s);
	while (n && strchr(SPACE, s[n - 1]))
		n--;
	if (s[n])	/* an empty buffer is a constant */
		s[n] = '\0';
	return s;
}

const char *path_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *path_dirname(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	while (slash > path && slash[-1] == '/')
		slash--;
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

char *path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	name += strspn(name, "/");
	return xasprintf("%.*s/%s", (int)n, dir, name);
}

/* Digits at *s, at most max; moves *s behind them. */
static int digits_read(const char **s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return -1;
	if (p == *s || n > max)
		return -1;
	*s = p;
	*ret = n;
	return 0;
}

int str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	if (!s || digits_read(&s, max, &n) < 0 || *s)
		return -1;
	*ret = n;
	return 0;
}

int str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool minus = s && *s == '-';
	uint64_t n;
	int64_t v;

	if (!s || str_to_u64(s + minus, minus ? (uint64_t)1 << 63 : INT64_MAX, &n) < 0)
		return -1;
	v = minus ? (int64_t)(0 - n) : (int64_t)n;
	if (v < min || v > max)
		return -1;
	*ret = v;
	return 0;
}

struct unit {
	char letter;
	uint64_t factor;
};

/* A number with at most one unit letter behind it. */
static int quantity_read(const char *s, const struct unit *units, uint64_t *ret)
{
	uint64_t n;

	if (!s || digits_read(&s, UINT64_MAX, &n) < 0)
		return -1;
	if (*s) {
		while (units->letter && units->letter != *s)
			units++;
		if (!units->letter || s[1] || __builtin_mul_overflow(n, units->factor, &n))
			return -1;
	}
	*ret = n;
	return 0;
}

int str_to_size(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ 'K', 1ull << 10 }, { 'M', 1ull << 20 }, { 'G', 1ull << 30 }, { 'T', 1ull << 40 },
		{ 0, 0 },
	};

	return quantity_read(s, units, ret);
}

int str_to_seconds(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 0, 0 },
	};

	return quantity_read(s, units, ret);
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment: insert, delete, change, swap neighbours, each 1; three rows. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t n = strlen(b), distance;
	size_t *mem = xcalloc(3 * (n + 1), sizeof(*mem));
	size_t *two = mem, *one = mem + n + 1, *row = mem + 2 * (n + 1);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t *oldest = two;

		two = one;
		one = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			row[j] = min3(one[j] + 1, row[j - 1] + 1,
				      one[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min3(row[j], two[j - 2] + 1, row[j]);
		}
	}
	distance = row[n];
	free(mem);
	return distance;
}

const char *str_nearest(const char *s, const char *const *list)
{
	size_t len = strlen(s), best = len / 3 + 2;	/* farther is a guess, not a typo */
	const char *found = NULL;

	if (len > 256)
		return NULL;
	for (; *list; list++) {
		size_t d = edit_distance(s, *list);

		if (d < best) {
			best = d;
			found = *list;
		}
	}
	return found;
}
