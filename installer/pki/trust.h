/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a server is to trust: the certificates of all authorities that are not dropped, in
 *
 *	PKI_DIR/trust.pem		kept as the ledger has it, by whoever has the lock
 *	PKI_DIR/gen/N/trust.pem		a link to it, in the directory of each record N that changed
 *					it
 *
 * A daemon is given the newest of these links. So what it trusts has a name that changes whenever
 * it does, for a plan to compare and for a rollback to bring back; but under whichever name, it is
 * what holds now: no rollback brings back the trust in an authority that was dropped.
 */
#ifndef PKI_TRUST_H
#define PKI_TRUST_H

#include "pki/store.h"

/* As the ledger has it, added to ret. */
int pki_trust_text(const struct pki *p, struct buf *ret, struct err *err);
/* The newest link, as it is outside of the root; allocated. */
char *pki_trust_path(const struct pki *p);
/* ERR_REFUSED where a crash came before the file was written: the next verb that writes does. */
int pki_trust_check(const struct pki *p, struct err *err);
/* File and link are made as they should be. Done already costs nothing but looking. */
int pki_trust_settle(const struct pki *p, struct err *err);

#endif
