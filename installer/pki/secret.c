/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

void secret_release(struct buf *b)
{
	if (b->cap)
		OPENSSL_cleanse(b->data, b->cap);
	buf_release(b);
}

void secret_random(struct buf *ret)
{
	unsigned char bytes[32];

	if (RAND_priv_bytes(bytes, sizeof(bytes)) != 1)
		abort();	/* the kernel has no random numbers: nothing to go on with */
	buf_reserve(ret, 2 * sizeof(bytes) + 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		buf_addf(ret, "%02x", bytes[i]);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}
