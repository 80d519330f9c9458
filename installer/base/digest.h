/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, the only digest we write; MD5, to read what dpkg wrote. libcrypto is included in
 * digest.c only. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/mem.h"

#include <stdbool.h>

#define DIGEST_HEX 64
#define DIGEST_MD5_HEX 32

struct digest;		/* a running hash */

struct digest *digest_new(void);
struct digest *digest_new_md5(void);	/* NULL: this host's libcrypto has none (FIPS) */
void digest_add(struct digest *d, const void *data, size_t len);
/* Lower-case hex into hex, 32 digits of an MD5; d is freed. */
void digest_end(struct digest *d, char hex[DIGEST_HEX + 1]);
void digest_freep(struct digest **d);		/* give up a hash that was not ended */
void digest_hex(const void *data, size_t len, char hex[DIGEST_HEX + 1]);
bool digest_valid(const char *hex);		/* 64 lower-case hex digits */

#endif
