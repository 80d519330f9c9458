/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/record.h"

#include "base/digest.h"

#include <stdio.h>

#define MAGIC "sysboxup-record"
#define FORMAT 1
#define HEADER_MAX 160

static const char *const type_names[RECORD_TYPES] = {
	[RECORD_BEGIN] = "begin",
	[RECORD_PREPARED] = "prepared",
	[RECORD_INTENT] = "intent",
	[RECORD_COMMITTED] = "committed",
	[RECORD_ROLLED_BACK] = "rolled-back",
	[RECORD_FAILED] = "failed",
	[RECORD_UNDONE] = "undone",
	[RECORD_PENDING] = "pending",
	[RECORD_BASE] = "base",
};

const char *record_type_name(enum record_type t)
{
	return type_names[t];
}

static void record_digest(const char *type, const char *body, size_t len, char hex[DIGEST_HEX + 1])
{
	struct digest *d = digest_new();

	digest_add(d, type, strlen(type));
	digest_add(d, "\n", 1);
	digest_add(d, body, len);
	digest_end(d, hex);
}

int record_encode(enum record_type t, const struct json *body, struct buf *ret)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char hex[DIGEST_HEX + 1];

	json_print(body, &text);
	buf_addc(&text, '\n');
	record_digest(type_names[t], text.data, text.len, hex);
	buf_addf(ret, MAGIC " %d %s %zu %s\n", FORMAT, type_names[t], text.len, hex);
	buf_add(ret, text.data, text.len);
	return 0;
}

static int type_parse(const char *name, enum record_type *ret)
{
	for (int t = 0; t < RECORD_TYPES; t++)
		if (!strcmp(name, type_names[t])) {
			*ret = (enum record_type)t;
			return 0;
		}
	return -1;
}

static int bad(struct err *err, const char *why)
{
	return err_set(err, ERR_FAILED, "not a valid record: %s", why);
}

static bool only_zeros(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

struct header {
	enum record_type type;
	char type_name[32];
	uint64_t len;
	char hex[DIGEST_HEX + 1];
	size_t size;			/* bytes of the header line itself */
};

/* The line is compared with what we would have written for the values read: no second spelling is
 * accepted. */
static int header_parse(const char *data, size_t len, struct header *ret, struct err *err)
{
	const char *nl = memchr(data, '\n', len < HEADER_MAX ? len : HEADER_MAX);
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	char *line CLEANUP(freep) = NULL, *again CLEANUP(freep) = NULL;

	if (!nl)
		return bad(err, "no header line");
	line = xstrndup(data, (size_t)(nl - data));
	str_split(&words, line, ' ');
	if (words.n != 5 || strcmp(words.v[0], MAGIC))
		return bad(err, "unknown header");
	if (strcmp(words.v[1], "1"))
		return bad(err, "unknown format version");
	if (type_parse(words.v[2], &ret->type) || str_to_u64(words.v[3], SIZE_MAX / 2, &ret->len))
		return bad(err, "unknown type or length");
	if (!digest_valid(words.v[4]))
		return bad(err, "no checksum");
	again = xasprintf(MAGIC " %d %s %llu %s", FORMAT, type_names[ret->type],
			  (unsigned long long)ret->len, words.v[4]);
	if (strcmp(again, line))
		return bad(err, "unusual header");
	snprintf(ret->hex, sizeof(ret->hex), "%s", words.v[4]);
	ret->size = (size_t)(nl - data) + 1;
	return 0;
}

int record_decode(const char *data, size_t len, enum record_type *ret_type, struct json **ret_body,
		  struct err *err)
{
	struct header h;
	char hex[DIGEST_HEX + 1];
	struct json *body = NULL;

	if (header_parse(data, len, &h, err))
		return -1;
	if (h.len > len - h.size)
		return bad(err, "cut short");
	record_digest(type_names[h.type], data + h.size, h.len, hex);
	if (strcmp(hex, h.hex))
		return bad(err, "checksum differs");
	if (!only_zeros(data + h.size + h.len, len - h.size - h.len))
		return bad(err, "bytes behind its end");
	if (json_parse(data + h.size, h.len, JSON_STRICT, "record", &body, err))
		return -1;
	*ret_type = h.type;
	*ret_body = body;
	return 0;
}
