/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/request.h"

#include "pki/ca_data.h"
#include "pki/secret.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define REQUESTS "requests"
#define NEW ".new"
#define DIR_FLAGS (O_DIRECTORY | O_NOFOLLOW)

enum { PEM_MAX = 64 * 1024 };

/* --- keys that wait --- */

static char *waiting_name(enum pki_profile p, const char *name)
{
	return xasprintf("%s-%s", pki_profile_name(p), name);
}

static int open_requests(const struct pki *p, struct err *err)
{
	int fd;

	if (fs_mkdir(p->fd, REQUESTS, 0700, err))
		return -1;
	fd = io_open_read(p->fd, REQUESTS, DIR_FLAGS);
	if (fd < 0)
		err_errno(err, errno, "cannot open '%s/" REQUESTS "'", PKI_DIR);
	return fd;
}

static int publish(int dir, const char *name, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (!io_renameat2(dir, NEW, dir, name, RENAME_NOREPLACE))
		return fs_sync_dir(dir, err);
	if (errno == EEXIST) {
		err_set(err, ERR_REFUSED, "a request for '%s' waits for its certificate already", name);
		err_remedy(err, "import that, or rm -r '%s/" REQUESTS "/%s'", PKI_DIR, name);
	} else {
		err_errno(err, errno, "cannot make '%s/" REQUESTS "/%s'", PKI_DIR, name);
	}
	(void)fs_remove_tree(dir, NEW, &ignored);
	return -1;
}

int pki_request(struct pki *p, const struct pki_wish *w, struct buf *ret, struct err *err)
{
	char *common CLEANUP(freep) = pki_common_of(w->profile, w->name),
		     *uri CLEANUP(freep) = pki_client_uri(common);
	char *name CLEANUP(freep) = waiting_name(w->profile, w->name);
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct buf csr CLEANUP(buf_release) = BUF_INIT;
	EVP_PKEY *key CLEANUP(pkey_freep) = key_new(w->algorithm, err);

	if (!key ||
	    x509_request(key, common, w->profile == PKI_CLIENT ? uri : w->sans, &csr, err) ||
	    key_write(key, NULL, false, files_add(&files, 0400, "key.pem"), err))
		return -1;
	int dir CLEANUP(closep) = open_requests(p, err);

	if (dir < 0 || files_write(&files, dir, NEW, err) || publish(dir, name, err))
		return -1;
	buf_add(ret, csr.data, csr.len);
	return 0;
}

struct waiting {
	char *dir, *name, *common;
	enum pki_profile profile;
	struct buf key;			/* PEM; wiped */
};

static void waiting_release(struct waiting *w)
{
	free(w->dir);
	free(w->name);
	free(w->common);
	secret_release(&w->key);
}

static int read_key(int requests, const char *name, struct buf *ret, struct err *err)
{
	int dir CLEANUP(closep) = io_open_read(requests, name, DIR_FLAGS);

	if (dir < 0)
		return err_errno(err, errno, "cannot open '%s/" REQUESTS "/%s'", PKI_DIR, name);
	buf_reserve(ret, PEM_MAX);
	return fs_read_at(dir, "key.pem", PEM_MAX - 1, ret, err) < 0 ? -1 : 0;
}

static bool is_key_of(const struct buf *pem, const char *spki)
{
	struct err ignored = ERR_INIT;
	EVP_PKEY *key CLEANUP(pkey_freep) = key_read(pem, NULL, &ignored);
	char hex[DIGEST_HEX + 1] = "";

	if (key)
		key_digest(key, hex);
	return str_eq(hex, spki);
}

static void fill_in(struct waiting *w, const char *dir)
{
	const char *dash = strchr(dir, '-');

	w->dir = xstrdup(dir);
	w->name = xstrdup(dash ? dash + 1 : dir);
	w->profile = str_starts(dir, "server-") ? PKI_SERVER : PKI_CLIENT;
	w->common = pki_common_of(w->profile, w->name);
}

/* 1: nobody waits for that. */
static int find_waiting(const struct pki *p, const char *spki, struct waiting *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	int requests CLEANUP(closep) = open_requests(p, err);

	if (requests < 0 || fs_list_fd(requests, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		secret_release(&ret->key);
		if (read_key(requests, names.v[i], &ret->key, err))
			return -1;
		if (is_key_of(&ret->key, spki)) {
			fill_in(ret, names.v[i]);
			return 0;
		}
	}
	return 1;
}

/* It is in gen/ by now: what a crash leaves here is found by the next import of the same. */
static int forget(const struct pki *p, const char *dir, struct err *err)
{
	int requests CLEANUP(closep) = open_requests(p, err);

	return requests < 0 || fs_remove_tree(requests, dir, err) || fs_sync_dir(requests, err) ?
		       -1 :
		       0;
}

/* --- a certificate --- */

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_REFUSED, "this certificate is not taken: %s", why);
}

static int check_one_kind(X509 *cert, X509 *ca, const struct waiting *w, int64_t now,
			  struct err *err)
{
	struct err why = ERR_INIT, ignored = ERR_INIT;

	if (x509_judge(cert, ca, w->profile, now, &why))
		return refuse(err, why.msg);
	if (!x509_judge(cert, ca, w->profile == PKI_CLIENT ? PKI_SERVER : PKI_CLIENT, now,
			&ignored))
		return refuse(err, "it is good for servers and for clients, and may be for one of them only");
	return 0;
}

static int check_cert(const struct pki *p, X509 *cert, X509 *ca, const struct waiting *w,
		      struct err *err)
{
	char common[128] = "";

	if (check_one_kind(cert, ca, w, p->now, err))
		return -1;
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, common,
				  sizeof(common));
	return str_eq(common, w->common) ? 0 : refuse(err, "its common name is not the one that was requested");
}

/* 1: it is in the ledger; a crash may have come before its request was forgotten. */
static int known_before(const struct pki *p, const char *serial, const char *spki, struct err *err)
{
	const struct ledger_cert *c = ledger_find(&p->ledger, serial);
	char *dir CLEANUP(freep) = c ? waiting_name(c->profile, c->name) : NULL;

	if (!*serial)
		return refuse(err, "its serial is longer than 20 bytes");
	if (!c)
		return 0;
	if (!str_eq(c->spki, spki))
		return refuse(err, "its serial is another one's");
	return forget(p, dir, err) ? -1 : 1;
}

static int publish_cert(struct pki *p, X509 *cert, uint64_t ca, const struct waiting *w,
			const char *serial, const char *spki, struct err *err)
{
	char *cert_path CLEANUP(freep) = path_join(w->common, "cert.pem"),
			*key_path CLEANUP(freep) = path_join(w->common, "key.pem");
	char *sans CLEANUP(freep) = NULL;
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct buf line CLEANUP(buf_release) = BUF_INIT, *key;

	if (x509_write(cert, files_add(&files, 0444, cert_path), err) ||
	    (w->profile == PKI_SERVER && x509_sans(cert, &sans, err)))
		return -1;
	key = files_add(&files, 0400, key_path);
	buf_reserve(key, w->key.len + 1);
	buf_add(key, w->key.data, w->key.len);
	buf_addf(&line, "cert %s %s %lld %lld %llu %s %s - %s\n", serial, spki,
		 (long long)asn1_seconds(X509_get0_notBefore(cert)),
		 (long long)asn1_seconds(X509_get0_notAfter(cert)), (unsigned long long)ca,
		 pki_profile_name(w->profile), w->name, sans ? sans : "-");
	return pki_publish(p, &files, &line, err) || forget(p, w->dir, err) ? -1 : 0;
}

static int import_cert(struct pki *p, X509 *cert, enum pki_came *ret, struct err *err)
{
	/* there is no other: what is elsewhere is not rotated */
	const struct ledger_ca *entry = pki_ca_find(p, err);
	struct waiting w CLEANUP(waiting_release) = { .key = BUF_INIT };
	struct buf pem CLEANUP(buf_release) = BUF_INIT;
	char spki[DIGEST_HEX + 1], serial[SERIAL_MAX + 1];
	int rc;

	if (!entry || pki_ca_text(p, entry->seq, &pem, err))
		return -1;
	X509 *ca CLEANUP(x509_freep) = x509_read(&pem, err);

	if (!ca)
		return -1;
	key_digest(X509_get0_pubkey(cert), spki);
	x509_serial(cert, serial);
	rc = known_before(p, serial, spki, err);
	if (rc > 0)
		*ret = CAME_KNOWN_CERT;
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = find_waiting(p, spki, &w, err);
	if (rc)
		return rc < 0 ? -1 : refuse(err, "no request of this host waits for it");
	if (check_cert(p, cert, ca, &w, err))
		return -1;
	return publish_cert(p, cert, entry->seq, &w, serial, spki, err);
}

/* --- an authority --- */

static int check_authority(const struct pki *p, X509 *cert, struct err *err)
{
	if (X509_check_ca(cert) != 1 || !(X509_get_key_usage(cert) & KU_KEY_CERT_SIGN))
		return refuse(err, "it is no authority's");
	if (asn1_seconds(X509_get0_notAfter(cert)) <= p->now)
		return refuse(err, "it is over");
	return ca_refuse_second(p, err);
}

static int import_authority(struct pki *p, X509 *cert, struct err *err)
{
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	char serial[SERIAL_MAX + 1], spki[DIGEST_HEX + 1];

	x509_serial(cert, serial);
	if (!*serial)
		return refuse(err, "its serial is longer than 20 bytes");
	if (check_authority(p, cert, err) ||
	    x509_write(cert, files_add(&files, 0444, "cert.pem"), err))
		return -1;
	key_digest(X509_get0_pubkey(cert), spki);
	buf_addf(&line, "ca %s %s %lld %lld\n", serial, spki,
		 (long long)asn1_seconds(X509_get0_notBefore(cert)),
		 (long long)asn1_seconds(X509_get0_notAfter(cert)));
	ca_drop_over(p, &line);
	return pki_publish(p, &files, &line, err);
}

/* --- a list --- */

static int check_list(const struct pki *p, X509_CRL *crl, X509 *ca, uint64_t *ret_number,
		      struct err *err)
{
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	bool ok = number && ASN1_INTEGER_get_uint64(ret_number, number);

	ASN1_INTEGER_free(number);
	if (X509_CRL_verify(crl, X509_get0_pubkey(ca)) != 1)
		return err_set(err, ERR_REFUSED, "this list is not taken: the authority did not sign it");
	if (!ok || *ret_number <= p->ledger.crl_number)
		return err_set(err, ERR_REFUSED, "this list is not taken: it has no number above %llu",
			       (unsigned long long)p->ledger.crl_number);
	if (!X509_CRL_get0_nextUpdate(crl) || asn1_seconds(X509_CRL_get0_nextUpdate(crl)) <= p->now)
		return err_set(err, ERR_REFUSED, "this list is not taken: it is over");
	return 0;
}

static void add_revoked(const struct pki *p, uint64_t ca, X509_CRL *crl, struct buf *lines)
{
	for (size_t i = 0; i < p->ledger.certs_n; i++) {
		const struct ledger_cert *c = &p->ledger.certs[i];

		if (c->ca == ca && !c->revoked && crl_has(crl, c->serial))
			buf_addf(lines, "revoke %s unspecified\n", c->serial);
	}
}

static int import_list(struct pki *p, const struct buf *pem, X509_CRL *crl, struct err *err)
{
	const struct ledger_ca *entry = pki_ca_find(p, err);
	struct buf text CLEANUP(buf_release) = BUF_INIT, lines CLEANUP(buf_release) = BUF_INIT;
	uint64_t number;

	if (!entry || pki_ca_text(p, entry->seq, &text, err))
		return -1;
	X509 *ca CLEANUP(x509_freep) = x509_read(&text, err);

	if (!ca || check_list(p, crl, ca, &number, err))
		return -1;
	add_revoked(p, entry->seq, crl, &lines);
	buf_addf(&lines, "crl %llu %lld %lld\n", (unsigned long long)number,
		 (long long)asn1_seconds(X509_CRL_get0_lastUpdate(crl)),
		 (long long)asn1_seconds(X509_CRL_get0_nextUpdate(crl)));
	return ledger_append(&p->ledger, p->fd, &lines, p->now, err) ||
			       fs_put(p->fd, "crl.pem", 0444, pem->data, pem->len, err) ? -1 : 0;
}

static int import_one(struct pki *p, const struct buf *pem, X509 *cert, enum pki_came *ret,
		      struct err *err)
{
	X509_CRL *crl CLEANUP(x509_crl_freep) = cert ? NULL : crl_read(pem);

	if (!cert && !crl)
		return err_set(err, ERR_USAGE, "this is neither a certificate nor a revocation list in PEM");
	*ret = crl ? CAME_LIST : X509_check_ca(cert) ? CAME_AUTHORITY : CAME_CERT;
	if (crl)
		return import_list(p, pem, crl, err);
	return *ret == CAME_AUTHORITY ? import_authority(p, cert, err) :
					import_cert(p, cert, ret, err);
}

int pki_import(struct pki *p, const struct buf *pem, enum pki_came *ret, struct err *err)
{
	struct err ignored = ERR_INIT;
	X509 *cert CLEANUP(x509_freep) = x509_read(pem, &ignored);

	return import_one(p, pem, cert, ret, err);
}
