/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/prune.h"

#include "engine/chain.h"
#include "engine/index.h"
#include "engine/rollback.h"
#include "journal/base.h"
#include "sys/fs.h"

#include <unistd.h>

/* ---- what stays: the base ---- */

/* The last one of this key before `end`; NULL: none. */
static struct record *last_of(const struct records *r, size_t end, const char *key)
{
	while (end-- > 0)
		if (str_eq(r->v[end].action->key, key))
			return &r->v[end];
	return NULL;
}

static bool fold_into(struct record *older, const struct action *newer)
{
	struct action *a = (struct action *)older->action;

	if (a->ops != newer->ops || !a->ops->fold || !a->ops->fold(a, newer))
		return false;
	a->back = newer->back;
	return true;
}

static void records_drop(struct records *r, struct record *one)
{
	size_t at = (size_t)(one - r->v);

	action_free((struct action *)one->action);
	memmove(one, one + 1, (--r->n - at) * sizeof(*one));
}

/* `last` says nothing between what is before it and `new`: that takes its place. */
static bool fold_idle(struct records *r, struct record *last, struct record *new)
{
	struct record *first = last_of(r, (size_t)(last - r->v), last->action->key);
	const struct action_ops *ops = last->action->ops;

	if (!first || !ops->idle || !ops->idle(last->action))
		return false;
	action_free((struct action *)last->action);
	*last = *new;
	if (fold_into(first, last->action))
		records_drop(r, last);
	return true;
}

/* Takes the action of `one` over. */
static void fold_one(struct records *r, struct record one)
{
	struct record *last = last_of(r, r->n, one.action->key);

	if (last && fold_into(last, one.action)) {
		action_free((struct action *)one.action);
	} else if (!last || !fold_idle(r, last, &one)) {
		r->v = xreallocarray(r->v, r->n + 1, sizeof(*r->v));
		r->v[r->n++] = one;
	}
}

static void fold_all(struct records *all, struct records *ret)
{
	for (size_t i = 0; i < all->n; i++) {
		fold_one(ret, all->v[i]);
		all->v[i].action = NULL;
	}
	all->n = 0;
}

static int base_body(const struct state *s, unsigned int to, const struct records *r,
		     struct json **ret, struct err *err)
{
	struct json *body CLEANUP(json_freep) = json_obj(), *keys = NULL, *actions = json_arr();
	struct buf profile CLEANUP(buf_release) = BUF_INIT;
	int known = chain_profile(s, to + 1, &profile, err);

	json_set_i64(body, "last", to);
	if (!known)
		json_set_str(body, "profile", profile.data);
	for (size_t i = 0; i < r->n; i++)
		json_add(actions, action_encode(r->v[i].action));
	json_set(body, "actions", actions);
	if (known < 0 || index_before(s, to + 1, &keys, err))
		return -1;
	json_set(body, "keys", keys);
	*ret = STEAL(body);
	return 0;
}

static int make_base(struct state *s, unsigned int to, struct err *err)
{
	struct records all CLEANUP(records_release) = RECORDS_INIT,
		       kept CLEANUP(records_release) = RECORDS_INIT;
	struct json *body CLEANUP(json_freep) = NULL;
	int fd CLEANUP(closep) = -1;
	bool any;

	if (records_in_force(&all, s, to + 1, &any, err))
		return -1;
	fold_all(&all, &kept);
	if (base_body(s, to, &kept, &body, err) || base_begin(s, &fd, err))
		return -1;
	for (unsigned int i = 0; i < kept.n; i++)
		if (base_keep(s, fd, kept.v[i].txn, kept.v[i].index, i, err))
			return -1;
	return base_publish(s, fd, to, body, err);
}

/* ---- how far ---- */

struct span {
	unsigned int target, id;
};

static struct span span_of(const struct json *j)
{
	const struct json *target = json_first(j), *id = target ? json_next(target) : NULL;

	return (struct span){ target ? (unsigned int)json_number(target) : 0,
			      id ? (unsigned int)json_number(id) : 0 };
}

/* A span that `at` would cut; one that begins with the first transaction can be cut: before it
 * there is nothing. */
static bool cut_by(const struct json *index, unsigned int at, struct span *ret)
{
	for json_each(j, json_get(index, "spans")) {
		struct span one = span_of(j);

		if (one.target > 1 && one.target <= at && at < one.id) {
			*ret = one;
			return true;
		}
	}
	return false;
}

static unsigned int before_spans(const struct json *index, unsigned int at)
{
	struct span cut;

	while (cut_by(index, at, &cut))
		at = cut.target - 1;
	return at;
}

static unsigned int behind_spans(const struct json *index, unsigned int at)
{
	struct span cut;

	while (cut_by(index, at, &cut))
		at = cut.id;
	return at;
}

/* As far as `want`, or a step towards it; `most` is not to be passed. */
static unsigned int step_to(const struct json *index, unsigned int from, unsigned int want,
			    unsigned int most)
{
	unsigned int at = want > from + PRUNE_RUN ? from + PRUNE_RUN : want;
	unsigned int before = before_spans(index, at), behind = behind_spans(index, at);

	if (before > from)
		return before;
	return behind <= most ? behind : from;
}

/* The oldest that must go so that no more than `most` bytes are left. */
static int want_by_size(const struct state *s, uint64_t size, uint64_t most, unsigned int limit,
			unsigned int *ret, struct err *err)
{
	unsigned int at = s->pruned;

	while (size > most && at < limit && at < s->pruned + PRUNE_RUN) {
		uint64_t one;

		if (txnlog_usage(s, ++at, &one, err))
			return -1;
		size -= one < size ? one : size;
	}
	*ret = at;
	return 0;
}

static int find_limit(const struct state *s, unsigned int newest, unsigned int *ret,
		      struct err *err)
{
	unsigned int last;

	if (rollback_last(s, &last, err))
		return -1;
	*ret = (last ? last : newest) - 1;
	return 0;
}

/* ---- the run ---- */

static int count_off(struct json *index, const struct state *s, unsigned int to, struct err *err)
{
	uint64_t off = 0, one;

	if (base_usage(s, &off, err))
		return -1;
	for (unsigned int id = s->pruned + 1; id <= to; id++) {
		if (txnlog_usage(s, id, &one, err))
			return -1;
		off += one;
	}
	json_set_i64(index, "size", json_get_i64(index, "size", 0) - (int64_t)off);
	return 0;
}

static int count_base(struct json *index, const struct state *s, struct err *err)
{
	struct json *spans = json_arr();
	uint64_t base;

	for json_each(j, json_get(index, "spans"))
		if (span_of(j).id > s->pruned)
			json_add(spans, json_dup(j));
	json_set(index, "spans", spans);
	json_set_i64(index, "base", s->pruned);
	if (base_usage(s, &base, err))
		return -1;
	json_set_i64(index, "size", json_get_i64(index, "size", 0) + (int64_t)base);
	return 0;
}

static int prune_to(struct state *s, struct json *index, unsigned int to, struct err *err)
{
	unsigned int from = s->pruned;

	if (to <= from)
		return 0;
	if (count_off(index, s, to, err) || make_base(s, to, err) || base_drop(s, from + 1, err) ||
	    count_base(index, s, err))
		return -1;
	return index_write(s, index, err);
}

static uint64_t size_of(const struct json *index)
{
	return (uint64_t)json_get_i64(index, "size", 0);
}

/* How much of max_size the files have left. */
static uint64_t room_for_files(const struct json *index, uint64_t max_size)
{
	return max_size > size_of(index) ? max_size - size_of(index) : 0;
}

/* The base grows meanwhile, so once is not always enough. */
static int prune_txns(struct state *s, struct json *index, unsigned int limit, uint64_t most,
		      struct err *err)
{
	unsigned int first = s->pruned, from, want;

	do {
		from = s->pruned;
		if (want_by_size(s, size_of(index), most, limit, &want, err) ||
		    prune_to(s, index, step_to(index, from, want, limit), err))
			return -1;
	} while (s->pruned > from && s->pruned < first + PRUNE_RUN);
	return 0;
}

/* Files first: they can be fetched again. */
static int prune_by_size(struct state *s, struct json *index, unsigned int limit, uint64_t max_size,
			 struct err *err)
{
	uint64_t files;

	if (prune_files(s, room_for_files(index, max_size), err) ||
	    prune_files_usage(s, &files, err) ||
	    prune_txns(s, index, limit, max_size > files ? max_size - files : 0, err))
		return -1;
	return prune_files(s, room_for_files(index, max_size), err);
}

static int prune_by_count(struct state *s, struct json *index, unsigned int newest,
			  unsigned int limit, uint64_t keep, struct err *err)
{
	unsigned int want = newest > keep ? newest - (unsigned int)keep : 0;

	if (want > limit)
		want = limit;
	if (want <= s->pruned)
		return 0;
	return prune_to(s, index, step_to(index, s->pruned, want, want), err);
}

static int prune_index(struct state *s, struct json *index, uint64_t keep, uint64_t max_size,
		       struct err *err)
{
	unsigned int newest = (unsigned int)json_get_i64(index, "last", 0), limit;
	uint64_t files;

	if (prune_files_usage(s, &files, err))
		return -1;
	if (newest <= s->pruned + keep && files + size_of(index) <= max_size)
		return 0;
	if (find_limit(s, newest, &limit, err) ||
	    prune_by_count(s, index, newest, limit, keep, err))
		return -1;
	return prune_by_size(s, index, limit, max_size, err);
}

int prune_run(struct state *s, uint64_t keep, uint64_t max_size, struct err *err)
{
	struct json *index CLEANUP(json_freep) = NULL;
	bool changed;

	if (index_save(s, err) || index_open(s, &index, &changed, err) ||
	    prune_index(s, index, keep, max_size, err))
		return err_prefix(err, "cannot prune the history");
	return 0;
}
