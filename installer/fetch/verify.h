/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detached OpenPGP signatures with libgpgme in a private home. A signature is accepted if and only
 * if one signature in the file is good, made by a key whose PRIMARY fingerprint is pinned, with
 * SHA-256 or better, not expired, not revoked, not from the future (facts/tls-firewall-downloads.md
 * 4.1: gpg exits 0 for revoked and expired keys). Further signatures by strangers do no harm, a bad
 * one by a pinned key does.
 */
#ifndef FETCH_VERIFY_H
#define FETCH_VERIFY_H

#include "base/err.h"
#include "base/str.h"

/* keyring: bytes of exported keys (binary or armoured). Errors ERR_REFUSED say why: "signature by
 * an expired key 0123..." */
int verify_detached(const void *data, size_t len, const void *sig, size_t siglen,
		    const void *keyring, size_t keylen, const struct strv *fingerprints,
		    const char *what, struct err *err);

#endif
