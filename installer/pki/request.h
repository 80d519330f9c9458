/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An authority whose key is never on this host. Its certificate is imported; keys are made here and
 * wait below requests/KIND-NAME/ until their certificates come back; so do its revocation lists.
 * The caller holds the lock.
 */
#ifndef PKI_REQUEST_H
#define PKI_REQUEST_H

#include "pki/issue.h"

/* A key, and the request for it (PKCS#10, PEM) in ret. ERR_REFUSED where one of that name waits. */
int pki_request(struct pki *p, const struct pki_wish *w, struct buf *ret, struct err *err);

enum pki_came { CAME_AUTHORITY, CAME_CERT, CAME_KNOWN_CERT, CAME_LIST };

/*
 * What the text is: an authority's certificate, where none is in force; a certificate for a key
 * that waits, judged as our own are; or a list with a higher number than any before, whose
 * revocations go into the ledger. All of it is one record. What is in the ledger already is fine.
 * ERR_REFUSED says what is wrong with it.
 */
int pki_import(struct pki *p, const struct buf *pem, enum pki_came *ret, struct err *err);

#endif
