/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and revocations, with an opened authority; the caller holds the lock (PKI_WRITE). */
#ifndef PKI_ISSUE_H
#define PKI_ISSUE_H

#include "base/report.h"
#include "pki/ca.h"

/* The ledger has it, the revocation list does not say so. */
enum { PKI_STANDS = -2 };

struct pki_wish {
	const char *name;		/* checked by name_check */
	enum pki_profile profile;
	const char *algorithm;
	int64_t ttl;
	const char *sans;		/* of a server: "DNS:a,IP:10.0.0.1" */
	bool renew, detected;		/* as in struct ledger_cert */
	bool anew;			/* also while one of that name is in force */
	const struct buf *request;	/* of a key that is elsewhere, or NULL; it has the names of a server */
};

/*
 * Keys and certificates of all wishes, and one record of them; those are the newest in p->ledger
 * afterwards. Each was judged by libcrypto's strictest rules before. A certificate that would
 * outlive the authority ends with it, and a warning says so. ERR_REFUSED where a name is in force
 * already or the authority's constraints forbid one.
 */
int pki_issue(struct pki *p, const struct pki_ca *ca, const struct pki_wish *wishes, size_t n,
	      struct report *rep, struct err *err);

/* Would it? Nothing is written, and nobody needs the lock. */
int pki_try(struct pki *p, const struct pki_ca *ca, const struct pki_wish *wishes, size_t n,
	    struct err *err);

/* As pki_issue; and lifetime, names and flags as the old one had. sans: of now, where they were
 * detected. */
int pki_renew(struct pki *p, const struct pki_ca *ca, const struct ledger_cert *const *old,
	      size_t n, const char *algorithm, const char *sans, struct report *rep,
	      struct err *err);
/* Two thirds of its life are over. */
bool pki_due(const struct ledger_cert *c, int64_t now);

/* "ci-NAME" of a client, "NAME" of a server: common name, directory. Allocated. */
char *pki_common(const struct ledger_cert *c);
char *pki_common_of(enum pki_profile p, const char *name);
char *pki_client_uri(const char *common);	/* "URI:..."; allocated */

/*
 * Revoked in the ledger, together with the number of the list that tells of it: one record. The
 * list is written behind it; where that fails: PKI_STANDS. Whatever is revoked already is passed
 * over.
 */
int pki_revoke(struct pki *p, const struct pki_ca *ca, struct ledger_cert *const *certs, size_t n,
	       const char *reason, int64_t crl_ttl, struct err *err);
/* The list anew, with the next number. */
int pki_crl(struct pki *p, const struct pki_ca *ca, int64_t crl_ttl, struct err *err);
/* PKI_DIR/crl.pem; absent: 1. */
int pki_crl_text(const struct pki *p, struct buf *ret, struct err *err);

#endif
