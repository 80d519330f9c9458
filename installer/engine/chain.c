/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/chain.h"

#include "journal/base.h"

unsigned int chain_target(const struct txn_summary *t)
{
	return t->state == TXN_COMMITTED ? (unsigned int)json_get_i64(t->begin, "rollback_to", 0) :
					   0;
}

static void chain_reverse(struct chain *c)
{
	for (size_t i = 0; i < c->n / 2; i++) {
		unsigned int id = c->ids[i];

		c->ids[i] = c->ids[c->n - 1 - i];
		c->ids[c->n - 1 - i] = id;
	}
}

/* Where to go on from transaction id: before its target, if it is a rollback, else before it. */
static int chain_step(struct chain *c, const struct state *s, unsigned int id,
		      unsigned int *ret_before, struct err *err)
{
	struct txn_summary t;
	unsigned int target;

	*ret_before = id;
	if (!txnlog_exists(s, id))
		return 0;
	if (txnlog_read(s, id, &t, err))
		return -1;
	target = chain_target(&t);
	if (target) {
		*ret_before = target;
	} else if (t.state == TXN_COMMITTED) {
		c->ids = xreallocarray(c->ids, c->n + 1, sizeof(*c->ids));
		c->ids[c->n++] = id;
	}
	txn_summary_release(&t);
	return 0;
}

/* *before is at most behind the newest. */
static int chain_top(const struct state *s, unsigned int *before, struct err *err)
{
	unsigned int newest;

	if (txnlog_newest(s, &newest, err))
		return -1;
	if (newest < s->pruned)
		newest = s->pruned;
	if (*before > newest)
		*before = newest + 1;
	return 0;
}

int chain_read(struct chain *ret, const struct state *s, unsigned int before, struct err *err)
{
	struct chain c CLEANUP(chain_release) = CHAIN_INIT;

	if (chain_top(s, &before, err))
		return -1;
	while (before > s->pruned + 1)
		if (chain_step(&c, s, before - 1, &before, err))
			return -1;
	c.base = s->pruned && before == s->pruned + 1;
	chain_reverse(&c);
	*ret = c;
	c = (struct chain)CHAIN_INIT;
	return 0;
}

void chain_release(struct chain *c)
{
	free(c->ids);
	*c = (struct chain)CHAIN_INIT;
}

static int profile_of_base(const struct state *s, struct buf *ret, struct err *err)
{
	struct json *base CLEANUP(json_freep) = NULL;
	const char *text;

	if (base_read(s, &base, err))
		return -1;
	text = json_get_str(base, "profile");
	if (!text)
		return 1;
	buf_adds(ret, text);
	return 0;
}

static int profile_of(const struct state *s, unsigned int id, struct buf *ret, struct err *err)
{
	struct txn_summary t;
	const char *text;

	if (txnlog_read(s, id, &t, err))
		return -1;
	text = json_get_str(json_get(t.begin, "profile"), "text");
	if (text)
		buf_adds(ret, text);
	txn_summary_release(&t);
	return text ? 0 : 1;
}

/* No further back than to the first that has one: that is the newest, mostly. */
int chain_profile(const struct state *s, unsigned int before, struct buf *ret, struct err *err)
{
	int r = 1;

	if (chain_top(s, &before, err))
		return -1;
	while (r > 0 && before > s->pruned + 1) {
		struct chain c CLEANUP(chain_release) = CHAIN_INIT;

		if (chain_step(&c, s, before - 1, &before, err))
			return -1;
		if (c.n)
			r = profile_of(s, c.ids[0], ret, err);
	}
	return r > 0 && s->pruned && before == s->pruned + 1 ? profile_of_base(s, ret, err) : r;
}

/* ---- records ---- */

void records_release(struct records *r)
{
	for (size_t i = 0; i < r->n; i++)
		action_free((struct action *)r->v[i].action);
	free(r->v);
	*r = (struct records)RECORDS_INIT;
}

static int records_add(struct records *r, const struct json *actions, unsigned int txn,
		       struct err *err)
{
	unsigned int index = 0;

	for json_each(j, actions) {
		struct action *a = NULL;

		if (action_decode(j, &a, err))
			return err_prefix(err, "transaction %u", txn);
		r->v = xreallocarray(r->v, r->n + 1, sizeof(*r->v));
		r->v[r->n++] = (struct record){ a, txn, index++, NULL };
	}
	return 0;
}

int records_add_txn(struct records *r, const struct state *s, unsigned int id, struct err *err)
{
	struct txn_summary t;
	int got = 0;

	if (!txnlog_exists(s, id))
		return 0;
	if (txnlog_read(s, id, &t, err))
		return -1;
	if (t.state == TXN_COMMITTED)
		got = records_add(r, json_get(t.prepared, "actions"), id, err);
	txn_summary_release(&t);
	return got;
}

static int records_add_base(struct records *r, const struct state *s, struct err *err)
{
	struct json *base CLEANUP(json_freep) = NULL;

	return base_read(s, &base, err) ? -1 :
					  records_add(r, json_get(base, "actions"), s->pruned, err);
}

int records_in_force(struct records *r, const struct state *s, unsigned int before, bool *ret_any,
		     struct err *err)
{
	struct chain c CLEANUP(chain_release) = CHAIN_INIT;

	if (chain_read(&c, s, before, err) || (c.base && records_add_base(r, s, err)))
		return -1;
	for (size_t i = 0; i < c.n; i++)
		if (records_add_txn(r, s, c.ids[i], err))
			return -1;
	*ret_any = r->n || c.n;
	return 0;
}
