/* SPDX-License-Identifier: Apache-2.0 */
/* Part of step "firewall": what the firewall manager of this host lets through. */
#include "actions/kinds.h"
#include "steps/firewall.h"

#include <unistd.h>

#define STEP "firewall"

static const char *const names[] = {
	[FIREWALL_FIREWALLD] = "firewalld",
	[FIREWALL_UFW] = "ufw",
	[FIREWALL_IPTABLES] = "iptables",
};

/* ---- whose ---- */

static const struct json *ours_of(const struct step_ctx *ctx, const struct manager_ops *m)
{
	char *key CLEANUP(freep) = openings_key(m);

	return json_get(ctx->index, key);
}

/* Switched off for a while it is still the one that has our rules. */
static const struct manager_ops *manager_of_ours(const struct step_ctx *ctx)
{
	for (size_t i = 0; manager_list[i]; i++)
		if (ours_of(ctx, manager_list[i]) && manager_list[i]->available(ctx->host->root))
			return manager_list[i];
	return NULL;
}

/* NULL: the profile names none. */
static const char *name_of(const struct step_ctx *ctx)
{
	enum firewall_backend b = ctx->profile->firewall.backend;

	return b == FIREWALL_FIREWALLD || b == FIREWALL_UFW || b == FIREWALL_IPTABLES ? names[b] :
											NULL;
}

static int named(const struct step_ctx *ctx, const char *name, const struct manager_ops **ret,
		 struct err *err)
{
	const struct manager_ops *m = manager_named(name);

	if (!m->available(ctx->host->root)) {
		err_set(err, ERR_REFUSED, "there is no %s on this host", name);
		return err_remedy(err, "install it, or \"backend\": \"auto\"");
	}
	*ret = m;
	return 0;
}

int openings_manager(const struct step_ctx *ctx, const struct manager_ops **ret, struct err *err)
{
	*ret = NULL;
	if (name_of(ctx))
		return named(ctx, name_of(ctx), ret, err);
	if (ctx->profile->firewall.backend != FIREWALL_AUTO)
		return 0;
	*ret = manager_active(ctx->host->root);
	if (!*ret)
		*ret = manager_of_ours(ctx);
	return 0;
}

/* ---- plan ---- */

static void wanted_openings(const struct profile *p, struct strv *ret)
{
	struct strv ports CLEANUP(strv_release) = STRV_INIT;

	firewall_ports(p, &ports);
	for (size_t i = 0; i < ports.n; i++) {
		for (size_t n = 0; n < p->firewall.networks.n; n++)
			opening_add_network(ret, &p->firewall.networks.v[n], ports.v[i]);
		for (size_t n = 0; n < p->firewall.interfaces.n; n++)
			opening_add_interface(ret, p->firewall.interfaces.v[n], ports.v[i]);
	}
}

/* Who is not root cannot look: what is ours counts as in place then, and apply looks. */
static int look(const struct step_ctx *ctx, const struct manager_ops *m, const struct strv *rules,
		const struct strv *ours, enum opening_state *ret, struct err *err)
{
	if (!geteuid())
		return m->look(ctx->host->root, rules, ret, err) ? err_raise(err, ERR_REFUSED) : 0;
	for (size_t i = 0; i < rules->n; i++)
		ret[i] = strv_has(ours, rules->v[i]) ? OPENING_OURS : OPENING_ABSENT;
	return 0;
}

struct comparison {
	struct strv ours; /* by the index */
	struct strv put, take;
	struct strv left; /* of ours, those that still are */
	bool reload;
};

static void comparison_release(struct comparison *c)
{
	strv_release(&c->ours);
	strv_release(&c->put);
	strv_release(&c->take);
	strv_release(&c->left);
}

/* Or to refuse, when it comes to it. */
static bool is_to_put(enum opening_state s)
{
	return s == OPENING_ABSENT || s == OPENING_DENIED || s == OPENING_OVERRULED ||
	       s == OPENING_UNSAVED;
}

static int compare_wanted(struct comparison *c, const struct step_ctx *ctx,
			  const struct manager_ops *m, const struct strv *wanted, struct err *err)
{
	enum opening_state *states CLEANUP(freep) = xcalloc(wanted->n + 1, sizeof(*states));

	if (look(ctx, m, wanted, &c->ours, states, err))
		return -1;
	for (size_t i = 0; i < wanted->n; i++) {
		c->reload = c->reload || states[i] == OPENING_UNLOADED;
		if (is_to_put(states[i]))
			strv_add(&c->put, wanted->v[i]);
		else if (states[i] != OPENING_THEIRS && strv_has(&c->ours, wanted->v[i]))
			strv_add(&c->left, wanted->v[i]);
	}
	return 0;
}

static int compare(struct comparison *c, const struct step_ctx *ctx, const struct manager_ops *m,
		   const struct strv *wanted, struct err *err)
{
	json_strv(json_get(ours_of(ctx, m), "rules"), &c->ours);
	for (size_t i = 0; i < c->ours.n; i++) {
		if (strv_has(wanted, c->ours.v[i]))
			continue;
		strv_add(&c->take, c->ours.v[i]);
		strv_add(&c->left, c->ours.v[i]);
	}
	return compare_wanted(c, ctx, m, wanted, err);
}

static int plan_manager(struct plan *p, const struct step_ctx *ctx, const struct manager_ops *m,
			const struct strv *wanted, struct err *err)
{
	struct comparison c CLEANUP(comparison_release) = { .reload = false };

	if (compare(&c, ctx, m, wanted, err))
		return -1;
	if (c.put.n || c.take.n || c.reload || c.left.n != c.ours.n)
		plan_add(p, action_openings(STEP, m, &c.put, &c.take, &c.left, c.reload));
	return 0;
}

int openings_plan(struct plan *p, const struct step_ctx *ctx, const struct manager_ops *m,
		  struct err *err)
{
	struct strv wanted CLEANUP(strv_release) = STRV_INIT,
			   none CLEANUP(strv_release) = STRV_INIT;

	if (m)
		wanted_openings(ctx->profile, &wanted);
	if (m && m->check(ctx->host->root, &wanted, err))
		return -1;
	for (size_t i = 0; manager_list[i]; i++) {
		const struct manager_ops *at = manager_list[i];

		if ((at == m || ours_of(ctx, at)) &&
		    plan_manager(p, ctx, at, at == m ? &wanted : &none, err))
			return -1;
	}
	return 0;
}

/* ---- verify ---- */

static void say(const struct manager_ops *m, const struct strv *rules,
		const enum opening_state *states, struct report *rep)
{
	struct buf bad CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < rules->n; i++) {
		char *words CLEANUP(freep) = opening_words(rules->v[i]);

		if (!opening_is_open(states[i]))
			buf_addf(&bad, "%s%s", bad.len ? ", " : "", words);
	}
	report_check(rep, "firewall-open", bad.len ? STATE_BAD : STATE_OK,
		     "the table lets them in, and the other firewall does not", "sysboxup apply",
		     bad.len ? "%s does not let through %s" :
			       "%s lets through whom the profile allows%s",
		     m->name, bad.data);
}

static int look_for_verify(const struct step_ctx *ctx, const struct manager_ops *m,
			   struct report *rep, struct err *err)
{
	struct strv wanted CLEANUP(strv_release) = STRV_INIT;

	wanted_openings(ctx->profile, &wanted);
	enum opening_state *states CLEANUP(freep) = xcalloc(wanted.n + 1, sizeof(*states));
	if (m->look(ctx->host->root, &wanted, states, err))
		return -1;
	say(m, &wanted, states, rep);
	return 0;
}

/* Of the one that is at work now, whoever has our rules: what it drops does not get through. */
void openings_verify(const struct step_ctx *ctx, struct report *rep)
{
	const struct manager_ops *m = NULL;
	struct err why = ERR_INIT;

	if (openings_manager(ctx, &m, &why) || (m && look_for_verify(ctx, m, rep, &why)))
		report_check(rep, "firewall-open", STATE_UNKNOWN, NULL, NULL, "%s", why.msg);
}
