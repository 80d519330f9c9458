/* SPDX-License-Identifier: Apache-2.0 */
/* What only pki/ knows of an authority. */
#ifndef PKI_CA_DATA_H
#define PKI_CA_DATA_H

#include "pki/ca.h"
#include "pki/x509.h"

struct pki_ca {
	const struct ledger_ca *entry;	/* borrowed */
	X509 *cert;
	EVP_PKEY *key;
};

/* ERR_REFUSED where there is one that is not over yet. */
int ca_refuse_second(const struct pki *p, struct err *err);

#endif
