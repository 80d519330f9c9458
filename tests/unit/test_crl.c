/* SPDX-License-Identifier: Apache-2.0 */
/* Serials of any form in a revocation list, and keys that are read back. */
#include "pki/secret.h"
#include "pki/x509.h"

#include "test.h"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static X509 *authority(EVP_PKEY *key)
{
	const struct x509_spec s = { .common = "test", .serial = "01", .from = 1000, .to = 1000000 };
	struct err err = ERR_INIT;

	return x509_make(&s, key, NULL, key, &err);
}

/* When that serial was revoked, and its reason; -1: it is not in the list. */
static int64_t revoked_at(X509_CRL *crl, const char *hex, int *ret_reason)
{
	BIGNUM *n = NULL;
	ASN1_INTEGER *serial = BN_hex2bn(&n, hex) ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	ASN1_ENUMERATED *reason = NULL;
	X509_REVOKED *r = NULL;
	int64_t when = -1;

	if (serial && X509_CRL_get0_by_serial(crl, &r, serial) == 1) {
		when = asn1_seconds(X509_REVOKED_get0_revocationDate(r));
		reason = X509_REVOKED_get_ext_d2i(r, NID_crl_reason, NULL, NULL);
		*ret_reason = reason ? (int)ASN1_ENUMERATED_get(reason) : -1;
	}
	ASN1_ENUMERATED_free(reason);
	ASN1_INTEGER_free(serial);
	BN_free(n);
	return when;
}

/* Signed, and read by libcrypto; whose own encoding of it has the same signature, and whose own
 * text of it is ours: so it is the same, byte for byte. */
static X509_CRL *signed_list(const struct buf *entries, const char *algorithm)
{
	struct err err = ERR_INIT;
	EVP_PKEY *key CLEANUP(pkey_freep) = key_new(algorithm, &err);
	struct buf list CLEANUP(buf_release) = BUF_INIT;
	X509 *ca CLEANUP(x509_freep) = authority(key);
	X509_CRL *head CLEANUP(x509_crl_freep) = crl_begin(ca, 7, 1000, 2000, &err);
	struct buf pem CLEANUP(buf_release) = BUF_INIT;

	buf_add(&list, entries->data, entries->len);
	CHECK_INT(crl_sign(head, &list, key, &pem, &err), 0);
	X509_CRL *read = crl_read(&pem);
	CHECK(read);
	CHECK_INT(X509_CRL_verify(read, key), 1);
	CHECK(i2d_re_X509_CRL_tbs(read, NULL) > 0);
	CHECK_INT(X509_CRL_verify(read, key), 1);
	CHECK_INT(asn1_seconds(X509_CRL_get0_nextUpdate(read)), 2000);
	BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_mem());
	struct buf again CLEANUP(buf_release) = BUF_INIT;

	CHECK_INT(PEM_write_bio_X509_CRL(bio, read), 1);
	bio_take(bio, &again);
	CHECK(buf_equal(&again, &pem));
	return read;
}

static void add(struct buf *entries, const char *serial, int64_t when, const char *reason)
{
	const struct ledger_cert c = { .serial = serial, .revoked = when, .reason = reason };

	crl_add(entries, &c);
}

TEST(serials, "each serial is found in the list by who reads it, zeros in front or the highest bit set")
{
	static const char *const serials[] = {
		"0f0e0d0c0b0a09080706050403020100", "000000000b0a09080706050403020100", "80000000000000000000000000000000",
		"ffffffffffffffffffffffffffffffff", "01", "00ff", "0123456789abcdef0123456789abcdef01234567",
	};
	struct buf entries CLEANUP(buf_release) = BUF_INIT;
	int reason;

	for (size_t i = 0; i < ARRAY_SIZE(serials); i++)
		add(&entries, serials[i], 1500, i % 2 ? "superseded" : "unspecified");
	for (const char *const *a = key_algorithms; *a; a++) {
		X509_CRL *crl CLEANUP(x509_crl_freep) = signed_list(&entries, *a);

		for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
			CHECK_INT(revoked_at(crl, serials[i], &reason), 1500);
			CHECK_INT(reason, i % 2 ? CRL_REASON_SUPERSEDED : -1);
		}
		CHECK_INT(revoked_at(crl, "0f0e0d0c0b0a09080706050403020101", &reason), -1);
	}
}

TEST(entries, "none, one and a thousand of them, on either side of 2050, for each reason")
{
	static const int64_t times[] = { 0, 1795971757, 2524607999, 2524608000, 4102444800 };
	struct buf entries CLEANUP(buf_release) = BUF_INIT;
	X509_CRL *none CLEANUP(x509_crl_freep) = signed_list(&entries, "p256");
	char serial[SERIAL_HEX + 1];
	int reason;

	CHECK(!X509_CRL_get_REVOKED(none));
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(serial, sizeof(serial), "%032x", i + 1);
		add(&entries, serial, times[i % ARRAY_SIZE(times)], crl_reasons[i % 4]);
		if (i && i != 999)
			continue;
		X509_CRL *crl CLEANUP(x509_crl_freep) = signed_list(&entries, "p256");

		CHECK_INT(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), i + 1);
		for (unsigned int k = 0; k <= i; k++) {
			static const int codes[] = { -1, CRL_REASON_KEY_COMPROMISE,
						     CRL_REASON_SUPERSEDED,
						     CRL_REASON_CESSATION_OF_OPERATION };

			snprintf(serial, sizeof(serial), "%032x", k + 1);
			CHECK_INT(revoked_at(crl, serial, &reason), times[k % ARRAY_SIZE(times)]);
			CHECK_INT(reason, codes[k % 4]);
		}
	}
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
