/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/json.h: what is accepted, cJSON accepts too and means the same by it; printed in any of our
 * ways it reads to the same; a merge with nothing changes nothing, a merge with itself neither.
 */
#include "base/json.h"
#include "fuzz.h"

#include <cjson/cJSON.h>
#include <math.h>

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

/* cJSON itself cannot compare infinite numbers (inf - inf), and skips a byte order mark only before
 * two bytes or more. */
static void same_as_cjson(const struct buf *in, const struct buf *out)
{
	size_t bom = str_starts(in->data, "\xef\xbb\xbf") ? 3 : 0;
	cJSON *a = cJSON_ParseWithLength(in->data + bom, in->len - bom);
	cJSON *b = cJSON_ParseWithLength(out->data, out->len);

	must(a && b);
	if (!has_infinite(a))
		must(cJSON_Compare(a, b, true));
	cJSON_Delete(a);
	cJSON_Delete(b);
}

static void reads_back(const struct json *j, const struct buf *text)
{
	struct json *again CLEANUP(json_freep) = NULL;

	must(!json_parse(text->data, text->len, JSON_STRICT, "again", &again, NULL));
	must(json_equal(j, again));
}

static void check(const struct buf *in, const struct json *j, bool strict)
{
	struct buf line CLEANUP(buf_release) = BUF_INIT, pretty CLEANUP(buf_release) = BUF_INIT;
	struct json *copy CLEANUP(json_freep) = json_dup(j);
	struct json *merged CLEANUP(json_freep) = json_type(j) == JSON_OBJECT ?
							  json_patch_between(j, copy) :
							  NULL;

	must(json_equal(j, copy));
	must(!merged || !json_len(merged));
	json_print(j, &line);
	json_print_pretty(j, &pretty);
	must(!memchr(line.data, '\n', line.len));
	reads_back(j, &line);
	reads_back(j, &pretty);
	if (strict)
		same_as_cjson(in, &line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct json *strict CLEANUP(json_freep) = NULL, *loose CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	bool ok = !json_parse(in.data, in.len, JSON_STRICT, "fuzz", &strict, &err);
	if (!ok)
		must_be_said(&err);
	else
		check(&in, strict, true);
	if (!json_parse(in.data, in.len, JSON_COMMENTS | JSON_BLANK, "fuzz", &loose, &err))
		check(&in, loose, false);
	must(!ok || json_equal(strict, loose));
	return 0;
}
