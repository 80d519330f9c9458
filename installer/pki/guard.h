/* SPDX-License-Identifier: Apache-2.0 */
/* The secret that the authority's key is encrypted with: where it comes from (pki/ca.h). */
#ifndef PKI_GUARD_H
#define PKI_GUARD_H

#include "pki/ca.h"

/* The secret of a new authority, and what of it belongs into its directory. */
int guard_make(struct pki *p, const struct pki_ca_spec *spec, struct pki_files *files,
	       struct buf *ret, struct err *err);
enum pki_guard guard_of(int dir);
/* For another authority that the same secret opens. */
int guard_copy(int dir, struct pki_files *files, struct err *err);
int guard_open(const struct root *root, int dir, const struct buf *passphrase, struct buf *ret,
	       struct err *err);
/* Not of the form that secret_random makes: it may be a person's. */
bool guard_is_guessable(const struct buf *secret);

#endif
