/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"

struct action *plan_find(const struct plan *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i]->key, key))
			return p->v[i];
	return NULL;
}

bool plan_has(const struct plan *p, const char *key)
{
	return plan_find(p, key) != NULL;
}

static void add_one(struct plan *p, struct action *a)
{
	size_t at = p->n;

	if (plan_has(p, a->key))
		abort();
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	while (at > 0 && p->v[at - 1]->rank > a->rank)
		at--;
	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof(*p->v));
	p->v[at] = a;
	p->n++;
}

void plan_add(struct plan *p, struct action *a)
{
	struct action *e;

	if (!a)
		return;
	add_one(p, a);
	for (unsigned int i = 0; a->ops->escort && (e = a->ops->escort(a, i)); i++)
		add_one(p, e);
}

void plan_warn(struct plan *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_take(&p->warnings, xvasprintf(fmt, ap));
	va_end(ap);
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		action_free(p->v[i]);
	free(p->v);
	strv_release(&p->warnings);
	*p = (struct plan)PLAN_INIT;
}

void plan_describe(const struct plan *p, const struct action_ctx *ctx, struct report *r)
{
	for (size_t i = 0; i < p->n; i++)
		p->v[i]->ops->describe(p->v[i], ctx, r);
	for (size_t i = 0; i < p->warnings.n; i++)
		report_warn(r, NULL, "%s", p->warnings.v[i]);
}
