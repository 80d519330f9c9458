/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rollback.h"

#include "engine/chain.h"

#include <limits.h>

static int records_since(struct records *r, const struct state *s, unsigned int from,
			 struct err *err)
{
	unsigned int newest;

	if (txnlog_newest(s, &newest, err))
		return -1;
	for (unsigned int id = from; id <= newest; id++)
		if (records_add_txn(r, s, id, err))
			return -1;
	return 0;
}

/* Class and, for a rollback, the first transaction it took back. */
static bool counts_as_last(const struct txn_summary *t, unsigned int *undone_from)
{
	const char *class = json_get_str(t->begin, "class");
	int64_t from = json_get_i64(t->begin, "rollback_to", 0);

	if (t->state != TXN_COMMITTED || str_eq(class, "background") ||
	    (*undone_from && t->id >= *undone_from))
		return false;
	if (str_eq(class, "rollback")) {
		if (from && (!*undone_from || from < *undone_from))
			*undone_from = (unsigned int)from;
		return false;
	}
	return true;
}

/* From the newest backwards; whatever lies at or behind a rollback's target up to that rollback is
 * undone already. */
int rollback_last(const struct state *s, unsigned int *ret, struct err *err)
{
	unsigned int undone_from = 0, id, found = 0;

	if (txnlog_newest(s, &id, err))
		return -1;
	for (; !found && id > s->pruned; id--) {
		struct txn_summary t;

		if (!txnlog_exists(s, id))
			continue;
		if (txnlog_read(s, id, &t, err))
			return -1;
		if (counts_as_last(&t, &undone_from))
			found = t.id;
		txn_summary_release(&t);
	}
	*ret = found;
	return 0;
}

static int too_old(const struct state *s, struct err *err)
{
	return err_remedy(
		err,
		"sysboxup rollback %u is the furthest back that the history reaches; sysboxup uninstall takes back everything",
		s->pruned + 1);
}

/* None is found where all that are kept are taken back; but what is pruned may still be in
 * force. */
static int find_last(const struct state *s, unsigned int *ret, struct err *err)
{
	struct chain c CLEANUP(chain_release) = CHAIN_INIT;

	if (rollback_last(s, ret, err))
		return -1;
	if (*ret || !s->pruned)
		return 0;
	if (chain_read(&c, s, UINT_MAX, err))
		return -1;
	if (!c.base)
		return 0;
	err_set(err, ERR_REFUSED,
		"what is still in place is of transactions that are pruned: nothing that is kept is left to roll back");
	return err_remedy(err, "sysboxup uninstall takes back everything");
}

static int check_id(const struct state *s, unsigned int id, struct err *err)
{
	struct txn_summary t;
	int r;

	if (id <= s->pruned) {
		err_set(err, ERR_REFUSED, "transaction %u is pruned: there is no way back to before it alone", id);
		return too_old(s, err);
	}
	r = txnlog_read(s, id, &t, err);
	if (r)
		return err_remedy(err, "see: sysboxup history");
	if (t.state != TXN_COMMITTED) {
		r = err_set(err, ERR_USAGE, "transaction %u was never committed: there is nothing to take back", id);
		err_remedy(err, "see: sysboxup history");
	}
	txn_summary_release(&t);
	return r;
}

static void append(struct plan *p, struct action *a)
{
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = a;
}

static bool is_rollback(const struct record *r)
{
	return str_eq(r->action->step, "rollback");
}

/*
 * One inverted action per key: the oldest record has the before-image, the newest the after-image.
 * Where one of them belongs to a rollback, something that was taken back comes again.
 */
static int invert_key(struct plan *back, struct plan *again, struct records *h, size_t first,
		      struct err *err)
{
	struct record *oldest = &h->v[first], *newest = oldest;
	struct action *a = NULL;

	for (size_t i = first + 1; i < h->n; i++)
		if (!strcmp(h->v[i].action->key, oldest->action->key)) {
			newest->next = &h->v[i];
			newest = &h->v[i];
		}
	if (oldest->action->ops->invert(oldest, newest, &a, err))
		return err_prefix(err, "cannot take back %s", oldest->action->key);
	if (!a)
		return 0;
	a->rank = oldest->action->rank;
	append(is_rollback(oldest) || is_rollback(newest) ? again : back, a);
	return 0;
}

static bool seen_before(const struct records *h, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(h->v[i].action->key, h->v[at].action->key))
			return true;
	return false;
}

static void reverse(struct plan *p)
{
	for (size_t i = 0; i < p->n / 2; i++) {
		struct action *a = p->v[i];

		p->v[i] = p->v[p->n - 1 - i];
		p->v[p->n - 1 - i] = a;
	}
}

static void sort_by_rank(struct plan *p)
{
	for (size_t i = 1; i < p->n; i++) {
		struct action *a = p->v[i];
		size_t k = i;

		for (; k > 0 && p->v[k - 1]->rank > a->rank; k--)
			p->v[k] = p->v[k - 1];
		p->v[k] = a;
	}
}

/*
 * The way back runs against the order of ranks, and against the order of the plan within a rank.
 * What comes again is a way forward behind it: its records stand in the order of a way back, so
 * they are reversed first.
 */
static void join_sorted(struct plan *ret, struct plan *back, struct plan *again)
{
	sort_by_rank(back);
	reverse(back);
	reverse(again);
	sort_by_rank(again);
	for (size_t i = 0; i < back->n; i++)
		append(ret, back->v[i]);
	for (size_t i = 0; i < again->n; i++)
		append(ret, again->v[i]);
	back->n = again->n = 0;
}

static int records_invert(struct plan *ret, struct records *h, struct err *err)
{
	struct plan back CLEANUP(plan_release) = PLAN_INIT, again CLEANUP(plan_release) = PLAN_INIT;

	for (size_t i = 0; i < h->n; i++)
		if (!seen_before(h, i) && invert_key(&back, &again, h, i, err))
			return -1;
	join_sorted(ret, &back, &again);
	return 0;
}

int rollback_plan(struct plan *ret, const struct action_ctx *ctx, unsigned int id,
		  unsigned int *ret_id, struct err *err)
{
	struct records r CLEANUP(records_release) = RECORDS_INIT;

	if (id ? check_id(ctx->state, id, err) : find_last(ctx->state, &id, err))
		return -1;
	if ((id && records_since(&r, ctx->state, id, err)) || records_invert(ret, &r, err) ||
	    root_looks_good(err))
		return -1;
	*ret_id = id;
	return 0;
}

int uninstall_plan(struct plan *ret, const struct action_ctx *ctx, bool *ret_any, struct err *err)
{
	struct records r CLEANUP(records_release) = RECORDS_INIT;
	bool any;

	if (records_in_force(&r, ctx->state, UINT_MAX, &any, err) ||
	    records_invert(ret, &r, err) || root_looks_good(err))
		return -1;
	*ret_any = any;
	return 0;
}
