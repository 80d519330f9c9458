/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of keys and revocations, without libcrypto's headers. NULL-terminated. */
#ifndef PKI_WORDS_H
#define PKI_WORDS_H

extern const char *const key_algorithms[];	/* "p256", "rsa3072", "ed25519" */
extern const char *const crl_reasons[];		/* "unspecified", "key-compromise" ... */

#endif
