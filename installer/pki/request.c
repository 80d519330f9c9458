/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/request.h"

#include "pki/ca_data.h"
#include "pki/lists.h"
#include "pki/rotate.h"
#include "pki/secret.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#define REQUESTS "requests"
#define NEW ".new"
#define KEY "key.pem"
#define ASKED "asked"			/* what the request says beside the key: see asked_text */
#define CERT "cert.pem"			/* of the new authority: it waits with its key */
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
	return fs_read_at(dir, KEY, PEM_MAX - 1, ret, err) < 0 ? -1 : 0;
}

/* Of the key in that text; "" where it is none. */
static void digest_key(const struct buf *pem, char hex[DIGEST_HEX + 1])
{
	struct err ignored = ERR_INIT;
	EVP_PKEY *key CLEANUP(pkey_freep) = key_read(pem, NULL, &ignored);

	*hex = '\0';
	if (key)
		key_digest(key, hex);
}

/* It is in gen/ by now: what a crash leaves here is found by the next import of the same, or by the
 * next request for the same name. */
static int forget(const struct pki *p, const char *dir, struct err *err)
{
	int requests CLEANUP(closep) = open_requests(p, err);

	return requests < 0 || fs_remove_tree(requests, dir, err) || fs_sync_dir(requests, err) ?
		       -1 :
		       0;
}

/* Its key is in the ledger, or gone: a crash came before all of it was forgotten. */
static bool is_taken(const struct pki *p, int requests, const char *name)
{
	struct buf pem CLEANUP(secret_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	char spki[DIGEST_HEX + 1];

	if (read_key(requests, name, &pem, &ignored))
		return false;
	digest_key(&pem, spki);
	for (size_t i = 0; i < p->ledger.certs_n; i++)
		if (str_eq(p->ledger.certs[i].spki, spki))
			return true;
	return !pem.len;
}

static int forget_taken(const struct pki *p, int requests, const char *name, struct err *err)
{
	return is_taken(p, requests, name) ? forget(p, name, err) : 0;
}

static int publish(struct pki *p, int dir, const char *name, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (!io_renameat2(dir, NEW, dir, name, RENAME_NOREPLACE)) {
		p->changed = true;
		return fs_sync_dir(dir, err);
	}
	if (errno == EEXIST) {
		err_set(err, ERR_REFUSED, "a request for '%s' waits for its certificate already", name);
		err_remedy(err, "import that, or rm -r '%s/" REQUESTS "/%s'", PKI_DIR, name);
	} else {
		err_errno(err, errno, "cannot make '%s/" REQUESTS "/%s'", PKI_DIR, name);
	}
	(void)fs_remove_tree(dir, NEW, &ignored);
	return -1;
}

/* Kind and name are those of the directory. */
static char *asked_text(const struct pki_wish *w)
{
	return xasprintf("%s %s\n", w->algorithm, w->profile == PKI_SERVER ? w->sans : "-");
}

static int sign_request(EVP_PKEY *key, const struct pki_wish *w, struct buf *ret, struct err *err)
{
	char *common CLEANUP(freep) = pki_common_of(w->profile, w->name),
		     *uri CLEANUP(freep) = pki_client_uri(common);

	return x509_request(key, common, w->profile == PKI_CLIENT ? uri : w->sans, ret, err);
}

static bool is_asked(int dir, const struct pki_wish *w)
{
	char *wanted CLEANUP(freep) = asked_text(w);
	struct buf asked CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct stat st;

	return fstatat(dir, CERT, &st, AT_SYMLINK_NOFOLLOW) &&
	       !fs_read_at(dir, ASKED, PEM_MAX, &asked, &ignored) && str_eq(asked.data, wanted);
}

/* The key that waits for the same, without a certificate yet: a run before this one may have got no
 * further, and its request is nowhere. *ret NULL: none does. Synced, for that run may not have. */
static int find_key(int requests, const char *name, const struct pki_wish *w, EVP_PKEY **ret,
		    struct err *err)
{
	int dir CLEANUP(closep) = io_open_read(requests, name, DIR_FLAGS);
	struct buf pem CLEANUP(secret_release) = BUF_INIT;

	*ret = NULL;
	if (dir < 0 || !is_asked(dir, w))
		return 0;
	if (read_key(requests, name, &pem, err) || fs_sync_dir(requests, err))
		return -1;
	*ret = key_read(&pem, NULL, err);
	return *ret ? 0 : -1;
}

static int keep_key(struct pki *p, int requests, const char *name, const struct pki_wish *w,
		    EVP_PKEY *key, struct err *err)
{
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	char *asked CLEANUP(freep) = asked_text(w);

	buf_adds(files_add(&files, 0400, ASKED), asked);
	return key_write(key, NULL, false, files_add(&files, 0400, KEY), err) ||
			       files_write(&files, requests, NEW, err) ||
			       publish(p, requests, name, err) ? -1 : 0;
}

int pki_request(struct pki *p, const struct pki_wish *w, struct buf *ret, struct err *err)
{
	char *name CLEANUP(freep) = waiting_name(w->profile, w->name);
	int requests CLEANUP(closep) = open_requests(p, err);
	struct buf csr CLEANUP(buf_release) = BUF_INIT;
	EVP_PKEY *key CLEANUP(pkey_freep) = NULL;

	if (requests < 0 || forget_taken(p, requests, name, err) ||
	    find_key(requests, name, w, &key, err))
		return -1;
	bool waits = key;

	if (!key)
		key = key_new(w->algorithm, err);
	if (!key || sign_request(key, w, &csr, err) ||
	    (!waits && keep_key(p, requests, name, w, key, err)))
		return -1;
	buf_add(ret, csr.data, csr.len);
	return 0;
}

char *pki_san_options(const struct strv *sans)
{
	struct strv options CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < sans->n; i++)
		strv_addf(&options, " --san %s", strchr(sans->v[i], ':') + 1);
	return strv_join(&options, "");
}

/* A remedy has its limit, and half a name would be typed. */
#define NAMES_MAX 200

char *pki_request_command(const char *name, const struct strv *sans)
{
	char *words CLEANUP(freep) = sans ? pki_san_options(sans) : xstrdup("");

	if (strlen(words) > NAMES_MAX)
		str_replace(&words, " --san ... (all of the names)");

	return xasprintf("sysboxup cert request %s%s%s --out FILE, to be signed by the authority; "
			 "what comes back: sysboxup cert import FILE",
			 name, sans ? " --server" : "", words);
}

/* The certificate that waits in that request; *ret NULL: none does. */
static int read_cert(int requests, const char *name, X509 **ret, struct err *err)
{
	int dir CLEANUP(closep) = io_open_read(requests, name, DIR_FLAGS);
	struct buf pem CLEANUP(buf_release) = BUF_INIT;
	int rc = dir < 0 ? 1 : fs_read_at(dir, CERT, PEM_MAX, &pem, err);

	*ret = rc ? NULL : x509_read(&pem, err);
	return rc < 0 || (!rc && !*ret) ? -1 : 0;
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
	char hex[DIGEST_HEX + 1];

	if (requests < 0 || fs_list_fd(requests, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		secret_release(&ret->key);
		if (read_key(requests, names.v[i], &ret->key, err))
			return -1;
		digest_key(&ret->key, hex);
		if (str_eq(hex, spki)) {
			fill_in(ret, names.v[i]);
			return 0;
		}
	}
	return 1;
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

/* Its files and its line, to be one record. */
static int add_cert(X509 *cert, uint64_t ca, const struct waiting *w, struct pki_files *files,
		    struct buf *lines, struct err *err)
{
	char *cert_path CLEANUP(freep) = path_join(w->common, "cert.pem"),
			*key_path CLEANUP(freep) = path_join(w->common, "key.pem");
	char serial[SERIAL_MAX + 1], spki[DIGEST_HEX + 1], *sans CLEANUP(freep) = NULL;
	struct buf *key;

	if (x509_write(cert, files_add(files, 0444, cert_path), err) ||
	    (w->profile == PKI_SERVER && x509_sans(cert, &sans, err)))
		return -1;
	key = files_add(files, 0400, key_path);
	buf_reserve(key, w->key.len + 1);
	buf_add(key, w->key.data, w->key.len);
	x509_serial(cert, serial);
	key_digest(X509_get0_pubkey(cert), spki);
	buf_addf(lines, "cert %s %s %lld %lld %llu %s %s - %s\n", serial, spki,
		 (long long)asn1_seconds(X509_get0_notBefore(cert)),
		 (long long)asn1_seconds(X509_get0_notAfter(cert)), (unsigned long long)ca,
		 pki_profile_name(w->profile), w->name, sans ? sans : "-");
	return 0;
}

static int publish_cert(struct pki *p, X509 *cert, uint64_t ca, const struct waiting *w,
			struct err *err)
{
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct buf line CLEANUP(buf_release) = BUF_INIT;

	return add_cert(cert, ca, w, &files, &line, err) || pki_publish(p, &files, &line, err) ||
			       forget(p, w->dir, err) ? -1 : 0;
}

static X509 *read_authority(const struct pki *p, const struct ledger_ca *ca, struct err *err)
{
	struct buf pem CLEANUP(buf_release) = BUF_INIT;

	return pki_ca_text(p, ca->seq, &pem, err) ? NULL : x509_read(&pem, err);
}

/* Who signed it, of those that are trusted; else the newest, so that it is said what is wrong. */
static int find_issuer(const struct pki *p, X509 *cert, const struct ledger_ca **ret, X509 **ret_ca,
		       struct err *err)
{
	const struct ledger_ca *newest = pki_ca_find(p, err), *old = pki_ca_old(p);
	X509 *ca CLEANUP(x509_freep) = newest ? read_authority(p, newest, err) : NULL;
	X509 *before CLEANUP(x509_freep) = ca && old ? read_authority(p, old, err) : NULL;

	if (!ca || (old && !before))
		return -1;
	bool is_old = before && X509_verify(cert, X509_get0_pubkey(ca)) != 1 &&
		      X509_verify(cert, X509_get0_pubkey(before)) == 1;

	ERR_clear_error();
	*ret = is_old ? old : newest;
	*ret_ca = is_old ? STEAL(before) : STEAL(ca);
	return 0;
}

/* A server's certificate of the new authority. */
static bool is_waiting(const struct pki *p, const char *name)
{
	char *path CLEANUP(freep) = xasprintf(REQUESTS "/server-%s/" CERT, name);
	struct stat st;

	return !fstatat(p->fd, path, &st, AT_SYMLINK_NOFOLLOW);
}

static int keep_waiting(const struct pki *p, X509 *cert, const struct waiting *w, struct err *err)
{
	struct buf pem CLEANUP(buf_release) = BUF_INIT;
	int requests CLEANUP(closep) = open_requests(p, err);
	int dir CLEANUP(closep) = requests < 0 ? -1 : io_open_read(requests, w->dir, DIR_FLAGS);

	if (requests < 0)
		return -1;
	if (dir < 0)
		return err_errno(err, errno, "cannot open '%s/" REQUESTS "/%s'", PKI_DIR, w->dir);
	return x509_write(cert, &pem, err) || fs_put(dir, CERT, 0444, pem.data, pem.len, err) ? -1 :
												0;
}

/* In the overlap: see pki_import. */
static int take_cert(struct pki *p, X509 *cert, const struct ledger_ca *by, const struct waiting *w,
		     enum pki_came *ret, struct err *err)
{
	const struct ledger_ca *old = pki_ca_old(p);
	int rc;

	if (old && by == old && w->profile == PKI_CLIENT)
		return refuse(err, "the authority that signed it is being replaced: the new one has to");
	if (!old || by == old || w->profile == PKI_CLIENT)
		return publish_cert(p, cert, by->seq, w, err);
	*ret = CAME_WAITING_CERT;
	rc = keep_waiting(p, cert, w, err);
	p->changed |= is_waiting(p, w->name);
	return rc;
}

static int import_cert(struct pki *p, X509 *cert, enum pki_came *ret, struct err *err)
{
	struct waiting w CLEANUP(waiting_release) = { .key = BUF_INIT };
	char spki[DIGEST_HEX + 1], serial[SERIAL_MAX + 1];
	X509 *ca CLEANUP(x509_freep) = NULL;
	const struct ledger_ca *by;
	int rc;

	if (find_issuer(p, cert, &by, &ca, err))
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
	return check_cert(p, cert, ca, &w, err) ? -1 : take_cert(p, cert, by, &w, ret, err);
}

/* --- those of servers, which waited until the old authority goes --- */

void pki_servers_without(const struct pki *p, struct strv *ret)
{
	for (size_t i = 0; i < p->ledger.certs_n; i++)
		if (pki_is_old_server(p, &p->ledger.certs[i]) &&
		    !is_waiting(p, p->ledger.certs[i].name))
			strv_add(ret, p->ledger.certs[i].name);
}

static int refuse_without(const struct pki *p, bool now, struct report *rep, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	pki_servers_without(p, &names);
	if (!names.n)
		return 0;
	char *list CLEANUP(freep) = strv_join(&names, ", ");
	char *next CLEANUP(freep) = xasprintf(
		"sysboxup cert request %s --server --out FILE, to be signed by the new authority",
		names.v[0]);

	if (now) {
		report_warn(rep, next, "no certificate of the new authority waits for these servers: %s", list);
		return 0;
	}
	err_set(err, ERR_REFUSED, "no certificate of the new authority waits for these servers: %s", list);
	return err_remedy(err, "%s", next);
}

/* A record that has a serial twice would be the end of the ledger. */
static int check_serial(const struct pki *p, const X509 *cert, const struct buf *lines,
			struct err *err)
{
	char serial[SERIAL_MAX + 1];

	x509_serial(cert, serial);
	char *line CLEANUP(freep) = xasprintf("cert %s ", serial);

	return ledger_find(&p->ledger, serial) || (lines->len && strstr(lines->data, line)) ?
		       refuse(err, "its serial is another one's") :
		       0;
}

static int refuse_waiting(const struct waiting *w, struct err *err)
{
	err_prefix(err, "'%s'", w->name);
	return err_remedy(err, "rm -r '%s/" REQUESTS "/%s', and request it again", PKI_DIR, w->dir);
}

/* What waits in that request, as part of the record. */
static int add_waiting(struct pki *p, X509 *ca, int requests, const char *dir,
		       struct pki_files *files, struct buf *lines, struct err *err)
{
	struct waiting w CLEANUP(waiting_release) = { .key = BUF_INIT };
	X509 *cert CLEANUP(x509_freep) = NULL;

	if (read_cert(requests, dir, &cert, err))
		return -1;
	if (!cert || is_taken(p, requests, dir))
		return 0;
	fill_in(&w, dir);
	return read_key(requests, dir, &w.key, err) || check_cert(p, cert, ca, &w, err) ||
			       check_serial(p, cert, lines, err) ||
			       add_cert(cert, pki_ca_find(p, err)->seq, &w, files, lines, err) ?
		       refuse_waiting(&w, err) :
		       0;
}

static int add_all(struct pki *p, int requests, const struct strv *dirs,
		   struct pki_files *files, struct buf *lines, struct err *err)
{
	X509 *ca CLEANUP(x509_freep) = read_authority(p, pki_ca_find(p, err), err);

	if (!ca)
		return -1;
	for (size_t i = 0; i < dirs->n; i++)
		if (add_waiting(p, ca, requests, dirs->v[i], files, lines, err))
			return -1;
	return 0;
}

int pki_drop_elsewhere(struct pki *p, bool now, struct report *rep, struct err *err)
{
	const struct ledger_ca *old = pki_ca_old(p);
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct strv dirs CLEANUP(strv_release) = STRV_INIT;
	struct buf lines CLEANUP(buf_release) = BUF_INIT;

	if (!old)
		return err_set(err, ERR_REFUSED, "no authority is being replaced");
	int requests CLEANUP(closep) = open_requests(p, err);

	if (requests < 0 || refuse_without(p, now, rep, err) ||
	    fs_list_fd(requests, &dirs, err) || add_all(p, requests, &dirs, &files, &lines, err))
		return -1;
	buf_addf(&lines, "drop %llu\n", (unsigned long long)old->seq);
	if (pki_publish(p, &files, &lines, err))
		return -1;
	for (size_t i = 0; i < dirs.n; i++)
		if (forget_taken(p, requests, dirs.v[i], err))
			return -1;
	return 0;
}

/* --- what came --- */

int pki_import(struct pki *p, const struct buf *pem, enum pki_came *ret, struct err *err)
{
	struct err ignored = ERR_INIT;
	X509 *cert CLEANUP(x509_freep) = x509_read(pem, &ignored);
	int rc;

	if (cert) {
		*ret = X509_check_ca(cert) ? CAME_AUTHORITY : CAME_CERT;
		return *ret == CAME_AUTHORITY ? ca_import(p, cert, err) :
						import_cert(p, cert, ret, err);
	}
	*ret = CAME_LIST;
	rc = lists_import(p, pem, err);
	return rc > 0 ? err_set(err, ERR_USAGE, "this is neither a certificate nor a revocation list in PEM") : rc;
}
