/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

static bool is_object(const struct json *j)
{
	return j && json_type(j) == JSON_OBJECT;
}

static void fold_member(struct json *reset, struct json *set, const struct json *next)
{
	const char *key = json_key(next);
	struct json *had = json_get_mut(set, key), *inner = json_get_mut(reset, key);

	if (is_object(next) && is_object(had)) {
		struct json *fresh CLEANUP(json_freep) = is_object(inner) ? json_dup(inner) :
									    json_obj();

		json_patch_fold(fresh, had, next);
		if (json_len(fresh) && !(inner && !is_object(inner)))
			json_set(reset, key, STEAL(fresh));
		return;
	}
	if (is_object(next) && had)
		json_set(reset, key, json_null());
	json_set(set, key, json_dup(next));
}

void json_patch_fold(struct json *reset, struct json *set, const struct json *next)
{
	for json_each(m, next)
		fold_member(reset, set, m);
}
