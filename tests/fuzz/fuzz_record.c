/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal/record.h. The input as a record: what is read is written again and read to the same. The
 * input as the body of a record with a right checksum: read exactly where it is strict JSON; cut
 * anywhere, with any bit turned, or with anything but zeros behind it, it is no record.
 */
#include "base/digest.h"
#include "fuzz.h"
#include "journal/record.h"

static bool reads(const struct buf *b, enum record_type *ret_type, struct json **ret)
{
	struct err err = ERR_INIT;

	if (!record_decode(b->data, b->len, ret_type, ret, &err))
		return true;
	must_be_said(&err);
	return false;
}

static void refused(const struct buf *b)
{
	struct json *j = NULL;
	enum record_type t;

	must(!reads(b, &t, &j));
	must(!j);
}

static void check_again(enum record_type type, const struct json *body)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT, twice CLEANUP(buf_release) = BUF_INIT;
	struct json *again CLEANUP(json_freep) = NULL;
	enum record_type t = RECORD_TYPES;

	must(!record_encode(type, body, &text));
	must(reads(&text, &t, &again));
	must(t == type && json_equal(body, again));
	must(!record_encode(t, again, &twice));
	must(buf_equal(&text, &twice));
	buf_addc(&text, 0);
	json_free(again);
	again = NULL;
	must(reads(&text, &t, &again));
	buf_addc(&text, 'x');
	refused(&text);
}

/* where: bytes of the input that choose. */
static void check_damage(const struct buf *whole, const uint8_t *where)
{
	size_t at = (where[0] | (size_t)where[1] << 8) % whole->len;
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	buf_add(&b, whole->data, at);
	refused(&b);
	buf_add(&b, whole->data + at, whole->len - at);
	b.data[at] ^= (char)(1 << where[2] % 8);
	refused(&b);
}

static void wrap(const char *type, const char *body, size_t len, struct buf *ret)
{
	struct digest *d = digest_new();
	char hex[DIGEST_HEX + 1];

	digest_add(d, type, strlen(type));
	digest_add(d, "\n", 1);
	digest_add(d, body, len);
	digest_end(d, hex);
	buf_addf(ret, "sysboxup-record 1 %s %zu %s\n", type, len, hex);
	buf_add(ret, body, len);
}

static void as_body(const uint8_t *data, size_t size)
{
	enum record_type type = (enum record_type)(data[0] % RECORD_TYPES), t;
	struct buf whole CLEANUP(buf_release) = BUF_INIT;
	struct json *want CLEANUP(json_freep) = NULL, *got CLEANUP(json_freep) = NULL;
	const char *body = (const char *)data + 3;

	wrap(record_type_name(type), body, size - 3, &whole);
	bool valid = !json_parse(body, size - 3, JSON_STRICT, "fuzz", &want, NULL);
	must(reads(&whole, &t, &got) == valid);
	if (!valid)
		return;
	must(t == type && json_equal(want, got));
	check_damage(&whole, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf raw CLEANUP(buf_release) = BUF_INIT;
	struct json *body CLEANUP(json_freep) = NULL;
	enum record_type type = RECORD_TYPES;

	buf_add(&raw, data, size);
	if (reads(&raw, &type, &body))
		check_again(type, body);
	if (size > 3)
		as_body(data, size);
	return 0;
}
