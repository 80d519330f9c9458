/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rollback.h"

#include "engine/chain.h"

#include <limits.h>

/* Where the target of transaction `id` is, if it is a rollback, at least `from`; else 0. */
static int target_since(const struct state *s, unsigned int from, unsigned int id,
			unsigned int *ret, struct err *err)
{
	struct txn_summary t;

	*ret = 0;
	if (!txnlog_exists(s, id))
		return 0;
	if (txnlog_read(s, id, &t, err))
		return -1;
	*ret = chain_target(&t);
	if (*ret < from)
		*ret = 0;
	txn_summary_release(&t);
	return 0;
}

/*
 * From the newest backwards. A rollback with a target among them has undone all from there on, and
 * needs no undoing together with it: what is left runs in one direction, but for a rollback to
 * before `from`.
 */
static int records_since(struct records *r, const struct state *s, unsigned int from,
			 struct err *err)
{
	unsigned int id, target, *ids CLEANUP(freep) = NULL;
	size_t n = 0;

	if (txnlog_newest(s, &id, err))
		return -1;
	for (; id >= from; id--) {
		if (target_since(s, from, id, &target, err))
			return -1;
		if (target) {
			id = target;
			continue;
		}
		ids = xreallocarray(ids, n + 1, sizeof(*ids));
		ids[n++] = id;
	}
	while (n > 0)
		if (records_add_txn(r, s, ids[--n], err))
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

/* Links the records of the key of `first`; the newest of them. */
static struct record *link_key(struct records *h, size_t first)
{
	struct record *newest = &h->v[first];

	for (size_t i = first + 1; i < h->n; i++)
		if (!strcmp(h->v[i].action->key, h->v[first].action->key)) {
			newest->next = &h->v[i];
			newest = &h->v[i];
		}
	return newest;
}

static void append_with_escorts(struct plan *p, struct action *a, int rank, bool forward)
{
	struct action *e;

	a->rank = a->ops->rank ? a->ops->rank(a, forward) : rank;
	append(p, a);
	for (unsigned int i = 0; a->ops->escort && (e = a->ops->escort(a, i)); i++) {
		if (e->ops->rank)
			e->rank = e->ops->rank(e, forward);
		append(p, e);
	}
}

/*
 * One inverted action per key: the oldest record has the before-image, the newest the after-image.
 * Where one of them belongs to a rollback, something that was taken back comes again.
 */
static int invert_key(struct plan *back, struct plan *again, struct records *h, size_t first,
		      struct err *err)
{
	struct record *oldest = &h->v[first], *newest = link_key(h, first);
	bool forward = records_come_again(oldest, newest);
	struct action *a = NULL;

	if (oldest->action->ops->invert(oldest, newest, &a, err))
		return err_prefix(err, "cannot take back %s", oldest->action->key);
	if (a)
		append_with_escorts(forward ? again : back, a, oldest->action->rank, forward);
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

/* Of a target that was taken back already what was before is settled. */
static bool is_settled(const struct records *r, size_t at)
{
	for (size_t i = at; i < r->n; i++)
		if (r->v[i].action->back && !strcmp(r->v[i].action->key, r->v[at].action->key))
			return true;
	return false;
}

static void keep_step(struct records *r, const char *step)
{
	struct records kept = RECORDS_INIT;

	kept.v = xcalloc(r->n + 1, sizeof(*kept.v));
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].action->step, step) && !is_settled(r, i)) {
			kept.v[kept.n++] = r->v[i];
			r->v[i].action = NULL;
		}
	for (size_t i = 0; i < r->n; i++)
		action_free((struct action *)r->v[i].action);
	free(r->v);
	*r = kept;
}

/* Where it stood on the way there, seen from the other side: minus that. */
static int mirrored(int rank)
{
	return rank > 0 ? -rank : rank;
}

static int take_back_key(struct plan *ret, struct records *r, size_t first, const char *step,
			 struct err *err)
{
	struct record *oldest = &r->v[first], *newest = link_key(r, first);
	struct action *a = NULL;

	if (oldest->action->ops->invert(oldest, newest, &a, err))
		return err_prefix(err, "cannot take back %s", oldest->action->key);
	if (!a || plan_has(ret, a->key)) {
		action_free(a);
		return 0;
	}
	a->rank = a->ops->rank ? a->ops->rank(a, true) : mirrored(oldest->action->rank);
	a->back = true;
	str_replace(&a->step, step);
	plan_add(ret, a);
	return 0;
}

int take_back_plan(struct plan *ret, const struct state *s, const char *step, struct err *err)
{
	struct records r CLEANUP(records_release) = RECORDS_INIT;
	bool any;

	if (records_in_force(&r, s, UINT_MAX, &any, err))
		return -1;
	keep_step(&r, step);
	for (size_t i = r.n; i-- > 0;)
		if (!seen_before(&r, i) && take_back_key(ret, &r, i, step, err))
			return -1;
	return 0;
}
