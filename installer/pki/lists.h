/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists of an authority whose key is elsewhere. */
#ifndef PKI_LISTS_H
#define PKI_LISTS_H

#include "pki/store.h"

/*
 * The lists in that text: of authorities that are trusted, not over, each of a higher number than
 * any of that authority before. What they revoke goes into the ledger, in one record with their
 * numbers; then crl.pem has the newest list of each authority. ERR_REFUSED where none can be taken.
 * 1: there is no list in it.
 */
int lists_import(struct pki *p, const struct buf *pem, struct err *err);

#endif
