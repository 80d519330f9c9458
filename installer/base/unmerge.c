/* SPDX-License-Identifier: Apache-2.0 */
/* Three-way undo of a merge patch; declared and explained in base/splice.h. */
#include "base/splice.h"

/* One key of ours: the values of before, today (NULL: absent) and the one we gave it. */
struct leaf {
	const char *key;
	const char *path;		/* dotted, for people */
	const struct json *before, *today, *ours;
};

static bool is_object(const struct json *j)
{
	return j && json_type(j) == JSON_OBJECT;
}

/* The value that our patch left: absent where it says null. */
static const struct json *left_by_us(const struct leaf *l)
{
	return json_type(l->ours) == JSON_NULL ? NULL : l->ours;
}

static void give_back(struct json *patch, const struct leaf *l)
{
	json_set(patch, l->key, l->before ? json_dup(l->before) : json_null());
}

/* A scalar, an array or null. What is gone today, or is as before, needs nothing. */
static void leaf_undo(const struct leaf *l, struct json *patch, struct strv *conflicts)
{
	const struct json *left = left_by_us(l);

	if (json_equal(l->before, left) || json_equal(l->today, l->before) || (left && !l->today))
		return;
	if (json_equal(l->today, left))
		give_back(patch, l);
	else
		strv_add(conflicts, l->path);
}

static char *child_path(const char *parent, const char *key)
{
	return parent ? xasprintf("%s.%s", parent, key) : xstrdup(key);
}

static void object_undo(const struct leaf *l, struct json *patch, struct strv *conflicts);

static void members_undo(const struct leaf *l, struct json *patch, struct strv *conflicts)
{
	for json_each(m, l->ours) {
		const char *key = json_key(m);
		char *path CLEANUP(freep) = child_path(l->path, key);
		struct leaf child = {
			.key = key, .path = path, .ours = m,
			.before = json_get(l->before, key), .today = json_get(l->today, key),
		};

		if (is_object(m))
			object_undo(&child, patch, conflicts);
		else
			leaf_undo(&child, patch, conflicts);
	}
}

/* An object from before stays; one that we made goes when nothing of others is left in it. */
static void object_undo(const struct leaf *l, struct json *patch, struct strv *conflicts)
{
	struct json *applied CLEANUP(json_freep) = json_merge(l->before, l->ours);
	struct json *inner CLEANUP(json_freep) = json_obj(), *rest CLEANUP(json_freep) = NULL;

	if (!l->today || json_equal(applied, l->before) || json_equal(l->today, l->before))
		return;
	if (!is_object(l->today)) {
		strv_add(conflicts, l->path);
		return;
	}
	members_undo(l, inner, conflicts);
	rest = json_merge(l->today, inner);
	if (!is_object(l->before) && !json_len(rest)) {
		give_back(patch, l);
		return;
	}
	if (l->before && !is_object(l->before))
		strv_add(conflicts, l->path);
	if (json_len(inner))
		json_set(patch, l->key, json_dup(inner));
}

int json_unmerge(const struct json *today, const struct json *before, const struct json *ours,
		 struct json **ret, struct strv *conflicts)
{
	struct leaf root = { .before = before, .today = today, .ours = ours };
	struct json *patch;

	if (today && !is_object(today))
		return -1;
	patch = json_obj();
	if (today)
		members_undo(&root, patch, conflicts);
	*ret = patch;
	return 0;
}
