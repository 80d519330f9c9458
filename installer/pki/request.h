/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An authority whose key is never on this host. Its certificate is imported; keys are made here and
 * wait below requests/KIND-NAME/ until their certificates come back; so do its revocation lists.
 * The caller holds the lock.
 */
#ifndef PKI_REQUEST_H
#define PKI_REQUEST_H

#include "pki/issue.h"

/*
 * A key, and the request for it (PKCS#10, PEM) in ret. Where a key waits that was asked for with
 * the same words and has no certificate yet, the request for that one: the same again ends what
 * died or could not write the request. ERR_REFUSED where one of that name waits for something else.
 */
int pki_request(struct pki *p, const struct pki_wish *w, struct buf *ret, struct err *err);
/* " --san NAME --san NAME" of "DNS:NAME" ..., as a person types it. Allocated. */
char *pki_san_options(const struct strv *sans);
/* What a person types for it, with all that follows; of a server with these names, or of a client
 * (NULL). Allocated. */
char *pki_request_command(const char *name, const struct strv *sans);

enum pki_came { CAME_AUTHORITY, CAME_CERT, CAME_KNOWN_CERT, CAME_WAITING_CERT, CAME_LIST };

/*
 * What the text is: an authority's certificate, where none is in force; a certificate for a key
 * that waits, judged as our own are; or lists with higher numbers than any before, whose
 * revocations go into the ledger. All of it is one record. What is in the ledger already is fine.
 * ERR_REFUSED says what is wrong with it.
 *
 * While one authority replaces another (pki/rotate.h), a client's certificate is taken from the new
 * one alone, and a server's from either: that of the new one waits with its key until the old one
 * is dropped.
 */
int pki_import(struct pki *p, const struct buf *pem, enum pki_came *ret, struct err *err);

/* The overlap begins: an authority that is to replace the one there is. */
int pki_rotate_elsewhere(struct pki *p, const struct buf *pem, struct err *err);
/* It ends: servers' certificates that waited, and the old authority gone, in one record. now: also
 * if servers are left without one, of which it warns; else ERR_REFUSED. */
int pki_drop_elsewhere(struct pki *p, bool now, struct report *rep, struct err *err);
/* Such servers, added to ret. The lock is not needed. */
void pki_servers_without(const struct pki *p, struct strv *ret);

#endif
