/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/index.h"

#include "engine/chain.h"
#include "journal/base.h"
#include "sys/fs.h"
#include "sys/stamp.h"

#define INDEX_MAX (64 * 1024 * 1024)

static struct json *index_read(const struct state *s)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct json *j = NULL;

	if (s->txn_fd >= 0 && !fs_read_at(s->fd, "index.json", INDEX_MAX, &text, &ignored))
		json_parse(text.data, text.len, JSON_STRICT, "index", &j, &ignored);
	if (json_get(j, "keys") && json_get(j, "last") && json_get(j, "spans"))
		return j;
	json_free(j);
	return NULL;
}

static void index_put(struct json *keys, const char *key, struct json *entry, unsigned int id,
		      const struct action *a)
{
	json_set_i64(entry, "txn", id);
	if (a->origin)
		json_set(entry, "origin", json_dup(a->origin));
	json_set(keys, key, entry);
}

static void index_take(struct json *keys, unsigned int id, const struct action *a,
		       const struct root *root)
{
	struct json *entry = a->ops->index && !a->back ? a->ops->index(a, root) : NULL;

	if (!entry) {
		json_del(keys, a->key);
		return;
	}
	if (a->ops->several) {
		for json_each(one, entry)
			index_put(keys, json_key(one), json_dup(one), id, a);
		json_free(entry);
		return;
	}
	json_set_str(entry, "kind", a->ops->kind);
	index_put(keys, a->key, entry, id, a);
}

static int index_take_all(struct json *keys, const struct txn_summary *t, const struct root *root,
			  struct err *err)
{
	for json_each(j, json_get(t->prepared, "actions")) {
		struct action *a CLEANUP(action_freep) = NULL;

		if (action_decode(j, &a, err))
			return -1;
		index_take(keys, t->id, a, root);
	}
	return 0;
}

/* ---- from the records ---- */

static int keys_of_base(const struct state *s, struct json **ret, struct err *err)
{
	struct json *base CLEANUP(json_freep) = NULL;

	if (base_read(s, &base, err))
		return -1;
	json_free(*ret);
	*ret = json_get(base, "keys") ? json_dup(json_get(base, "keys")) : json_obj();
	return 0;
}

static int keys_of_txn(struct json *keys, const struct state *s, unsigned int id, struct err *err)
{
	struct txn_summary t;
	int r;

	if (txnlog_read(s, id, &t, err))
		return -1;
	r = index_take_all(keys, &t, s->root, err);
	txn_summary_release(&t);
	return r;
}

int index_before(const struct state *s, unsigned int before, struct json **ret, struct err *err)
{
	struct chain c CLEANUP(chain_release) = CHAIN_INIT;
	struct json *keys CLEANUP(json_freep) = json_obj();

	if (chain_read(&c, s, before, err) || (c.base && keys_of_base(s, &keys, err)))
		return -1;
	for (size_t i = 0; i < c.n; i++)
		if (keys_of_txn(keys, s, c.ids[i], err))
			return -1;
	*ret = STEAL(keys);
	return 0;
}

static void add_span(struct json *index, unsigned int target, unsigned int id)
{
	struct json *span = json_arr();

	json_add(span, json_num(target));
	json_add(span, json_num(id));
	json_add(json_get_mut(index, "spans"), span);
}

static int add_size(struct json *index, const struct state *s, unsigned int id, struct err *err)
{
	uint64_t bytes;

	if (txnlog_usage(s, id, &bytes, err))
		return -1;
	json_set_i64(index, "size", json_get_i64(index, "size", 0) + (int64_t)bytes);
	return 0;
}

/* All of a transaction but its keys. */
static int count_txn(struct json *index, const struct state *s, const struct txn_summary *t,
		     struct err *err)
{
	if (chain_target(t))
		add_span(index, chain_target(t), t->id);
	return add_size(index, s, t->id, err);
}

static int count_id(struct json *index, const struct state *s, unsigned int id, struct err *err)
{
	struct txn_summary t;
	int r;

	if (!txnlog_exists(s, id))
		return 0;
	if (txnlog_read(s, id, &t, err))
		return -1;
	r = count_txn(index, s, &t, err);
	txn_summary_release(&t);
	return r;
}

static int index_make(const struct state *s, unsigned int newest, struct json **ret,
		      struct err *err)
{
	struct json *index CLEANUP(json_freep) = json_obj(), *keys = NULL;
	uint64_t base = 0;

	json_set_i64(index, "last", newest);
	json_set_i64(index, "base", s->pruned);
	if (s->pruned && base_usage(s, &base, err))
		return -1;
	json_set_i64(index, "size", (int64_t)base);
	json_set(index, "spans", json_arr());
	for (unsigned int id = s->pruned + 1; id <= newest; id++)
		if (count_id(index, s, id, err))
			return -1;
	if (index_before(s, newest + 1, &keys, err))
		return -1;
	json_set(index, "keys", keys);
	*ret = STEAL(index);
	return 0;
}

static int index_take_txn(struct json *index, const struct state *s, const struct txn_summary *t,
			  struct err *err)
{
	unsigned int target = chain_target(t);
	struct json *keys = NULL;

	if (target && index_before(s, target, &keys, err))
		return -1;
	if (target)
		json_set(index, "keys", keys);
	else if (t->state == TXN_COMMITTED &&
		 index_take_all(json_get_mut(index, "keys"), t, s->root, err))
		return -1;
	return count_txn(index, s, t, err);
}

static int index_take_id(struct json *index, const struct state *s, unsigned int id,
			 struct err *err)
{
	struct txn_summary t;
	int r;

	if (txnlog_read(s, id, &t, err))
		return -1;
	r = index_take_txn(index, s, &t, err);
	txn_summary_release(&t);
	if (!r)
		json_set_i64(index, "last", id);
	return r;
}

static int catch_up(const struct state *s, struct json *index, unsigned int newest, struct err *err)
{
	unsigned int last = (unsigned int)json_get_i64(index, "last", 0);

	for (unsigned int id = last + 1; id <= newest; id++)
		if (txnlog_exists(s, id) && index_take_id(index, s, id, err))
			return -1;
	return 0;
}

/* ---- the cache ---- */

static bool index_of_base(const struct json *index, const struct state *s)
{
	return json_get_i64(index, "base", -1) == s->pruned;
}

/* One of another history, or from before the last pruning, is made anew. */
int index_open(const struct state *s, struct json **ret, bool *ret_changed, struct err *err)
{
	struct json *index CLEANUP(json_freep) = index_read(s);
	unsigned int newest;
	int64_t last = json_get_i64(index, "last", -1);

	if (txnlog_newest(s, &newest, err))
		return -1;
	if (!index || !index_of_base(index, s) || last > newest) {
		*ret_changed = true;
		return index_make(s, newest, ret, err);
	}
	if (catch_up(s, index, newest, err))
		return -1;
	*ret_changed = last < newest;
	*ret = STEAL(index);
	return 0;
}

int index_load(const struct state *s, struct json **ret, struct err *err)
{
	struct json *index CLEANUP(json_freep) = NULL;
	bool changed;

	if (index_open(s, &index, &changed, err))
		return -1;
	*ret = json_dup(json_get(index, "keys"));
	return 0;
}

/* Of an image that is to be the same each time there is none: it says how many blocks of a disk the
 * records take. */
static int index_forget(struct state *s, struct err *err)
{
	return fs_unlink(s->fd, "index.json", err) ? -1 : fs_sync_dir(s->fd, err);
}

int index_write(struct state *s, const struct json *index, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (stamp_fixed())
		return index_forget(s, err);
	json_print(index, &text);
	return fs_put(s->fd, "index.json", 0600, text.data, text.len, err);
}

/* An index that does not know the base is one that a pruning left which did not come to its end. */
static int tidy(struct state *s, struct err *err)
{
	struct json *index CLEANUP(json_freep) = index_read(s);

	return index_of_base(index, s) || !s->pruned ? 0 : base_tidy(s, err);
}

int index_save(struct state *s, struct err *err)
{
	struct json *index CLEANUP(json_freep) = NULL;
	bool changed;

	if (tidy(s, err) || index_open(s, &index, &changed, err))
		return -1;
	return changed ? index_write(s, index, err) : 0;
}
