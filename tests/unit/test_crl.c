/* SPDX-License-Identifier: Apache-2.0 */
/* Serials of any form in a revocation list, and keys that are read back. */
#include "pki/secret.h"
#include "pki/x509.h"

#include "test.h"

#include <openssl/bn.h>
#include <openssl/pem.h>

static X509 *authority(EVP_PKEY *key)
{
	const struct x509_spec s = { .common = "test", .serial = "01", .from = 1000, .to = 1000000 };
	struct err err = ERR_INIT;

	return x509_make(&s, key, NULL, key, &err);
}

static bool lists(X509_CRL *crl, const char *hex)
{
	BIGNUM *n = NULL;
	ASN1_INTEGER *serial = BN_hex2bn(&n, hex) ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	X509_REVOKED *r = NULL;
	bool found = serial && X509_CRL_get0_by_serial(crl, &r, serial) == 1;

	ASN1_INTEGER_free(serial);
	BN_free(n);
	return found;
}

TEST(serials, "each serial is found in the list by who reads it, zeros in front or the highest bit set")
{
	static const char *const serials[] = {
		"0f0e0d0c0b0a09080706050403020100", "000000000b0a09080706050403020100", "80000000000000000000000000000000",
		"ffffffffffffffffffffffffffffffff", "01", "00ff", "0123456789abcdef0123456789abcdef01234567",
	};
	struct err err = ERR_INIT;
	EVP_PKEY *key CLEANUP(pkey_freep) = key_new("p256", &err);
	X509 *ca CLEANUP(x509_freep) = authority(key);
	X509_CRL *crl CLEANUP(x509_crl_freep) = crl_begin(ca, 7, 1000, 2000, &err);
	struct buf pem CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		const struct ledger_cert c = { .serial = serials[i], .revoked = 1500, .reason = i % 2 ? "superseded" : "unspecified" };

		CHECK_INT(crl_add(crl, &c, &err), 0);
	}
	CHECK_INT(crl_sign(crl, key, &pem, &err), 0);
	BIO *bio CLEANUP(bio_freep) = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509_CRL *read CLEANUP(x509_crl_freep) = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	CHECK_INT(X509_CRL_verify(read, key), 1);
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++)
		CHECK(lists(read, serials[i]));
	CHECK(!lists(read, "0f0e0d0c0b0a09080706050403020101"));
}

TEST(keys, "a key is read back by its secret, and by no other")
{
	struct buf secret CLEANUP(secret_release) = BUF_INIT,
			  wrong CLEANUP(secret_release) = BUF_INIT;

	secret_random(&secret);
	buf_adds(&wrong, "wrong");
	for (const char *const *a = key_algorithms; *a; a++) {
		for (int strong = 0; strong < 2; strong++) {
			struct err err = ERR_INIT;
			struct buf pem CLEANUP(secret_release) = BUF_INIT;
			EVP_PKEY *key CLEANUP(pkey_freep) = key_new(*a, &err);
			char hex[2][DIGEST_HEX + 1];

			CHECK_INT(key_write(key, &secret, strong, &pem, &err), 0);
			EVP_PKEY *again CLEANUP(pkey_freep) = key_read(&pem, &secret, &err);
			CHECK(again);
			key_digest(key, hex[0]);
			key_digest(again, hex[1]);
			CHECK_STR(hex[1], hex[0]);
			CHECK(!key_read(&pem, &wrong, &err));
			CHECK_INT(err.kind, ERR_REFUSED);
			CHECK(!key_read(&pem, NULL, &err));
		}
	}
}

TEST(own_serials, "a serial of ours has 128 bits, and is read from the certificate as it was given")
{
	struct err err = ERR_INIT;
	EVP_PKEY *key CLEANUP(pkey_freep) = key_new("ed25519", &err);
	char hex[SERIAL_MAX + 1], given[SERIAL_HEX + 1];
	struct x509_spec s = { .common = "test", .serial = "000f0e0d0c0b0a090807060504030201", .from = 1000, .to = 2000 };

	serial_new(given);
	CHECK_INT(strlen(given), SERIAL_HEX);
	X509 *odd CLEANUP(x509_freep) = x509_make(&s, key, NULL, key, &err);
	x509_serial(odd, hex);
	CHECK_STR(hex, "0f0e0d0c0b0a090807060504030201");
	s.serial = "ff0e0d0c0b0a09080706050403020100";
	X509 *high CLEANUP(x509_freep) = x509_make(&s, key, NULL, key, &err);
	x509_serial(high, hex);
	CHECK_STR(hex, s.serial);
}

RUN_TESTS()
