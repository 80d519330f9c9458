/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, vectors of strings, and the few parsers that everybody needs. No locale, ever. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct strv {
	char **v;		/* NULL-terminated, so it serves as an argv */
	size_t n;
	size_t cap;
};

#define STRV_INIT { NULL, 0, 0 }

void strv_release(struct strv *s);
void strv_add(struct strv *s, const char *str);			/* copies */
void strv_addf(struct strv *s, const char *fmt, ...) PRINTF(2, 3);
void strv_take(struct strv *s, char *str);			/* takes ownership */
void strv_addv(struct strv *s, const char *const *list);	/* NULL-terminated list */
bool strv_has(const struct strv *s, const char *str);
void strv_sort(struct strv *s);
char *strv_join(const struct strv *s, const char *sep);
void str_split(struct strv *ret, const char *s, char sep);	/* "a,,b" gives a, "", b; "" gives "" */
void str_words(struct strv *ret, const char *s);		/* split at white space */

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
static inline bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}
static inline bool str_empty(const char *s) { return !s || !*s; }
char *str_trim(char *s);					/* in place */
const char *path_basename(const char *path);
char *path_dirname(const char *path);				/* allocated; "/" for "/x" */
char *path_join(const char *dir, const char *name);		/* allocated, one slash between */

/* A whole decimal number in [min, max], nothing before or behind: 0, else -1. */
int str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
int str_to_u64(const char *s, uint64_t max, uint64_t *ret);
/* "1T", "1G", "64M", "512K", "100": bytes. "60s", "45m", "24h", "2d", "90": seconds. */
int str_to_size(const char *s, uint64_t *ret);
int str_to_seconds(const char *s, uint64_t *ret);

/*
 * For "did you mean": the nearest of a NULL-terminated list by edit distance, or NULL if none is
 * near (a third of the letters and one more).
 */
const char *str_nearest(const char *s, const char *const *list);

/* Version comparison by Debian policy (epoch, upstream, revision, '~' first): <0, 0, >0. */
int version_compare(const char *a, const char *b);
/* Compare only the leading dotted numbers: "6.1.0-13-amd64" against "5.12" is > 0. */
int version_compare_numeric(const char *a, const char *b);

#endif
