/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer entry for base/splice.h. The input is a patch, a NUL byte, a text. Whenever the splice
 * succeeds: the new text means json_merge(old, patch); what the patch does not name kept its
 * bytes and its order; a second splice changes nothing; json_unmerge takes everything back.
 */
#include "base/jsonscan.h"
#include "base/splice.h"
#include "fuzz.h"

#include <cjson/cJSON.h>
#include <math.h>

struct text {
	struct buf bytes;
	struct json *tree;
	struct jsonscan scan;
};

#define TEXT_INIT { BUF_INIT, NULL, JSONSCAN_INIT }

static void text_release(struct text *t)
{
	buf_release(&t->bytes);
	json_free(t->tree);
	jsonscan_release(&t->scan);
}

static void text_read(struct text *t)
{
	must(!json_parse(t->bytes.data, t->bytes.len, JSON_BLANK, "fuzz", &t->tree, NULL));
	must(!jsonscan_text(t->bytes.data, t->bytes.len, JSON_BLANK, "fuzz", &t->scan, NULL));
}

static void same_bytes(const struct text *a, size_t astart, size_t aend, const struct text *b,
		       size_t bstart, size_t bend)
{
	must(aend - astart == bend - bstart);
	must(!memcmp(a->bytes.data + astart, b->bytes.data + bstart, aend - astart));
}

/* Key and colon always stay; the value too, unless the patch says otherwise. */
static void same_member(const struct text *a, size_t i, const struct text *b, size_t k, bool value)
{
	const struct jsonscan_node *x = &a->scan.node[i], *y = &b->scan.node[k];

	same_bytes(a, x->key_start, value ? x->end : x->start, b, y->key_start,
		   value ? y->end : y->start);
}

static void untouched(const struct text *a, size_t i, const struct json *atree,
		      const struct text *b, size_t k, const struct json *btree,
		      const struct json *patch)
{
	size_t last = 0;

	for (i = a->scan.node[i].first; i != JSONSCAN_NONE; i = a->scan.node[i].next) {
		const char *key = jsonscan_key(&a->scan, i);
		size_t there = jsonscan_member(&b->scan, k, key);
		const struct json *x = json_get(atree, key), *y = json_get(btree, key);
		const struct json *p = json_get(patch, key);

		must((there == JSONSCAN_NONE) == (p && json_type(p) == JSON_NULL));
		if (there == JSONSCAN_NONE)
			continue;
		must(there > last);
		last = there;
		same_member(a, i, b, there, !p || json_equal(x, y));
		if (p && json_type(p) == JSON_OBJECT && json_type(x) == JSON_OBJECT)
			untouched(a, i, x, b, there, y, p);
	}
}

static void check_bytes(const struct text *old, const struct text *new, const struct json *patch)
{
	const struct jsonscan_node *a = old->scan.node, *b = new->scan.node;

	if (!old->scan.n)
		return;
	same_bytes(old, 0, a->start, new, 0, b->start);
	same_bytes(old, a->end, old->bytes.len, new, b->end, new->bytes.len);
	untouched(old, 0, old->tree, new, 0, new->tree, patch);
}

static bool has_infinite(const cJSON *j)
{
	const cJSON *it;

	if (cJSON_IsNumber(j) && !isfinite(j->valuedouble))
		return true;
	cJSON_ArrayForEach(it, j)
		if (has_infinite(it))
			return true;
	return false;
}

/* RFC 7396 section 2, on cJSON alone. Takes target, which may be NULL. */
static cJSON *merge(cJSON *target, const cJSON *patch)
{
	const cJSON *p;

	if (!cJSON_IsObject(target) || !cJSON_IsObject(patch)) {
		cJSON_Delete(target);
		if (!cJSON_IsObject(patch))
			return cJSON_Duplicate(patch, true);
		target = cJSON_CreateObject();
	}
	cJSON_ArrayForEach(p, patch) {
		cJSON *old = cJSON_DetachItemFromObjectCaseSensitive(target, p->string);

		if (cJSON_IsNull(p))
			cJSON_Delete(old);
		else
			cJSON_AddItemToObject(target, p->string, merge(old, p));
	}
	return target;
}

static cJSON *cjson_of(const struct text *t)
{
	return t->scan.n ? cJSON_ParseWithLength(t->bytes.data, t->bytes.len) :
			   cJSON_CreateObject();
}

/* A second opinion: cJSON reads all three, merges, and compares. It cannot compare infinite
 * numbers, and takes an empty text for none. */
static void check_cjson(const struct text *old, const struct text *new, const char *patch, size_t n)
{
	cJSON *target = cjson_of(old), *got = cjson_of(new), *p = cJSON_ParseWithLength(patch, n);

	must(target && p && got);
	target = merge(target, p);
	if (!has_infinite(target))
		must(cJSON_Compare(target, got, true));
	cJSON_Delete(target);
	cJSON_Delete(p);
	cJSON_Delete(got);
}

static bool has_null(const struct json *j)
{
	if (json_type(j) == JSON_NULL)
		return true;
	for json_each(m, j)
		if (has_null(m))
			return true;
	return false;
}

/* A null of before cannot come back (base/splice.h), so such texts are left out. */
static void check_undo(const struct text *old, const struct text *new, const struct json *patch)
{
	struct strv conflicts CLEANUP(strv_release) = STRV_INIT;
	struct json *undo CLEANUP(json_freep) = NULL, *got CLEANUP(json_freep) = NULL;

	if (has_null(old->tree))
		return;
	must(!json_unmerge(new->tree, old->tree, patch, &undo, &conflicts));
	must(!conflicts.n);
	got = json_merge(new->tree, undo);
	must(json_equal(got, old->tree));
}

static void check(const uint8_t *data, size_t size, const struct json *patch,
		  const char *patch_text, size_t patch_len)
{
	struct text old CLEANUP(text_release) = TEXT_INIT, new CLEANUP(text_release) = TEXT_INIT;
	struct buf again CLEANUP(buf_release) = BUF_INIT;
	struct json *want CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	if (json_splice((const char *)data, size, patch, "fuzz", &new.bytes, &err) < 0) {
		must(!str_starts(err.msg, "the edited"));
		must(!str_starts(err.msg, "fuzz: the edited"));
		must(!str_starts(err.msg, "fuzz: the two"));
		return;
	}
	buf_add(&old.bytes, data, size);
	text_read(&old);
	text_read(&new);
	want = json_merge(old.tree, patch);
	must(json_equal(want, new.tree));
	check_bytes(&old, &new, patch);
	check_cjson(&old, &new, patch_text, patch_len);
	must(!json_splice(new.bytes.data, new.bytes.len, patch, "fuzz", &again, NULL));
	must(buf_equal(&again, &new.bytes));
	check_undo(&old, &new, patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	struct json *patch CLEANUP(json_freep) = NULL;
	size_t n = nul ? (size_t)(nul - data) : 0;

	if (!nul || json_parse((const char *)data, n, JSON_STRICT, "patch", &patch, NULL) < 0)
		return 0;
	check(nul + 1, size - n - 1, patch, (const char *)data, n);
	return 0;
}
