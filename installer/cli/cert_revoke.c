/* SPDX-License-Identifier: Apache-2.0 */
/* cert revoke, crl */
#include "cli/cert.h"
#include "cli/exit.h"
#include "pki/lists.h"
#include "pki/names.h"
#include "sys/clock.h"

struct gone {
	struct ledger_cert **v;
	size_t n;
};

static void gone_add(struct gone *g, struct ledger_cert *c)
{
	g->v = xreallocarray(g->v, g->n + 1, sizeof(*g->v));
	g->v[g->n++] = c;
}

/* A name stands for all of its certificates that are in force; a serial for the one. */
static int find_gone(const struct cert_run *r, const char *word, struct gone *ret, struct err *err)
{
	const struct ledger *l = &r->pki.ledger;
	struct ledger_cert *c;
	size_t before = ret->n;

	if (cert_find(r, word, &c, err))
		return -1;
	if (str_eq(c->serial, word)) {
		gone_add(ret, c);
		return 0;
	}
	for (size_t i = 0; i < l->certs_n; i++)
		if (str_eq(l->certs[i].name, c->name) && ledger_alive(&l->certs[i], r->pki.now))
			gone_add(ret, &l->certs[i]);
	if (ret->n == before)
		gone_add(ret, c);	/* so that it is said what it is */
	return 0;
}

static void tell_one(const struct cert_run *r, const struct ledger_cert *c)
{
	char *common CLEANUP(freep) = pki_common(c);
	char to[32];

	clock_iso(c->to, to);
	cert_row(r, c);
	if (c->to > r->pki.now && !c->dropped)
		report_warn(
			r->s.rep, "sysboxup cert rotate-ca --now, which ends all that it issued",
			"dockerd reads no revocation list: a daemon that trusts this authority accepts '%s' until %s",
			common, to);
}

/* Not one of them can be used. */
static bool is_done(const struct cert_run *r, const struct gone *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (!g->v[i]->revoked && g->v[i]->to > r->pki.now)
			return false;
	return true;
}

/* A run before this one got no further than into the ledger: the same again ends it. */
static bool is_half_done(const struct cert_run *r, const struct gone *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i]->revoked)
			return lists_behind(&r->pki);
	return false;
}

static int revoke_all(struct cert_run *r, const struct gone *g, int64_t ttl, struct err *err)
{
	const char *reason = option_text(&r->s.cli->opts, "reason");
	bool again = is_done(r, g);
	int rc;

	if (again && !is_half_done(r, g))
		return err_set(err, ERR_REFUSED, "'%s' is %s already", g->v[0]->name,
			       cert_state(r, g->v[0]));
	rc = again ? pki_crl(&r->pki, r->ca, ttl, err) :
		     pki_revoke(&r->pki, r->ca, g->v, g->n, reason ? reason : "unspecified", ttl,
				err);
	if (rc == PKI_STANDS)
		r->s.cli->result.host = "the certificate is revoked; the revocation list does not say so yet";
	if (rc < 0)
		return -1;
	cert_heading(r);
	for (size_t i = 0; i < g->n; i++)
		tell_one(r, g->v[i]);
	if (again)
		render_say(r->s.cli->out, PAINT_NONE,
			   "That was so in the ledger already; by now the revocation list says it too.");
	return EXIT_DONE;
}

int cert_revoke(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	struct gone g = { NULL, 0 };
	int64_t ttl;
	int rc = 0;

	if (ttl_read_crl(option_text(&cli->opts, "ttl"), &ttl, err) ||
	    cert_open(&r, cli, PKI_READ, err) || cert_open_ca(&r, err))
		return -1;
	for (size_t i = 1; i < cli->opts.args.n && !rc; i++)
		rc = find_gone(&r, cli->opts.args.v[i], &g, err);
	if (!rc)
		rc = revoke_all(&r, &g, ttl, err);
	free(g.v);
	return rc;
}

static bool crl_due(const struct cert_run *r)
{
	const struct ledger *l = &r->pki.ledger;

	return !l->crl_number || l->crl < l->trust ||
	       r->pki.now - l->crl_from >= (l->crl_to - l->crl_from) / 2 || lists_behind(&r->pki);
}

/* The timer's: it is made elsewhere, so somebody has to bring it. */
static int alarm_elsewhere(const struct cert_run *r, struct err *err)
{
	const struct ledger *l = &r->pki.ledger;
	char to[32];

	if (lists_behind(&r->pki)) {
		err_set(err, ERR_DRIFT, "the revocation list is not the newest one that the ledger knows of");
		return err_remedy(err, "sysboxup cert import FILE, the same again or a newer one");
	}
	if (!l->crl_number || r->pki.now - l->crl_from < (l->crl_to - l->crl_from) / 3 * 2) {
		render_say(r->s.cli->out, PAINT_GOOD, "Nothing is due.");
		return EXIT_DONE;
	}
	clock_iso(l->crl_to, to);
	err_set(err, ERR_DRIFT, "the revocation list %s at %s, and the authority's key is not on this host",
		l->crl_to > r->pki.now ? "ends" : "ended", to);
	return err_remedy(err, "sysboxup cert import FILE, a newer one");
}

int cert_crl(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	int64_t ttl;
	char to[32];

	if (ttl_read_crl(option_text(&cli->opts, "ttl"), &ttl, err) ||
	    cert_open(&r, cli, PKI_READ, err))
		return -1;
	if (option_given(&cli->opts, "due") && pki_ca_is_elsewhere(&r.pki))
		return alarm_elsewhere(&r, err);
	if (option_given(&cli->opts, "due") && !crl_due(&r)) {
		render_say(cli->out, PAINT_GOOD, "Nothing is due.");
		return EXIT_DONE;
	}
	if (cert_open_ca(&r, err) || pki_crl(&r.pki, r.ca, ttl, err))
		return -1;
	char *path CLEANUP(freep) = root_outside(&r.s.root, PKI_DIR "/crl.pem");
	struct json *j = json_obj();

	clock_iso(r.pki.ledger.crl_to, to);
	json_set_i64(j, "number", (int64_t)r.pki.ledger.crl_number);
	json_set_str(j, "not_after", to);
	json_set_str(j, "path", path);
	render_row(cli->out, "crl", j, "Revocation list %llu, good until %s: %s",
		   (unsigned long long)r.pki.ledger.crl_number, to, path);
	return EXIT_DONE;
}
