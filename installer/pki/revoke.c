/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/issue.h"

#include "pki/ca_data.h"
#include "sys/fs.h"

#define CRL "crl.pem"
#define CRL_MAX (64 * 1024 * 1024)

/*
 * Of this authority, and not longer over than a list is good for: whoever holds the last list may
 * still meet it.
 */
static bool belongs(const struct ledger_cert *c, const struct pki *p, const struct pki_ca *ca,
		    int64_t ttl)
{
	return c->revoked && c->ca == ca->entry.seq && c->to > p->now - ttl;
}

static int add_list(const struct pki *p, const struct pki_ca *ca, int64_t ttl, struct buf *pem,
		    struct err *err)
{
	const struct ledger *l = &p->ledger;
	struct buf entries CLEANUP(buf_release) = BUF_INIT;
	X509_CRL *crl CLEANUP(x509_crl_freep) = crl_begin(ca->cert, l->crl_number, l->crl_from,
							  l->crl_to, err);

	if (!crl)
		return -1;
	for (size_t i = 0; i < l->certs_n; i++)
		if (belongs(&l->certs[i], p, ca, ttl))
			crl_add(&entries, &l->certs[i]);
	return crl_sign(crl, &entries, ca->key, pem, err);
}

/* One of each authority that is trusted, all of the same number: whoever checks lists wants one of
 * whoever issued. */
static int write_list(const struct pki *p, const struct pki_ca *ca, int64_t ttl, struct err *err)
{
	struct buf pem CLEANUP(buf_release) = BUF_INIT;

	for (; ca; ca = ca->old)
		if (add_list(p, ca, ttl, &pem, err))
			return -1;
	return fs_put(p->fd, CRL, 0444, pem.data, pem.len, err);
}

static void add_number(const struct pki *p, const struct pki_ca *ca, int64_t ttl, struct buf *lines)
{
	int64_t from = p->now - PKI_BACKDATE;

	if (from < ca->entry.from)
		from = ca->entry.from;
	buf_addf(lines, "crl %llu %lld %lld\n", (unsigned long long)p->ledger.crl_number + 1,
		 (long long)from, (long long)(p->now + ttl));
}

int pki_crl(struct pki *p, const struct pki_ca *ca, int64_t crl_ttl, struct err *err)
{
	struct buf lines CLEANUP(buf_release) = BUF_INIT;

	add_number(p, ca, crl_ttl, &lines);
	return pki_append(p, &lines, err) || write_list(p, ca, crl_ttl, err) ? -1 : 0;
}

int pki_revoke(struct pki *p, const struct pki_ca *ca, struct ledger_cert *const *certs, size_t n,
	       const char *reason, int64_t crl_ttl, struct err *err)
{
	struct buf lines CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		if (!certs[i]->revoked)
			buf_addf(&lines, "revoke %s %s\n", certs[i]->serial, reason);
	add_number(p, ca, crl_ttl, &lines);
	if (pki_append(p, &lines, err))
		return -1;
	if (!write_list(p, ca, crl_ttl, err))
		return 0;
	err_prefix(err, "revoked in the ledger, but the revocation list is the old one");
	err_remedy(err, "sysboxup cert crl");
	return PKI_STANDS;
}

int pki_crl_text(const struct pki *p, struct buf *ret, struct err *err)
{
	return p->fd < 0 ? 1 : fs_read_at(p->fd, CRL, CRL_MAX, ret, err);
}
