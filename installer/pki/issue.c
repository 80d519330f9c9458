/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/issue.h"

#include "pki/ca_data.h"
#include "pki/secret.h"
#include "sys/clock.h"

char *pki_common_of(enum pki_profile p, const char *name)
{
	return xasprintf("%s%s", p == PKI_CLIENT ? "ci-" : "", name);
}

char *pki_client_uri(const char *common)
{
	return xasprintf("URI:urn:sysboxup:client:%s", common);
}

char *pki_common(const struct ledger_cert *c)
{
	return pki_common_of(c->profile, c->name);
}

bool pki_due(const struct ledger_cert *c, int64_t now)
{
	int64_t begun = c->from + PKI_BACKDATE;

	return now - begun >= (c->to - begun) / 3 * 2;
}

struct issue {
	struct pki *p;
	const struct pki_ca *ca;
	struct pki_files files;
	struct buf lines;
	int64_t cut;			/* one ends with its authority, then */
};

static void issue_release(struct issue *i)
{
	files_release(&i->files);
	buf_release(&i->lines);
}

static int write_pair(struct issue *i, const char *dir, EVP_PKEY *key, X509 *cert, struct err *err)
{
	char *key_path CLEANUP(freep) = path_join(dir, "key.pem");
	char *cert_path CLEANUP(freep) = path_join(dir, "cert.pem");

	if (x509_write(cert, files_add(&i->files, 0444, cert_path), err))
		return -1;
	return key ? key_write(key, NULL, false, files_add(&i->files, 0400, key_path), err) : 0;
}

/* While one authority replaces another, a server shows what clients of both trust
 * (pki/rotate.h). */
static const struct pki_ca *signer(const struct issue *i, const struct pki_wish *w)
{
	return w->profile == PKI_SERVER && i->ca->old ? i->ca->old : i->ca;
}

static void add_line(struct issue *i, const struct pki_wish *w, const struct x509_spec *x,
		     EVP_PKEY *key)
{
	char spki[DIGEST_HEX + 1];

	key_digest(key, spki);
	buf_addf(&i->lines, "cert %s %s %lld %lld %llu %s %s %s%s%s %s\n", x->serial, spki,
		 (long long)x->from, (long long)x->to, (unsigned long long)signer(i, w)->entry.seq,
		 pki_profile_name(w->profile), w->name, w->renew ? "r" : "", w->detected ? "d" : "",
		 w->renew || w->detected ? "" : "-", w->profile == PKI_SERVER ? x->sans : "-");
}

/* No serial of ours is ever given twice, not even to a revoked one. */
static void new_serial(const struct pki *p, char serial[SERIAL_HEX + 1])
{
	do
		serial_new(serial);
	while (ledger_find(&p->ledger, serial));
}

/* A new one, or that of the request; then *ret_sans are its names, of a server. */
static EVP_PKEY *key_for(const struct pki_wish *w, const char *common, char **ret_sans,
			 struct err *err)
{
	if (w->request)
		return x509_request_read(w->request, common,
					 w->profile == PKI_SERVER ? ret_sans : NULL, err);
	return key_new(w->algorithm, err);
}

static int judge(const struct issue *i, const struct pki_wish *w, X509 *cert, struct err *err)
{
	if (!x509_judge(cert, signer(i, w)->cert, w->profile, i->p->now, err))
		return 0;
	err_prefix(err, "a certificate for '%s' would not be accepted", w->name);
	return err_raise(err, ERR_REFUSED);
}

static int one(struct issue *i, const struct pki_wish *w, struct err *err)
{
	char serial[SERIAL_HEX + 1], *common CLEANUP(freep) = pki_common_of(w->profile, w->name);
	char *uri CLEANUP(freep) = pki_client_uri(common), *sans CLEANUP(freep) = xstrdup(w->sans);
	EVP_PKEY *key CLEANUP(pkey_freep) = key_for(w, common, &sans, err);
	const struct pki_ca *by = signer(i, w);
	int64_t earliest = by->entry.from, latest = by->entry.to, now = i->p->now;
	struct x509_spec x = {
		.common = common, .serial = serial,
		.from = now - PKI_BACKDATE > earliest ? now - PKI_BACKDATE : earliest,
		.to = now + w->ttl < latest ? now + w->ttl : latest,
		.sans = w->profile == PKI_CLIENT ? uri : sans,
		.usage = w->profile == PKI_CLIENT ? "clientAuth" : "serverAuth",
	};

	new_serial(i->p, serial);
	X509 *cert CLEANUP(x509_freep) = key ? x509_make(&x, key, by->cert, by->key, err) : NULL;

	if (!cert || write_pair(i, common, w->request ? NULL : key, cert, err) ||
	    judge(i, w, cert, err))
		return -1;
	if (now + w->ttl > latest)
		i->cut = latest;
	add_line(i, w, &x, key);
	return 0;
}

/* more: lines of the same record, or NULL. */
static int issue_all(struct pki *p, const struct pki_ca *ca, const struct pki_wish *wishes,
		     size_t n, const struct buf *more, struct report *rep, struct err *err)
{
	struct issue i CLEANUP(issue_release) = { p, ca, PKI_FILES_INIT, BUF_INIT, 0 };
	char to[32];

	for (size_t k = 0; k < n; k++)
		if (one(&i, &wishes[k], err))
			return -1;
	clock_iso(i.cut, to);
	if (i.cut)
		report_warn(rep, NULL, "it ends before its time, with the authority: %s", to);
	if (more)
		buf_add(&i.lines, more->data, more->len);
	return pki_publish(p, &i.files, &i.lines, err);
}

static int refuse_in_force(const struct pki *p, const struct pki_wish *w, struct err *err)
{
	const struct ledger_cert *c = ledger_newest(&p->ledger, w->name);
	char to[32];

	if (!c || w->anew || !ledger_alive(c, p->now))
		return 0;
	clock_iso(c->to, to);
	err_set(err, ERR_REFUSED, "a certificate '%s' is in force until %s", w->name, to);
	return err_remedy(err, "sysboxup cert renew %s", w->name);
}

/* One record, one directory for each name. */
static int refuse_twice(const struct pki_wish *wishes, size_t n, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < n; i++)
		strv_add(&names, wishes[i].name);
	strv_sort(&names);
	for (size_t i = 1; i < n; i++)
		if (str_eq(names.v[i - 1], names.v[i]))
			return err_set(err, ERR_USAGE, "the name '%s' is wanted twice", names.v[i]);
	return 0;
}

static int refuse(const struct pki *p, const struct pki_wish *wishes, size_t n, struct err *err)
{
	if (refuse_twice(wishes, n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (refuse_in_force(p, &wishes[i], err))
			return -1;
	return 0;
}

int pki_try(struct pki *p, const struct pki_ca *ca, const struct pki_wish *wishes, size_t n,
	    struct err *err)
{
	struct issue i CLEANUP(issue_release) = { p, ca, PKI_FILES_INIT, BUF_INIT, 0 };

	if (refuse(p, wishes, n, err))
		return -1;
	for (size_t k = 0; k < n; k++)
		if (one(&i, &wishes[k], err))
			return -1;
	return 0;
}

int pki_issue(struct pki *p, const struct pki_ca *ca, const struct pki_wish *wishes, size_t n,
	      struct report *rep, struct err *err)
{
	return refuse(p, wishes, n, err) ? -1 : issue_all(p, ca, wishes, n, NULL, rep, err);
}

int issue_renewals(struct pki *p, const struct pki_ca *ca, const struct ledger_cert *const *old,
		   size_t n, const char *algorithm, const char *sans, const struct buf *lines,
		   struct report *rep, struct err *err)
{
	struct pki_wish *wishes CLEANUP(freep) = xcalloc(n + 1, sizeof(*wishes));

	for (size_t i = 0; i < n; i++)
		wishes[i] = (struct pki_wish){
			.name = old[i]->name, .profile = old[i]->profile, .algorithm = algorithm,
			.ttl = old[i]->to - old[i]->from - PKI_BACKDATE, .renew = old[i]->renew,
			.detected = old[i]->detected,
			.sans = old[i]->profile == PKI_CLIENT ? NULL :
				old[i]->detected && sans ? sans : old[i]->sans,
		};
	return issue_all(p, ca, wishes, n, lines, rep, err);
}

int pki_renew(struct pki *p, const struct pki_ca *ca, const struct ledger_cert *const *old,
	      size_t n, const char *algorithm, const char *sans, struct report *rep,
	      struct err *err)
{
	return issue_renewals(p, ca, old, n, algorithm, sans, NULL, rep, err);
}
