/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/stranger.h"

#include "pki/x509.h"

enum { LIFE = 3600, BACK = 300 };

static X509 *make(const char *common, const char *usage, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key,
		  int64_t now, struct err *err)
{
	char serial[SERIAL_HEX + 1];
	const struct x509_spec spec = { .common = common,
					.serial = serial,
					.from = now - BACK,
					.to = now + LIFE,
					.usage = usage };

	serial_new(serial);
	return x509_make(&spec, key, ca, ca_key, err);
}

int pki_stranger(int64_t now, struct buf *ret_cert, struct buf *ret_key, struct err *err)
{
	EVP_PKEY *ca_key CLEANUP(pkey_freep) = key_new(NULL, err), *key CLEANUP(pkey_freep) = NULL;
	X509 *ca CLEANUP(x509_freep) = NULL, *cert CLEANUP(x509_freep) = NULL;

	if (!ca_key || !(ca = make("a stranger", NULL, ca_key, NULL, ca_key, now, err)) ||
	    !(key = key_new(NULL, err)) ||
	    !(cert = make("ci-stranger", "clientAuth", key, ca, ca_key, now, err)))
		return -1;
	return x509_write(cert, ret_cert, err) || key_write(key, NULL, false, ret_key, err) ? -1 :
											      0;
}
