/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include "base/str.h"

#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *ctx;
};

/* libcrypto fails here only for want of memory or of SHA-256 itself: nothing to go on with. */
static void must(int ok)
{
	if (!ok)
		abort();
}

struct digest *digest_new(void)
{
	struct digest *d = xcalloc(1, sizeof(*d));

	d->ctx = EVP_MD_CTX_new();
	must(d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL));
	return d;
}

struct digest *digest_new_md5(void)
{
	struct digest *d CLEANUP(digest_freep) = xcalloc(1, sizeof(*d));

	d->ctx = EVP_MD_CTX_new();
	must(d->ctx != NULL);
	return EVP_DigestInit_ex(d->ctx, EVP_md5(), NULL) ? STEAL(d) : NULL;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
	must(EVP_DigestUpdate(d->ctx, data, len));
}

void digest_end(struct digest *d, char hex[DIGEST_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[DIGEST_HEX / 2];
	unsigned int len = 0;

	must(EVP_DigestFinal_ex(d->ctx, md, &len));
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[md[i] >> 4];
		hex[2 * i + 1] = digits[md[i] & 15];
	}
	hex[2 * len] = '\0';
	digest_freep(&d);
}

void digest_freep(struct digest **d)
{
	if (!*d)
		return;
	EVP_MD_CTX_free((*d)->ctx);
	free(*d);
	*d = NULL;
}

void digest_hex(const void *data, size_t len, char hex[DIGEST_HEX + 1])
{
	struct digest *d = digest_new();

	digest_add(d, data, len);
	digest_end(d, hex);
}

bool digest_valid(const char *hex)
{
	return hex && strlen(hex) == DIGEST_HEX && strspn(hex, "0123456789abcdef") == DIGEST_HEX;
}
