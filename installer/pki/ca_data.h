/* SPDX-License-Identifier: Apache-2.0 */
/* What only pki/ knows of an authority. */
#ifndef PKI_CA_DATA_H
#define PKI_CA_DATA_H

#include "base/report.h"
#include "pki/ca.h"
#include "pki/x509.h"

struct pki_ca {
	struct ledger_ca entry;		/* its strings are the ledger's */
	X509 *cert;
	EVP_PKEY *key;
	struct buf secret;		/* what opened the key; wiped */
	struct pki_ca *old;		/* the one that it replaces, where that is in force, or NULL */
};

/* ERR_REFUSED where there is one that is not over yet. */
int ca_refuse_second(const struct pki *p, struct err *err);
/* Those that are over go when another one comes: lines of its record. */
void ca_drop_over(const struct pki *p, struct buf *lines);
/* The certificate of one whose key is elsewhere; ERR_REFUSED where it is not as ours are, or there
 * is one in force. */
int ca_import(struct pki *p, X509 *cert, struct err *err);
/* Key, certificate and record of a new one; files has what opens it. like: whose name constraints
 * it has, or NULL: those of spec. */
int ca_publish(struct pki *p, const struct pki_ca_spec *spec, const X509 *like,
	       const struct buf *secret, struct pki_files *files, struct err *err);

/* pki_renew, in one record with these lines. */
int issue_renewals(struct pki *p, const struct pki_ca *ca, const struct ledger_cert *const *old,
		   size_t n, const char *algorithm, const char *sans, const struct buf *lines,
		   struct report *rep, struct err *err);

#endif
