/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/jsonscan.h"
#include "base/utf8.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

/* struct json is cJSON under another name. A number read keeps its spelling in valuestring. */
static cJSON *cj(struct json *j)
{
	return (cJSON *)j;
}

static const cJSON *ccj(const struct json *j)
{
	return (const cJSON *)j;
}

/* cJSON answers NULL or false when memory is out. */
static struct json *must(cJSON *c)
{
	if (!c)
		abort();
	return (struct json *)c;
}

void json_free(struct json *j)
{
	cJSON_Delete(cj(j));
}

void json_freep(struct json **j)
{
	json_free(*j);
	*j = NULL;
}

/* Gives every number its spelling, and so walks both readings of the text side by side. */
static int spell_numbers(cJSON *c, const struct jsonscan *s, size_t i)
{
	const struct jsonscan_node *node = &s->node[i];
	size_t child = node->first;

	if (node->type != json_type((const struct json *)c))
		return -1;
	if (node->type == JSON_NUMBER)
		c->valuestring = xstrndup(s->plain.data + node->start, node->end - node->start);
	for (cJSON *m = c->child; m; m = m->next, child = s->node[child].next)
		if (child == JSONSCAN_NONE ||
		    (m->string && strcmp(m->string, jsonscan_key(s, child))) ||
		    spell_numbers(m, s, child) < 0)
			return -1;
	return child == JSONSCAN_NONE ? 0 : -1;
}

int json_parse(const char *text, size_t len, int flags, const char *what, struct json **ret,
	       struct err *err)
{
	struct jsonscan s CLEANUP(jsonscan_release) = JSONSCAN_INIT;
	cJSON *c;

	if (jsonscan_text(text, len, flags, what, &s, err) < 0)
		return -1;
	if (!s.n) {
		*ret = json_obj();
		return 0;
	}
	c = cJSON_ParseWithLength(s.plain.data + s.bom, s.plain.len - s.bom);
	if (!c || spell_numbers(c, &s, 0) < 0) {
		cJSON_Delete(c);
		return err_set(err, ERR_FAILED, "%s: the two JSON readers disagree", what);
	}
	*ret = (struct json *)c;
	return 0;
}

struct json *json_obj(void)
{
	return must(cJSON_CreateObject());
}

struct json *json_arr(void)
{
	return must(cJSON_CreateArray());
}

struct json *json_str(const char *s)
{
	return must(s ? cJSON_CreateString(s) : cJSON_CreateNull());
}

struct json *json_num(double n)
{
	return must(cJSON_CreateNumber(n));
}

struct json *json_bool(bool b)
{
	return must(cJSON_CreateBool(b));
}

struct json *json_null(void)
{
	return must(cJSON_CreateNull());
}

struct json *json_dup(const struct json *j)
{
	return j ? must(cJSON_Duplicate(ccj(j), true)) : NULL;
}

void json_set(struct json *obj, const char *key, struct json *value)
{
	bool there = cJSON_GetObjectItemCaseSensitive(ccj(obj), key);

	if (!(there ? cJSON_ReplaceItemInObjectCaseSensitive(cj(obj), key, cj(value)) :
	      cJSON_AddItemToObject(cj(obj), key, cj(value))))
		abort();
}

void json_set_str(struct json *obj, const char *key, const char *s)
{
	json_set(obj, key, json_str(s));
}

#define EXACT_MAX ((int64_t)1 << 53)

void json_set_i64(struct json *obj, const char *key, int64_t n)
{
	char text[24];

	if (n >= -EXACT_MAX && n <= EXACT_MAX) {
		json_set(obj, key, json_num((double)n));
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)n);
	json_set_str(obj, key, text);
}

void json_set_bool(struct json *obj, const char *key, bool b)
{
	json_set(obj, key, json_bool(b));
}

void json_del(struct json *obj, const char *key)
{
	cJSON_DeleteItemFromObjectCaseSensitive(cj(obj), key);
}

void json_add(struct json *arr, struct json *value)
{
	if (!cJSON_AddItemToArray(cj(arr), cj(value)))
		abort();
}

void json_add_str(struct json *arr, const char *s)
{
	json_add(arr, json_str(s));
}

struct json *strv_json(const struct strv *s)
{
	struct json *j = json_arr();

	for (size_t i = 0; i < s->n; i++)
		json_add_str(j, s->v[i]);
	return j;
}

void json_strv(const struct json *j, struct strv *ret)
{
	for json_each(s, j)
		if (json_string(s))
			strv_add(ret, json_string(s));
}

enum json_type json_type(const struct json *j)
{
	const cJSON *c = ccj(j);

	return cJSON_IsObject(c) ? JSON_OBJECT : cJSON_IsArray(c) ? JSON_ARRAY :
	       cJSON_IsString(c) ? JSON_STRING : cJSON_IsNumber(c) ? JSON_NUMBER :
	       cJSON_IsBool(c) ? JSON_BOOL : JSON_NULL;
}

const char *json_type_name(enum json_type t)
{
	static const char *const names[] = {
		[JSON_NULL] = "null", [JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};

	return names[t];
}

const struct json *json_get(const struct json *obj, const char *key)
{
	if (!cJSON_IsObject(ccj(obj)))
		return NULL;
	return (const struct json *)cJSON_GetObjectItemCaseSensitive(ccj(obj), key);
}

struct json *json_get_mut(struct json *obj, const char *key)
{
	return (struct json *)json_get(obj, key);
}

const char *json_get_str(const struct json *obj, const char *key)
{
	return json_string(json_get(obj, key));
}

int64_t json_get_i64(const struct json *obj, const char *key, int64_t def)
{
	const struct json *j = json_get(obj, key);
	const char *s = json_string(j);
	int64_t n;

	if (s)
		return str_to_i64(s, INT64_MIN, INT64_MAX, &n) < 0 ? def : n;
	if (!cJSON_IsNumber(ccj(j)) || fabs(json_number(j)) > (double)EXACT_MAX)
		return def;
	return (int64_t)json_number(j);
}

bool json_get_bool(const struct json *obj, const char *key, bool def)
{
	const struct json *j = json_get(obj, key);

	return cJSON_IsBool(ccj(j)) ? json_true(j) : def;
}

const char *json_string(const struct json *j)
{
	return cJSON_GetStringValue((cJSON *)ccj(j));
}

double json_number(const struct json *j)
{
	return cJSON_IsNumber(ccj(j)) ? ccj(j)->valuedouble : 0;
}

bool json_true(const struct json *j)
{
	return cJSON_IsTrue(ccj(j));
}

size_t json_len(const struct json *j)
{
	return j ? (size_t)cJSON_GetArraySize(ccj(j)) : 0;
}

const char *json_key(const struct json *member)
{
	return ccj(member)->string;
}

const struct json *json_first(const struct json *j)
{
	return j ? (const struct json *)ccj(j)->child : NULL;
}

const struct json *json_next(const struct json *member)
{
	return (const struct json *)ccj(member)->next;
}

#define NUMBER_TEXT 64

/* The spelling that was read, else the shortest one that reads back the same. */
static const char *number_text(const struct json *j, char text[NUMBER_TEXT])
{
	double n = json_number(j);

	if (ccj(j)->valuestring)
		return ccj(j)->valuestring;
	if (!isfinite(n))
		return "null";
	if (fabs(n) <= (double)EXACT_MAX && n == (double)(int64_t)n)
		snprintf(text, NUMBER_TEXT, "%.0f", n);
	else
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, NUMBER_TEXT, "%.*g", digits, n);
			if (strtod(text, NULL) == n)
				break;
		}
	return text;
}

/* A double tells any two decimals of up to 15 significant digits apart, in its normal range. */
static bool number_exact(const char *text, double n)
{
	size_t digits = 0;
	bool zero = true;

	for (const char *p = text; *p && *p != 'e' && *p != 'E'; p++) {
		zero = zero && (*p < '1' || *p > '9');
		digits += !zero && *p >= '0' && *p <= '9';
	}
	return zero || (digits <= 15 && isnormal(n));
}

static bool number_equal(const struct json *a, const struct json *b)
{
	char abuf[NUMBER_TEXT], bbuf[NUMBER_TEXT];
	const char *x = number_text(a, abuf), *y = number_text(b, bbuf);

	if (!strcmp(x, y))
		return true;
	return json_number(a) == json_number(b) && number_exact(x, json_number(a)) &&
	       number_exact(y, json_number(b));
}

static bool array_equal(const struct json *a, const struct json *b)
{
	const struct json *y = json_first(b);

	for json_each(x, a) {
		if (!y || !json_equal(x, y))
			return false;
		y = json_next(y);
	}
	return !y;
}

/* y runs beside x: members mostly come in the same order, and searching for each is n^2. */
static bool object_equal(const struct json *a, const struct json *b)
{
	const struct json *y = json_first(b);

	if (json_len(a) != json_len(b))
		return false;
	for json_each(x, a) {
		if (!y || strcmp(json_key(x), json_key(y)))
			y = json_get(b, json_key(x));
		if (!y || !json_equal(x, y))
			return false;
		y = json_next(y);
	}
	return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b)
		return a == b;
	if (json_type(a) != json_type(b))
		return false;
	switch (json_type(a)) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return json_true(a) == json_true(b);
	case JSON_NUMBER:
		return number_equal(a, b);
	case JSON_STRING:
		return !strcmp(json_string(a), json_string(b));
	case JSON_ARRAY:
		return array_equal(a, b);
	case JSON_OBJECT:
		return object_equal(a, b);
	}
	return false;
}

static void print_char(uint32_t c, struct buf *ret)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *p = c < 0x80 ? memchr(from, (int)c, sizeof(from) - 1) : NULL;

	if (p)
		buf_addf(ret, "\\%c", to[p - from]);
	else if (c < 0x20 || c == 0x7f)
		buf_addf(ret, "\\u%04x", (unsigned int)c);
	else
		utf8_encode(ret, c);
}

void json_print_string(const char *s, struct buf *ret)
{
	size_t left = strlen(s);

	buf_addc(ret, '"');
	while (left) {
		uint32_t c;
		size_t n = utf8_decode(s, left, &c);

		print_char(n ? c : 0xfffd, ret);
		n = n ? n : 1;
		s += n;
		left -= n;
	}
	buf_addc(ret, '"');
}

static void print_break(const struct json_style *style, size_t depth, struct buf *ret)
{
	if (!style->unit)
		return;
	buf_adds(ret, style->eol);
	buf_adds(ret, style->margin);
	while (depth--)
		buf_adds(ret, style->unit);
}

static void print_value(const struct json *j, const struct json_style *style, size_t depth,
			struct buf *ret);

static void print_members(const struct json *j, const struct json_style *style, size_t depth,
			  struct buf *ret)
{
	for json_each(m, j) {
		if (m != json_first(j))
			buf_adds(ret, style->unit ? "," : style->comma);
		print_break(style, depth + 1, ret);
		if (json_type(j) == JSON_OBJECT) {
			json_print_string(json_key(m), ret);
			buf_adds(ret, style->colon);
		}
		print_value(m, style, depth + 1, ret);
	}
	if (json_first(j))
		print_break(style, depth, ret);
}

static void print_value(const struct json *j, const struct json_style *style, size_t depth,
			struct buf *ret)
{
	char number[NUMBER_TEXT];

	switch (json_type(j)) {
	case JSON_NULL:
		buf_adds(ret, "null");
		break;
	case JSON_BOOL:
		buf_adds(ret, json_true(j) ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_adds(ret, number_text(j, number));
		break;
	case JSON_STRING:
		json_print_string(json_string(j), ret);
		break;
	case JSON_ARRAY:
		buf_addc(ret, '[');
		print_members(j, style, depth, ret);
		buf_addc(ret, ']');
		break;
	case JSON_OBJECT:
		buf_addc(ret, '{');
		print_members(j, style, depth, ret);
		buf_addc(ret, '}');
		break;
	}
}

void json_print_style(const struct json *j, const struct json_style *style, struct buf *ret)
{
	print_value(j, style, 0, ret);
}

void json_print(const struct json *j, struct buf *ret)
{
	json_print_style(j, &(struct json_style){ NULL, "", "", ":", "," }, ret);
}

void json_print_pretty(const struct json *j, struct buf *ret)
{
	json_print_style(j, &(struct json_style){ "  ", "\n", "", ": ", "," }, ret);
	buf_addc(ret, '\n');
}


/* Takes target over and gives it back changed. */
static struct json *merge_into(struct json *target, const struct json *patch)
{
	if (json_type(patch) != JSON_OBJECT) {
		json_free(target);
		return json_dup(patch);
	}
	if (!target || json_type(target) != JSON_OBJECT) {
		json_free(target);
		target = json_obj();
	}
	for json_each(p, patch) {
		const char *key = json_key(p);
		struct json *old = json_get_mut(target, key);

		if (json_type(p) == JSON_NULL) {
			json_del(target, key);
		} else if (old && json_type(old) == JSON_OBJECT && json_type(p) == JSON_OBJECT) {
			merge_into(old, p);
		} else {
			json_set(target, key, merge_into(NULL, p));
		}
	}
	return target;
}

struct json *json_merge(const struct json *target, const struct json *patch)
{
	return merge_into(json_dup(target), patch);
}

static bool both_objects(const struct json *a, const struct json *b)
{
	return a && b && json_type(a) == JSON_OBJECT && json_type(b) == JSON_OBJECT;
}

struct json *json_patch_join(const struct json *first, const struct json *second)
{
	struct json *all = first ? json_dup(first) : json_obj();

	for json_each(m, second) {
		const struct json *had = json_get(all, json_key(m));

		json_set(all, json_key(m),
			 both_objects(had, m) ? json_patch_join(had, m) : json_dup(m));
	}
	return all;
}

struct json *json_patch_between(const struct json *from, const struct json *to)
{
	struct json *patch = json_obj();

	for json_each(gone, from)
		if (!json_get(to, json_key(gone)))
			json_set(patch, json_key(gone), json_null());
	for json_each(m, to) {
		const struct json *had = json_get(from, json_key(m));

		if (!had || !json_equal(had, m))
			json_set(patch, json_key(m),
				 both_objects(had, m) ? json_patch_between(had, m) : json_dup(m));
	}
	return patch;
}
