/* SPDX-License-Identifier: Apache-2.0 */
/* cert rotate-ca, and where it stands */
#include "cli/cert.h"
#include "cli/exit.h"
#include "pki/names.h"
#include "pki/request.h"
#include "pki/rotate.h"
#include "steps/api.h"
#include "sys/clock.h"

enum { NAMED = 8 }; /* clients in a line */

/* --- where it stands --- */

/* Clients that have theirs from an authority that goes or is gone. */
static void left_behind(const struct pki *p, struct strv *ret)
{
	for (size_t i = 0; i < p->ledger.certs_n && ret->n <= NAMED; i++)
		if (pki_is_left_behind(p, &p->ledger.certs[i]))
			strv_add(ret, ret->n < NAMED ? p->ledger.certs[i].name : "...");
}

static char *request_command(const struct pki *p, const struct strv *clients)
{
	struct strv servers CLEANUP(strv_release) = STRV_INIT;
	char *list CLEANUP(freep) = strv_join(clients, " ");

	if (clients->n)
		return xasprintf("sysboxup cert request NAME --out FILE, to be signed by the new authority: %s", list);
	pki_servers_without(p, &servers);
	return servers.n ?
		       xasprintf(
			       "sysboxup cert request %s --server --out FILE, to be signed by the new authority",
			       servers.v[0]) :
		       NULL;
}

/* "sysboxup cert renew a b", or what does it where the key is elsewhere; NULL where there is nobody
 * to be renewed. */
static char *renew_command(const struct pki *p)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	left_behind(p, &names);
	if (pki_ca_is_elsewhere(p))
		return request_command(p, &names);
	char *list CLEANUP(freep) = strv_join(&names, " ");

	return names.n ? xasprintf("sysboxup cert renew %s", list) : NULL;
}

static char *overlap_words(const struct pki *p)
{
	int64_t until;
	size_t n = pki_old_clients(p, &until);
	char to[32];

	if (!n)
		return xstrdup(
			"two authorities are trusted, and the old one has no client in force any more");
	clock_iso(until, to);
	return xasprintf(
		"two authorities are trusted; of the old one %zu client%s in force, the last until %s",
		n, n > 1 ? "s are" : " is", to);
}

/* What Docker was told comes first: as long as it trusts one alone, a certificate of the other is
 * of no use. */
void cert_tell_phase(const struct root *root, const struct pki *p, struct report *rep)
{
	char *renew CLEANUP(freep) = p->ledger.cas_n > 1 ? renew_command(p) : NULL,
		    *words CLEANUP(freep) = NULL;
	const char *next = api_is_behind(root, p) ? "sysboxup apply" : renew;

	if (pki_ca_old(p)) {
		words = overlap_words(p);
		if (!next)
			next = "sysboxup cert rotate-ca, when that is over; --now does not wait";
	} else if (next) {
		words = xstrdup(
			renew ? "the old authority is dropped, and what it issued is worth nothing" :
				"Docker was started with other certificates than there are by now");
	}
	if (words)
		report_check(rep, "certificates", STATE_NONE, NULL, next, "%s", words);
}

/* --- and goes on --- */

static bool is_over(const struct pki *p)
{
	int64_t until;

	return pki_ca_old(p) && !pki_old_clients(p, &until);
}

static int refuse_early(const struct cert_run *r, struct err *err)
{
	int64_t until;
	size_t n = pki_old_clients(&r->pki, &until);
	char to[32];

	if (!n || option_given(&r->s.cli->opts, "now"))
		return 0;
	clock_iso(until, to);
	err_set(err, ERR_REFUSED, "of the old authority %zu client%s in force, the last until %s",
		n, n > 1 ? "s are" : " is", to);
	return err_remedy(err, "sysboxup cert rotate-ca --now, if they may stop working at once");
}

/* Whoever checks lists wants one of each authority. The timer does it too: this is sooner. */
static void write_lists(struct cert_run *r)
{
	struct err why = ERR_INIT;
	int64_t ttl;

	if (r->pki.ledger.crl &&
	    (ttl_read_crl(NULL, &ttl, &why) || pki_crl(&r->pki, r->ca, ttl, &why)))
		report_warn(r->s.rep, "sysboxup cert crl",
			    "there is no revocation list of the new authority yet: %s", why.msg);
}

static void tell_begun(struct cert_run *r, const char *what)
{
	const struct ledger_ca *newest = &r->pki.ledger.cas[r->pki.ledger.cas_n - 1];
	char *path CLEANUP(freep) = pki_path(&r->pki, newest->seq, "cert.pem");
	struct json *j = json_obj();
	char to[32];

	r->s.cli->result.host = "two authorities are trusted; the old one is not dropped";
	clock_iso(newest->to, to);
	json_set_str(j, "path", path);
	json_set_str(j, "not_after", to);
	render_row(r->s.cli->out, "authority", j,
		   "%s a certificate authority beside the old one, good until %s: %s", what, to,
		   path);
}

static int begin(struct cert_run *r, const struct pki_ca_spec *spec, struct err *err)
{
	if (pki_rotate(&r->pki, &r->ca, spec, err))
		return -1;
	tell_begun(r, "Made");
	write_lists(r);
	return 0;
}

static void tell_ended(struct cert_run *r)
{
	render_say(r->s.cli->out, PAINT_GOOD, "The old authority is dropped.");
	cert_show_issued(r);
}

static int end(struct cert_run *r, struct err *err)
{
	char *sans CLEANUP(freep) = NULL;
	bool detected;
	int rc;

	if (refuse_early(r, err) || cert_sans(r, &sans, &detected, err))
		return -1;
	rc = pki_drop(&r->pki, r->ca, cert_algorithm(r->s.cli), sans, r->s.rep, err);
	if (!pki_ca_old(&r->pki))	/* whatever failed behind it */
		r->s.cli->result.host = NULL;
	if (rc)
		return -1;
	tell_ended(r);
	return 0;
}

/* Only a beginning has anything to choose. */
static int refuse_choice(const struct cli *cli, struct err *err)
{
	static const char *const choices[] = { "import", "name", "permit", "ttl" };

	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		if (option_given(&cli->opts, choices[i]))
			return err_set(err, ERR_USAGE,
				       "the new authority is there already: --%s comes too late",
				       choices[i]);
	return 0;
}

static int go_on(struct cert_run *r, const struct pki_ca_spec *spec, struct err *err)
{
	if (pki_ca_old(&r->pki))
		return refuse_choice(r->s.cli, err) ? -1 : end(r, err);
	if (begin(r, spec, err))
		return -1;
	return option_given(&r->s.cli->opts, "now") ? end(r, err) : 0;
}

/* The key is elsewhere: neither phase needs it here. */
static int go_on_elsewhere(struct cert_run *r, const struct buf *pem, struct err *err)
{
	if (pki_ca_old(&r->pki)) {
		if (refuse_choice(r->s.cli, err) || refuse_early(r, err) ||
		    pki_drop_elsewhere(&r->pki, option_given(&r->s.cli->opts, "now"), r->s.rep,
				       err))
			return -1;
		tell_ended(r);
		return 0;
	}
	if (!option_given(&r->s.cli->opts, "import")) {
		err_set(err, ERR_REFUSED, "the authority's key is not on this host");
		return err_remedy(err, "sysboxup cert rotate-ca --import FILE, the certificate of the new authority");
	}
	if (pki_rotate_elsewhere(&r->pki, pem, err))
		return -1;
	tell_begun(r, "Took");
	return 0;
}

static int run(struct cert_run *r, const struct pki_ca_spec *spec, const struct buf *pem,
	       struct err *err)
{
	if (!pki_ca_is_elsewhere(&r->pki) && !option_given(&r->s.cli->opts, "import"))
		return cert_open_ca(r, err) || go_on(r, spec, err) ? -1 : 0;
	return pki_begin(&r->pki, r->write, r->lock_seconds, err) ||
			       go_on_elsewhere(r, pem, err) ? -1 : 0;
}

/* What is brought in is made already; and servers' certificates of it come before the old one
 * goes. */
static int read_import(const struct cli *cli, struct buf *ret, struct err *err)
{
	static const char *const others[] = { "now", "name", "permit", "algorithm", "ttl" };
	const char *path = option_text(&cli->opts, "import");

	for (size_t i = 0; path && i < ARRAY_SIZE(others); i++)
		if (option_given(&cli->opts, others[i]))
			return err_set(err, ERR_USAGE, "--import and --%s exclude each other",
				       others[i]);
	return path ? cert_read_file(path, ret, err) : 0;
}

static int read_spec(struct cli *cli, struct pki_ca_spec *ret, char **ret_constraints,
		     struct err *err)
{
	const char *ttl = option_text(&cli->opts, "ttl");

	ret->common = option_text(&cli->opts, "name");
	ret->algorithm = option_text(&cli->opts, "algorithm");
	if ((ret->common && name_check_common(ret->common, err)) ||
	    (ttl && ttl_read_ca(ttl, &ret->ttl, err)) ||
	    cert_constraints(cli, ret_constraints, err))
		return -1;
	ret->constraints = *ret_constraints;
	return 0;
}

/* What is due is the end of a rotation that has begun. */
static int check_due(const struct cli *cli, struct err *err)
{
	if (!option_given(&cli->opts, "due"))
		return 0;
	if (option_given(&cli->opts, "now"))
		return err_set(err, ERR_USAGE, "--due and --now exclude each other");
	return refuse_choice(cli, err);
}

int cert_rotate(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	char *constraints CLEANUP(freep) = NULL;
	struct buf pem CLEANUP(buf_release) = BUF_INIT;
	struct pki_ca_spec spec = { .ttl = 0 };

	if (check_due(cli, err) || read_spec(cli, &spec, &constraints, err) ||
	    read_import(cli, &pem, err) || cert_open(&r, cli, PKI_READ, err))
		return -1;
	/* nothing due needs no key */
	if (option_given(&cli->opts, "due") && !is_over(&r.pki)) {
		render_say(cli->out, PAINT_GOOD, "Nothing is due.");
		return EXIT_DONE;
	}
	if (run(&r, &spec, &pem, err))
		return -1;
	cert_tell_phase(&r.s.root, &r.pki, r.s.rep);
	return EXIT_DONE;
}
