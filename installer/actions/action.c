/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/action.h"

struct action *action_new(const struct action_ops *ops, const char *key, const char *step, int rank,
			  void *data)
{
	struct action *a = xcalloc(1, sizeof(*a));

	a->ops = ops;
	a->key = xstrdup(key);
	a->step = xstrdup(step);
	a->rank = rank;
	a->data = data;
	return a;
}

void action_free(struct action *a)
{
	if (!a)
		return;
	if (a->data)
		a->ops->release(a);
	json_free(a->origin);
	free(a->key);
	free(a->step);
	free(a);
}

void action_freep(struct action **a)
{
	action_free(*a);
}

bool action_fold_oldest(struct action *older, const struct action *newer)
{
	return true;
}

int action_invert_nothing(const struct record *oldest, const struct record *newest,
			  struct action **ret, struct err *err)
{
	*ret = NULL;
	return 0;
}

static bool of_rollback(const struct record *r)
{
	return !strcmp(r->action->step, "rollback");
}

bool records_come_again(const struct record *oldest, const struct record *newest)
{
	return of_rollback(oldest) || of_rollback(newest);
}

struct json *action_encode(const struct action *a)
{
	struct json *j = json_obj(), *data = json_obj();

	json_set_str(j, "kind", a->ops->kind);
	json_set_str(j, "key", a->key);
	json_set_str(j, "step", a->step);
	json_set_i64(j, "rank", a->rank);
	if (a->back)
		json_set_bool(j, "back", true);
	if (a->origin)
		json_set(j, "origin", json_dup(a->origin));
	a->ops->encode(a, data);
	json_set(j, "data", data);
	return j;
}

int action_decode(const struct json *j, struct action **ret, struct err *err)
{
	const char *kind = json_get_str(j, "kind"), *key = json_get_str(j, "key"),
		   *step = json_get_str(j, "step");
	const struct json *data = json_get(j, "data"), *origin = json_get(j, "origin");
	const struct action_ops *ops = kind ? action_kind(kind) : NULL;
	struct action *a CLEANUP(action_freep) = NULL;

	if (!kind || !key || !step || !data)
		return err_set(err, ERR_FAILED, "a record without kind, key, step or data");
	if (!ops)
		return err_set(err, ERR_FAILED, "the record of '%s' is of kind '%s', which this version does not know", key, kind);
	a = action_new(ops, key, step, (int)json_get_i64(j, "rank", 0), NULL);
	a->back = json_get_bool(j, "back", false);
	if (origin)
		a->origin = json_dup(origin);
	if (ops->decode(a, data, err))
		return err_prefix(err, "the record of '%s'", key);
	*ret = STEAL(a);
	return 0;
}

const struct action_ops *action_kind(const char *name)
{
	for (const struct action_ops *const *o = action_kinds; *o; o++)
		if (!strcmp((*o)->kind, name))
			return *o;
	return NULL;
}
