/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pkisane PKI [SERIAL]: what must be so of an authority's directory (.../sysboxup/pki) whatever hit
 * the one who wrote it. Says what is not, exit status 1:
 *
 *	- each key and certificate on the disk is in the ledger, in the record that its directory is
 *	  named after, whole, nobody else's to read, and accepted by OpenSSL's strict rules under
 *	  the authority of that record; and the ledger tells of no others
 *	- trust.pem is the authorities that the ledger has and has not dropped, and nothing else
 *	- each list in crl.pem is an authority's of this host, and none is newer than the ledger
 *	- nothing is left over
 *
 * With SERIAL: whether a list in crl.pem has it, and nothing else. An openssl(1) takes 20 ms to
 * start, and all of this would be a dozen of them.
 */
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509_vfy.h>

#include <err.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *top;

struct line {
	unsigned record;	/* whose it is */
	char *text;
};

static struct line *lines;
static size_t lines_n;

static FILE *opened(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		err(1, "cannot open '%s'", path);
	return f;
}

__attribute__((format(printf, 1, 2))) static char *path_of(const char *format, ...)
{
	char *below = NULL, *path = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&below, format, args) < 0 || asprintf(&path, "%s/%s", top, below) < 0)
		err(2, "no memory");
	va_end(args);
	free(below);
	return path;
}

static void read_ledger(void)
{
	FILE *f = opened(path_of("ledger"));
	unsigned record = 0;
	char *text = NULL;
	size_t room = 0;

	while (getline(&text, &room, f) > 0) {
		sscanf(text, "+ %u ", &record);
		lines = reallocarray(lines, lines_n + 1, sizeof(*lines));
		lines[lines_n++] = (struct line){ record, strdup(text) };
	}
	free(text);
	fclose(f);
}

static X509 *certificate(const char *path)
{
	FILE *f = opened(path);
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);

	if (!x)
		errx(1, "no certificate: %s", path);
	fclose(f);
	return x;
}

static EVP_PKEY *key(const char *path)
{
	FILE *f = opened(path);
	EVP_PKEY *k = PEM_read_PrivateKey(f, NULL, NULL, NULL);

	if (!k)
		errx(1, "no key: %s", path);
	fclose(f);
	return k;
}

static X509 *authority(unsigned record)
{
	return certificate(path_of("gen/%06u/cert.pem", record));
}

static void mode_is(const char *path, mode_t wanted)
{
	struct stat st;

	if (stat(path, &st))
		err(1, "%s", path);
	if ((st.st_mode & 07777) != wanted)
		errx(1, "mode %04o: %s", (unsigned)st.st_mode & 07777, path);
}

static bool is_serial(const ASN1_INTEGER *serial, const char *hex)
{
	BIGNUM *want = NULL, *have = ASN1_INTEGER_to_BN(serial, NULL);
	bool same = have && BN_hex2bn(&want, hex) && !BN_cmp(have, want);

	BN_free(want);
	BN_free(have);
	return same;
}

static bool is_spki(EVP_PKEY *k, const char *hex)
{
	unsigned char *der = NULL, sum[SHA256_DIGEST_LENGTH];
	int n = i2d_PUBKEY(k, &der);
	char text[2 * sizeof(sum) + 1];

	if (n < 0)
		errx(2, "no public key");
	SHA256(der, n, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		sprintf(text + 2 * i, "%02x", sum[i]);
	OPENSSL_free(der);
	return !strcmp(text, hex);
}

/* Whatever the clock says: tests turn it. */
static void verify(X509 *cert, unsigned by, const char *path)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE *store = X509_STORE_new();
	X509 *ca = authority(by);

	X509_STORE_add_cert(store, ca);
	X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME);
	if (!X509_STORE_CTX_init(ctx, store, cert, NULL))
		errx(2, "no memory");
	if (X509_verify_cert(ctx) != 1)
		errx(1, "%s: %s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)), path);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(ca);
}

/* A directory with cert.pem and key.pem. */
static void pair(const char *dir, unsigned record)
{
	char *cert_path, *key_path, serial[64], spki[80];
	unsigned found = 0, by = 0, ca;
	X509 *cert;
	EVP_PKEY *k;

	if (asprintf(&cert_path, "%s/cert.pem", dir) < 0 || asprintf(&key_path, "%s/key.pem", dir) < 0)
		err(2, "no memory");
	mode_is(dir, 0700);
	mode_is(key_path, 0400);
	mode_is(cert_path, 0444);
	cert = certificate(cert_path);
	k = key(key_path);
	if (X509_check_private_key(cert, k) != 1)
		errx(1, "not its key: %s", key_path);
	for (size_t i = 0; i < lines_n; i++)
		if (lines[i].record == record &&
		    sscanf(lines[i].text, "cert %63s %79s %*s %*s %u ", serial, spki, &ca) == 3 &&
		    is_serial(X509_get0_serialNumber(cert), serial) && is_spki(k, spki)) {
			found++;
			by = ca;
		}
	if (found != 1)
		errx(1, "%u times in record %u of the ledger: %s", found, record, dir);
	verify(cert, by, cert_path);
	X509_free(cert);
	EVP_PKEY_free(k);
	free(cert_path);
	free(key_path);
}

static size_t pairs;

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
	const char *name = path + at->base;
	unsigned record;

	(void)st;
	if (*name == '.' && at->level)
		errx(1, "left over: %s", path);
	if (type == FTW_D && at->level == 3 && sscanf(path + strlen(top), "/gen/%u/", &record) == 1) {
		pair(path, record);
		pairs++;
	}
	return 0;
}

static void certificates(void)
{
	size_t told = 0;

	if (nftw(top, look, 16, FTW_PHYS))
		err(1, "%s", top);
	for (size_t i = 0; i < lines_n; i++)
		told += !strncmp(lines[i].text, "cert ", 5);
	if (told != pairs)
		errx(1, "%zu certificates, the ledger has %zu", pairs, told);
}

static char *content(const char *path, size_t *size)
{
	FILE *f = opened(path);
	char *text = malloc(1 << 20);

	*size = text ? fread(text, 1, 1 << 20, f) : 0;
	fclose(f);
	return text;
}

static bool dropped(unsigned record)
{
	unsigned r;

	for (size_t i = 0; i < lines_n; i++)
		if (sscanf(lines[i].text, "drop %u", &r) == 1 && r == record)
			return true;
	return false;
}

/* Oldest first; and it is seen from the newest record of an authority, too. */
static void trust(void)
{
	char *have, *seen, *one;
	size_t size, seen_size, n, at = 0;
	unsigned newest = 0, ignored;

	have = content(path_of("trust.pem"), &size);
	for (size_t i = 0; i < lines_n; i++) {
		bool ca = !strncmp(lines[i].text, "ca ", 3);

		if (ca || sscanf(lines[i].text, "drop %u", &ignored) == 1)
			newest = lines[i].record;
		if (!ca || dropped(lines[i].record))
			continue;
		one = content(path_of("gen/%06u/cert.pem", lines[i].record), &n);
		if (n > size - at || memcmp(have + at, one, n))
			errx(1, "trust.pem is not the authorities of the ledger, from byte %zu on", at);
		at += n;
		free(one);
	}
	if (at != size)
		errx(1, "trust.pem has more than the authorities of the ledger");
	seen = content(path_of("gen/%06u/trust.pem", newest), &seen_size);
	if (seen_size != size || memcmp(have, seen, size))
		errx(1, "gen/%06u/trust.pem is another", newest);
	free(have);
	free(seen);
}

static bool by_an_authority(X509_CRL *list)
{
	bool is = false;

	for (size_t i = 0; i < lines_n && !is; i++)
		if (!strncmp(lines[i].text, "ca ", 3)) {
			X509 *ca = authority(lines[i].record);

			is = X509_CRL_verify(list, X509_get0_pubkey(ca)) == 1;
			X509_free(ca);
		}
	return is;
}

static void lists(void)
{
	char *path = path_of("crl.pem");
	int64_t number, newest = 0, known = 0;
	X509_CRL *list;
	unsigned n = 0;
	FILE *f = fopen(path, "re");

	if (!f && errno == ENOENT)
		return;
	if (!f)
		err(1, "cannot open '%s'", path);
	for (; (list = PEM_read_X509_CRL(f, NULL, NULL, NULL)); n++) {
		ASN1_INTEGER *a = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);

		if (!by_an_authority(list))
			errx(1, "list %u is no authority's", n + 1);
		if (!a || !ASN1_INTEGER_get_int64(&number, a))
			errx(1, "list %u has no number", n + 1);
		newest = number > newest ? number : newest;
		ASN1_INTEGER_free(a);
		X509_CRL_free(list);
	}
	if (!n)
		errx(1, "no list in '%s'", path);
	for (size_t i = 0; i < lines_n; i++)
		if (sscanf(lines[i].text, "crl %" SCNd64, &number) == 1 && number > known)
			known = number;
	if (newest > known)
		errx(1, "list %" PRId64 ", but the ledger knows of %" PRId64, newest, known);
	fclose(f);
}

static int listed(const char *serial)
{
	FILE *f = opened(path_of("crl.pem"));
	X509_CRL *list;

	while ((list = PEM_read_X509_CRL(f, NULL, NULL, NULL))) {
		STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(list);

		for (int i = 0; i < sk_X509_REVOKED_num(all); i++)
			if (is_serial(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(all, i)),
				      serial))
				return 0;
		X509_CRL_free(list);
	}
	return 1;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		errx(2, "usage: pkisane PKI [SERIAL]");
	top = argv[1];
	if (argc == 3)
		return listed(argv[2]);
	read_ledger();
	certificates();
	trust();
	lists();
	return 0;
}
