/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values (a thin face on cJSON, which is included nowhere else) and a strict reader.
 *
 * json_parse accepts exactly RFC 8259 text: no duplicate keys in one object, no comments
 * unless JSON_COMMENTS (// and block), no trailing comma, no trailing data, nesting at most
 * 128, valid UTF-8, no lone surrogates; an error names line and column (from 1, in bytes).
 * cJSON alone accepts more than that, so our own scanner (base/jsonscan.h, which lists the few
 * refusals of its own) goes first. Texts that come from outside may start with a byte order mark.
 *
 * Numbers that were read keep their spelling: json_dup, json_merge and json_print carry
 * 9007199254740993 and 1e400 over unharmed; json_equal compares by text what no double can hold.
 *
 * Ownership: json_obj, json_parse etc. return a tree to be freed with json_free; json_set_*
 * and json_add* take ownership of a value passed to them; getters return borrowed pointers.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct json;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

enum json_flags {
	JSON_STRICT = 0,
	JSON_COMMENTS = 1,	/* allow comments, as the profile does */
	JSON_BLANK = 2,		/* a text of nothing but white space is {}, as dockerd has it */
	JSON_ONLY_OBJECT = 4,	/* refuse any other value */
};

void json_free(struct json *j);
void json_freep(struct json **j);

/* text need not be NUL-terminated. what names the text in errors ("'/etc/docker/daemon.json'"). */
int json_parse(const char *text, size_t len, int flags, const char *what, struct json **ret,
	       struct err *err);

struct json *json_obj(void);
struct json *json_arr(void);
struct json *json_str(const char *s);		/* NULL gives null */
struct json *json_num(double n);
struct json *json_bool(bool b);
struct json *json_null(void);
struct json *json_dup(const struct json *j);

void json_set(struct json *obj, const char *key, struct json *value);	/* replaces; keeps place if present */
void json_set_str(struct json *obj, const char *key, const char *s);
void json_set_i64(struct json *obj, const char *key, int64_t n);	/* beyond 2^53: as a string */
void json_set_bool(struct json *obj, const char *key, bool b);
void json_del(struct json *obj, const char *key);
void json_add(struct json *arr, struct json *value);
void json_add_str(struct json *arr, const char *s);
struct json *strv_json(const struct strv *s);	/* an array of strings */
void json_strv(const struct json *arr, struct strv *ret);	/* adds its strings; anything else in it is passed over */

enum json_type json_type(const struct json *j);
const char *json_type_name(enum json_type t);				/* "a string" */
const struct json *json_get(const struct json *obj, const char *key);	/* NULL if absent, or no object */
struct json *json_get_mut(struct json *obj, const char *key);
const char *json_get_str(const struct json *obj, const char *key);	/* NULL if absent or no string */
int64_t json_get_i64(const struct json *obj, const char *key, int64_t def);
bool json_get_bool(const struct json *obj, const char *key, bool def);
const char *json_string(const struct json *j);				/* NULL if no string */
double json_number(const struct json *j);
bool json_true(const struct json *j);
size_t json_len(const struct json *j);					/* array or object */
const char *json_key(const struct json *member);			/* key of a member */
const struct json *json_first(const struct json *j);			/* array or object */
const struct json *json_next(const struct json *member);
/* for json_each(member, obj) */
#define json_each(it, j) (const struct json *it = json_first(j); it; it = json_next(it))

bool json_equal(const struct json *a, const struct json *b);		/* in any order; NULL equals NULL */
void json_print(const struct json *j, struct buf *ret);			/* compact, one line */
void json_print_pretty(const struct json *j, struct buf *ret);		/* 2 spaces, final newline */

/* How a value is laid out. Bytes of a string that are not UTF-8 are printed as U+FFFD. */
struct json_style {
	const char *unit;	/* one step of indentation; NULL: everything on one line */
	const char *eol;	/* line end */
	const char *margin;	/* indentation of the line on which the value begins */
	const char *colon;	/* ":" or ": " */
	const char *comma;	/* between members on one line */
};
void json_print_style(const struct json *j, const struct json_style *style, struct buf *ret);
void json_print_string(const char *s, struct buf *ret);			/* quoted and escaped */

/* RFC 7396: the result of applying patch to target (target NULL or no object = {}). New tree. */
struct json *json_merge(const struct json *target, const struct json *patch);
/* One merge patch that does what first and then second do. Not json_merge: the nulls stay in it. */
struct json *json_patch_join(const struct json *first, const struct json *second);
/*
 * `reset` and then `set`, followed by `next`, become two patches again. Any number of merge patches
 * is two: one patch cannot say that an object goes and another one comes in its place.
 */
void json_patch_fold(struct json *reset, struct json *set, const struct json *next);
/* The merge patch that makes `to` of `from` (objects; NULL = {}), of what differs alone. */
struct json *json_patch_between(const struct json *from, const struct json *to);

#endif
