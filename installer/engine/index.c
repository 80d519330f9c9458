/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/index.h"

#include "engine/chain.h"
#include "sys/fs.h"

#define INDEX_MAX (64 * 1024 * 1024)

/* { "last": N, "keys": {...} }; anything unreadable is an empty index made up to transaction 0. */
static struct json *index_read(const struct state *s)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct json *j = NULL;

	if (s->fd >= 0 && !fs_read_at(s->fd, "index.json", INDEX_MAX, &text, &ignored))
		json_parse(text.data, text.len, JSON_STRICT, "index", &j, &ignored);
	if (json_get(j, "keys") && json_get(j, "last"))
		return j;
	json_free(j);
	j = json_obj();
	json_set_i64(j, "last", 0);
	json_set(j, "keys", json_obj());
	return j;
}

static void index_take(struct json *keys, unsigned int id, const struct action *a,
		       const struct root *root)
{
	struct json *entry = a->ops->index ? a->ops->index(a, root) : NULL;

	if (!entry) {
		json_del(keys, a->key);
		return;
	}
	json_set_i64(entry, "txn", id);
	json_set_str(entry, "kind", a->ops->kind);
	if (a->origin)
		json_set(entry, "origin", json_dup(a->origin));
	json_set(keys, a->key, entry);
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

/* What was ours before transaction `before`, out of the n oldest. */
static int replay(const struct state *s, const unsigned int *ids, size_t n, unsigned int before,
		  struct json *keys, struct err *err)
{
	unsigned int *in_force CLEANUP(freep) = NULL;
	size_t have;

	if (chain_in_force(s, ids, n, before, &in_force, &have, err))
		return -1;
	for (size_t i = 0; i < have; i++) {
		struct txn_summary t;
		int r;

		if (txnlog_read(s, in_force[i], &t, err))
			return -1;
		r = index_take_all(keys, &t, s->root, err);
		txn_summary_release(&t);
		if (r)
			return r;
	}
	return 0;
}

static int index_take_txn(const struct state *s, const unsigned int *ids, size_t at,
			  struct json *index, struct err *err)
{
	struct txn_summary t;
	unsigned int target;
	int r = txnlog_read(s, ids[at], &t, err);

	if (r)
		return r;
	target = chain_target(&t);
	if (target) {
		struct json *keys = json_obj();

		r = replay(s, ids, at, target, keys, err);
		json_set(index, "keys", keys);
	} else if (t.state == TXN_COMMITTED) {
		r = index_take_all(json_get_mut(index, "keys"), &t, s->root, err);
	}
	txn_summary_release(&t);
	return r;
}

/* The last of our transactions that has come to its end counts; an unfinished one is left for
 * later. */
static int catch_up(const struct state *s, struct json *index, bool *ret_changed, struct err *err)
{
	unsigned int *ids CLEANUP(freep) = NULL;
	size_t n;
	int64_t last = json_get_i64(index, "last", 0);

	if (txnlog_list(s, &ids, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (ids[i] <= last)
			continue;
		if (index_take_txn(s, ids, i, index, err))
			return -1;
		json_set_i64(index, "last", ids[i]);
		*ret_changed = true;
	}
	return 0;
}

int index_load(const struct state *s, struct json **ret, struct err *err)
{
	struct json *index CLEANUP(json_freep) = index_read(s);
	bool changed = false;

	if (catch_up(s, index, &changed, err))
		return -1;
	*ret = json_dup(json_get(index, "keys"));
	return 0;
}

int index_save(struct state *s, struct err *err)
{
	struct json *index CLEANUP(json_freep) = index_read(s);
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	bool changed = false;

	if (catch_up(s, index, &changed, err))
		return -1;
	if (!changed)
		return 0;
	json_print(index, &text);
	return fs_put(s->fd, "index.json", 0600, text.data, text.len, err);
}
