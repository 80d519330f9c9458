/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict scanner of JSON text that remembers where everything stands, for base/json.c
 * (which hands the text to cJSON only after it passed here) and base/splice.c (which edits bytes).
 *
 * Accepts RFC 8259 with these refusals, each with line and column: duplicate keys (compared
 * decoded), lone surrogates, \u0000 (our strings end there), invalid UTF-8, numbers of more than
 * 63 characters (cJSON reads no more), nesting over 128, anything behind the value. A UTF-8 byte
 * order mark at the very beginning is skipped, as dockerd does (facts/dockerd.md 1.1).
 */
#ifndef BASE_JSONSCAN_H
#define BASE_JSONSCAN_H

#include "base/json.h"

#define JSONSCAN_NONE SIZE_MAX
#define JSONSCAN_DEPTH 128

/* Offsets are bytes from the start of the text; ends are behind the last byte. */
struct jsonscan_node {
	enum json_type type;
	size_t start, end;		/* the value */
	size_t key_start, key_end;	/* with the quotes; both 0 if it is no member */
	size_t key;			/* offset of the decoded key in keys, NUL-terminated */
	size_t parent, first, last, prev, next;		/* indices or JSONSCAN_NONE */
	size_t children;
};

struct jsonscan {
	struct jsonscan_node *node;	/* node[0] is the root; n is 0 if the text is blank */
	size_t n, cap;
	struct buf keys;
	struct buf plain;		/* the text as given, comments turned into spaces */
	size_t bom;			/* 3 if the text starts with one, else 0 */
};

#define JSONSCAN_INIT { NULL, 0, 0, BUF_INIT, BUF_INIT, 0 }

void jsonscan_release(struct jsonscan *s);
/* flags, what: as for json_parse. ret is JSONSCAN_INIT before; the caller releases it, always. */
int jsonscan_text(const char *text, size_t len, int flags, const char *what,
		  struct jsonscan *ret, struct err *err);
const char *jsonscan_key(const struct jsonscan *s, size_t node);
/* The member of that object (index) with that decoded key, or JSONSCAN_NONE. */
size_t jsonscan_member(const struct jsonscan *s, size_t object, const char *key);

#endif
