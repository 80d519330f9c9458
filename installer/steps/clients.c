/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "clients": a certificate for each client that the profile names and that has none in force.
 * It is issued here only where the authority's key is opened without a person; and never again once
 * it was revoked: whoever revoked it meant it.
 */
#include "actions/kinds.h"
#include "engine/step.h"
#include "pki/ca.h"
#include "pki/names.h"
#include "pki/request.h"
#include "steps/firstboot.h"
#include "sys/clock.h"

#define STEP "clients"

static bool wanted(const struct step_ctx *ctx)
{
	return ctx->profile->clients.n;
}

static const struct ledger_cert *find(const struct pki *p, const char *name)
{
	const struct ledger_cert *c = ledger_newest(&p->ledger, name);

	return c && c->profile == PKI_CLIENT ? c : NULL;
}

static bool is_missing(const struct pki *p, const char *name)
{
	const struct ledger_cert *c = find(p, name);

	return !c || (!c->revoked && !ledger_alive(c, p->now));
}

static int check(const struct profile *p, const struct profile_client *c, int64_t *ret_ttl,
		 struct err *err)
{
	struct err why = ERR_INIT;
	char shown[64];

	if (name_check(c->name, err))
		return err_prefix(err, "'%s': clients", p->source);
	if (!ttl_read(PKI_CLIENT, c->ttl, ret_ttl, &why))
		return 0;
	err_quote(shown, sizeof(shown), c->ttl);
	return err_set(err, ERR_USAGE, "'%s': clients: the ttl '%s' of '%s' is no time from 1m to 90d, such as \"24h\"",
		       p->source, shown, c->name);
}

/* ---- plan ---- */

static int refuse_by_hand(const struct pki *p, const char *name, const char *ttl, struct err *err)
{
	char *request CLEANUP(freep) = pki_request_command(name, NULL);

	if (pki_ca_is_elsewhere(p)) {
		err_set(err, ERR_REFUSED,
			"there is no client certificate '%s' in force, and the authority's key is not on this host",
			name);
		return err_remedy(err, "%s", request);
	}
	err_set(err, ERR_REFUSED,
		"there is no client certificate '%s' in force, and the authority's key is not opened without a person",
		name);
	return err_remedy(err, "sysboxup cert issue %s%s%s", name, ttl ? " --ttl " : "",
			  ttl ? ttl : "");
}

static int missing(struct plan *p, const struct step_ctx *ctx, const struct pki *pki,
		   struct certificate_wanted *ret, size_t *ret_n, struct err *err)
{
	const struct profile *profile = ctx->profile;

	for (size_t i = 0; i < profile->clients.n; i++) {
		const struct profile_client *c = &profile->clients.v[i];
		const struct ledger_cert *now = find(pki, c->name);
		int64_t ttl = 0;

		if (check(profile, c, &ttl, err))
			return -1;
		if (now && now->revoked)
			plan_warn(p, "clients: '%s' was revoked, and is not issued again: take it out of the profile", c->name);
		else if (is_missing(pki, c->name))
			ret[(*ret_n)++] = (struct certificate_wanted){ .name = c->name,
								       .ttl = ttl };
	}
	return 0;
}

static const char *ttl_of(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->clients.n; i++)
		if (str_eq(p->clients.v[i].name, name))
			return p->clients.v[i].ttl;
	return NULL;
}

static int plan_image(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	const struct profile *profile = ctx->profile;
	int64_t ttl;

	for (size_t i = 0; i < profile->clients.n; i++)
		if (check(profile, &profile->clients.v[i], &ttl, err))
			return -1;
	if (firstboot_leave(ctx, err))
		return -1;
	plan_warn(p, "clients: not now: the first boot issues their certificates");
	return 0;
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	struct certificate_wanted *v CLEANUP(freep) = xcalloc(ctx->profile->clients.n, sizeof(*v));
	size_t n = 0;

	if (!ctx->host->running)
		return plan_image(p, ctx, err);
	if (pki_open(&pki, ctx->host->root, PKI_READ, 0, err))
		return err_raise(err, ERR_REFUSED);
	if (missing(p, ctx, &pki, v, &n, err))
		return -1;
	if (!n)
		return 0;
	if (!pki_ca_find(&pki, err))
		return -1;
	if (!pki_ca_unattended(&pki))
		return refuse_by_hand(&pki, v[0].name, ttl_of(ctx->profile, v[0].name), err);
	plan_add(p, action_certificates(STEP, PKI_CLIENT, v, n, NULL, 0));
	return 0;
}

/* ---- verify ---- */

static void verify_one(const struct pki *p, const char *name, struct report *rep)
{
	const struct ledger_cert *c = find(p, name);
	char to[32] = "";

	if (c)
		clock_iso(c->to, to);
	if (c && c->revoked)
		report_check(rep, STEP, STATE_WARN, NULL, "take it out of the profile",
			     "%s: revoked", name);
	else if (is_missing(p, name))
		report_check(rep, STEP, STATE_BAD, NULL, "sysboxup apply",
			     "%s: no certificate in force", name);
	else
		report_check(rep, STEP, STATE_OK, NULL, NULL, "%s: in force until %s", name, to);
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct pki pki CLEANUP(pki_release) = PKI_INIT;

	if (!ctx->host->running)
		return 0;
	if (pki_open(&pki, ctx->host->root, PKI_READ, 0, err))
		return -1;
	for (size_t i = 0; i < ctx->profile->clients.n; i++)
		verify_one(&pki, ctx->profile->clients.v[i].name, rep);
	return 0;
}

const struct step step_clients = {
	.name = STEP,
	.summary = "a certificate for each client of the API that the profile names",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
