/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/lists.h"

#include "pki/ca.h"
#include "pki/issue.h"
#include "pki/x509.h"
#include "sys/fs.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* The newest list of each authority of the ledger, by its index there. */
struct lists {
	X509_CRL **v;
	size_t n;
};

static void lists_release(struct lists *l)
{
	for (size_t i = 0; i < l->n; i++)
		X509_CRL_free(l->v[i]);
	free(l->v);
}

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_REFUSED, "this list is not taken: %s", why);
}

/* Whose it is among those that are trusted; 1: nobody's. */
static int find_author(const struct pki *p, X509_CRL *crl, size_t *ret, struct err *err)
{
	for (size_t i = 0; i < p->ledger.cas_n; i++) {
		struct buf pem CLEANUP(buf_release) = BUF_INIT;

		if (p->ledger.cas[i].dropped)
			continue;
		if (pki_ca_text(p, p->ledger.cas[i].seq, &pem, err))
			return -1;
		X509 *ca CLEANUP(x509_freep) = x509_read(&pem, err);

		if (!ca)
			return -1;
		if (X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1) {
			*ret = i;
			return 0;
		}
	}
	ERR_clear_error();
	return 1;
}

static uint64_t number_of(const X509_CRL *crl)
{
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	uint64_t n = 0;

	if (!number || !ASN1_INTEGER_get_uint64(&n, number))
		n = 0;
	ASN1_INTEGER_free(number);
	return n;
}

/* have: what crl.pem has of that authority, or NULL. A crash may have come before it was
 * written. */
static int check(const struct pki *p, const struct ledger_ca *ca, X509_CRL *crl,
		 const X509_CRL *have, struct err *err)
{
	uint64_t number = number_of(crl), known = ca->crl_number;

	if (!number || number < known || (number == known && have && number_of(have) == known))
		return err_set(err, ERR_REFUSED, "this list is not taken: it has no number above %llu",
			       (unsigned long long)known);
	if (!X509_CRL_get0_nextUpdate(crl) || asn1_seconds(X509_CRL_get0_nextUpdate(crl)) <= p->now)
		return refuse(err, "it is over");
	return 0;
}

static int take(const struct pki *p, X509_CRL *crl, const struct lists *have, struct lists *ret,
		struct err *err)
{
	size_t author = 0;
	int rc = find_author(p, crl, &author, err);

	if (rc > 0)
		return refuse(err, "the authority did not sign it");
	if (!rc && have)
		rc = check(p, &p->ledger.cas[author], crl, have->v[author], err);
	if (rc || ret->v[author])
		return rc;
	X509_CRL_up_ref(crl);
	ret->v[author] = crl;
	return 0;
}

/* The lists in that text, but for those that cannot be taken, of which *why tells the first. have:
 * they must be newer than these. How many there were. */
static int collect(const struct pki *p, const struct buf *pem, const struct lists *have,
		   struct lists *ret, struct err *why)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new_mem_buf(pem->data, (int)pem->len);
	int n = 0;

	for (X509_CRL *crl; bio && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)); n++) {
		struct err ignored = ERR_INIT;

		(void)take(p, crl, have, ret, err_is_set(why) ? &ignored : why);
		X509_CRL_free(crl);
	}
	ERR_clear_error();	/* there is no more */
	return n;
}

static void add_lines(const struct pki *p, const struct ledger_ca *ca, X509_CRL *crl,
		      struct buf *lines)
{
	if (number_of(crl) == ca->crl_number)
		return;
	for (size_t i = 0; i < p->ledger.certs_n; i++) {
		const struct ledger_cert *c = &p->ledger.certs[i];

		if (c->ca == ca->seq && !c->revoked && crl_has(crl, c->serial))
			buf_addf(lines, "revoke %s unspecified\n", c->serial);
	}
	buf_addf(lines, "crl %llu %lld %lld %llu\n", (unsigned long long)number_of(crl),
		 (long long)asn1_seconds(X509_CRL_get0_lastUpdate(crl)),
		 (long long)asn1_seconds(X509_CRL_get0_nextUpdate(crl)),
		 (unsigned long long)ca->seq);
}

/* The newest authority's first; of each the one that came, or else the one that was there. */
static int write_lists(const struct pki *p, const struct lists *came, const struct lists *have,
		       struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_mem());
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = came->n; i-- > 0;) {
		X509_CRL *crl = came->v[i] ? came->v[i] : have->v[i];

		if (!bio || (crl && !PEM_write_bio_X509_CRL(bio, crl)))
			return crypto_error(err, "write the revocation list");
	}
	bio_take(bio, &text);
	return fs_put(p->fd, "crl.pem", 0444, text.data, text.len, err);
}

static int publish(struct pki *p, const struct lists *came, const struct lists *have,
		   struct err *err)
{
	struct buf lines CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < came->n; i++)
		if (came->v[i])
			add_lines(p, &p->ledger.cas[i], came->v[i], &lines);
	if (lines.len && pki_append(p, &lines, err))
		return -1;
	return write_lists(p, came, have, err);
}

static bool is_empty(const struct lists *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i])
			return false;
	return true;
}

int lists_import(struct pki *p, const struct buf *pem, struct err *err)
{
	size_t n = p->ledger.cas_n;
	struct lists came CLEANUP(lists_release) = { xcalloc(n + 1, sizeof(*came.v)), n },
			  have CLEANUP(lists_release) = { xcalloc(n + 1, sizeof(*have.v)), n };
	struct buf now CLEANUP(buf_release) = BUF_INIT;
	struct err why = ERR_INIT, ignored = ERR_INIT;

	if (!pki_ca_find(p, err) || pki_crl_text(p, &now, err) < 0)
		return -1;
	collect(p, &now, NULL, &have, &ignored);
	if (!collect(p, pem, &have, &came, &why))
		return 1;
	if (is_empty(&came)) {
		*err = why;
		return -1;
	}
	return publish(p, &came, &have, err);
}

/* One that is over has none any more. */
static bool has_list(const struct ledger_ca *ca, int64_t now)
{
	return !ca->dropped && ca->crl_number && ca->to > now;
}

bool lists_behind(const struct pki *p)
{
	size_t n = p->ledger.cas_n;
	struct lists have CLEANUP(lists_release) = { xcalloc(n + 1, sizeof(*have.v)), n };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (!p->ledger.crl_number)
		return false;
	(void)pki_crl_text(p, &text, &ignored);
	collect(p, &text, NULL, &have, &ignored);
	for (size_t i = 0; i < n; i++)
		if (has_list(&p->ledger.cas[i], p->now) &&
		    (!have.v[i] || number_of(have.v[i]) < p->ledger.cas[i].crl_number))
			return true;
	return false;
}
