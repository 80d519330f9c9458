/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One authority replaces another, and nobody is locked out on the way:
 *
 *	one		pki_rotate: a new authority
 *	overlap		both are trusted (pki/trust.h). Clients have their certificates from the new
 *			one; servers still from the old one, which is all that a client of before
 *			trusts. Over when the last client of the old one is.
 *	one		pki_drop: servers have theirs from the new one, the old one is dropped with
 *			all that it issued
 *
 * Each of the two is one record of the ledger, and neither is ever taken back. Each opens the same
 * secret: what opened the old authority opens the new one. The caller holds the lock. Where the key
 * is elsewhere, the same two are in pki/request.h.
 */
#ifndef PKI_ROTATE_H
#define PKI_ROTATE_H

#include "pki/issue.h"

/* The one that is being replaced, or NULL. */
const struct ledger_ca *pki_ca_old(const struct pki *p);
/* Clients in force that have theirs from it; the last of them ends at *ret_until. */
size_t pki_old_clients(const struct pki *p, int64_t *ret_until);
/* A server's in force that has it from there, the newest of its name. */
bool pki_is_old_server(const struct pki *p, const struct ledger_cert *c);
/* That certificate is to be made anew by the new authority: a client's of the old one, or of one
 * that was dropped, and none newer of its name. */
bool pki_is_left_behind(const struct pki *p, const struct ledger_cert *c);

/*
 * *ca becomes the new one, opened. Of spec, common, algorithm, ttl (0) and constraints may be left
 * out: as the old one has them, a name of its own. ERR_REFUSED while another one is being replaced.
 */
int pki_rotate(struct pki *p, struct pki_ca **ca, const struct pki_ca_spec *spec, struct err *err);
/* Servers' certificates anew and the old authority gone, in one record. algorithm, sans: as in
 * pki_renew. */
int pki_drop(struct pki *p, const struct pki_ca *ca, const char *algorithm, const char *sans,
	     struct report *rep, struct err *err);

#endif
