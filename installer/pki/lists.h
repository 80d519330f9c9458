/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists: those of an authority whose key is elsewhere, and whether the file is as the
 * ledger has it. */
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

/*
 * crl.pem has no list of an authority in force, or an older one than the ledger, or cannot be read:
 * a run ended between the two. Whoever reads it then lets in what is revoked. Reads all of the
 * file, so whoever writes it anyway does not ask. The lock is not needed.
 */
bool lists_behind(const struct pki *p);

#endif
