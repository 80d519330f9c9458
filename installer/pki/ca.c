/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ca.h"

#include "pki/ca_data.h"
#include "pki/guard.h"
#include "pki/rotate.h"
#include "pki/secret.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <openssl/err.h>

#define PEM_MAX (64 * 1024)

const struct ledger_ca *pki_ca_find(const struct pki *p, struct err *err)
{
	if (p->ledger.cas_n)
		return &p->ledger.cas[p->ledger.cas_n - 1];
	err_set(err, ERR_REFUSED, "there is no certificate authority here yet");
	err_remedy(err, "sysboxup cert ca");
	return NULL;
}

/* --- made --- */

int ca_refuse_second(const struct pki *p, struct err *err)
{
	const struct ledger_ca *old = p->ledger.cas_n ? &p->ledger.cas[p->ledger.cas_n - 1] : NULL;
	char to[32];

	if (!old || old->to <= p->now)
		return 0;
	clock_iso(old->to, to);
	err_set(err, ERR_REFUSED, "there is a certificate authority already, good until %s", to);
	return err_remedy(err, "sysboxup cert show");
}

void ca_drop_over(const struct pki *p, struct buf *lines)
{
	for (size_t i = 0; i < p->ledger.cas_n; i++)
		if (!p->ledger.cas[i].dropped && p->ledger.cas[i].to <= p->now)
			buf_addf(lines, "drop %llu\n", (unsigned long long)p->ledger.cas[i].seq);
}

int ca_publish(struct pki *p, const struct pki_ca_spec *spec, const X509 *like,
	       const struct buf *secret, struct pki_files *files, struct err *err)
{
	char serial[SERIAL_HEX + 1], spki[DIGEST_HEX + 1], *made_up CLEANUP(freep) = NULL;
	struct buf line CLEANUP(buf_release) = BUF_INIT;

	serial_new(serial);
	made_up = xasprintf("sysboxup CA %.8s", serial);
	struct x509_spec x = {
		.common = spec->common ? spec->common : made_up, .serial = serial,
		.from = p->now - PKI_BACKDATE, .to = p->now + spec->ttl,
		.constraints = spec->constraints,
		.like = like,
	};
	EVP_PKEY *key CLEANUP(pkey_freep) = key_new(spec->algorithm, err);
	X509 *cert CLEANUP(x509_freep) = key ? x509_make(&x, key, NULL, key, err) : NULL;

	if (!cert || x509_write(cert, files_add(files, 0444, "cert.pem"), err) ||
	    key_write(key, secret, guard_is_guessable(secret), files_add(files, 0400, "key.pem"),
		      err))
		return -1;
	key_digest(key, spki);
	buf_addf(&line, "ca %s %s %lld %lld\n", serial, spki, (long long)x.from, (long long)x.to);
	ca_drop_over(p, &line);
	return pki_publish(p, files, &line, err);
}

int pki_ca_make(struct pki *p, const struct pki_ca_spec *spec, struct err *err)
{
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct buf secret CLEANUP(secret_release) = BUF_INIT;

	return ca_refuse_second(p, err) || guard_make(p, spec, &files, &secret, err) ?
		       -1 :
		       ca_publish(p, spec, NULL, &secret, &files, err);
}

/* --- opened --- */

int pki_ca_text(const struct pki *p, uint64_t seq, struct buf *ret, struct err *err)
{
	int dir CLEANUP(closep) = pki_open_dir(p, seq, NULL, err);
	int rc = dir < 0 ? -1 : fs_read_at(dir, "cert.pem", PEM_MAX, ret, err);

	return rc > 0 ? err_errno(err, ENOENT, "cannot read 'cert.pem'") : rc;
}

int pki_ca_guard(const struct pki *p, enum pki_guard *ret, struct err *err)
{
	const struct ledger_ca *ca = pki_ca_find(p, err);
	int dir CLEANUP(closep) = ca ? pki_open_dir(p, ca->seq, NULL, err) : -1;

	if (dir < 0)
		return -1;
	*ret = guard_of(dir);
	return 0;
}

void pki_ca_freep(struct pki_ca **ca)
{
	if (!*ca)
		return;
	pki_ca_freep(&(*ca)->old);
	X509_free((*ca)->cert);
	EVP_PKEY_free((*ca)->key);
	secret_release(&(*ca)->secret);
	free(*ca);
	*ca = NULL;
}

static int refuse_over(const struct pki *p, const struct ledger_ca *ca, struct err *err)
{
	char when[32];

	clock_iso(ca->to <= p->now ? ca->to : ca->from, when);
	if (ca->from > p->now)
		return err_set(err, ERR_REFUSED, "the certificate authority is good only from %s on: the clock is wrong", when);
	if (ca->to > p->now)
		return 0;
	err_set(err, ERR_REFUSED, "the certificate authority is over since %s", when);
	return err_remedy(err, "sysboxup cert ca, and all certificates anew");
}

static int read_private(int dir, const char *name, const char *path, struct buf *ret,
			struct err *err)
{
	int fd CLEANUP(closep) = io_open_read(dir, name, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s'", path);
	buf_reserve(ret, PEM_MAX);
	return pki_check_private(fd, path, err) ? -1 : fs_read_fd(fd, PEM_MAX - 1, ret, err);
}

static int open_key(const struct pki *p, int dir, struct pki_ca *ca, const struct buf *passphrase,
		    struct err *err)
{
	char *base CLEANUP(freep) = pki_path(p, ca->entry.seq, NULL),
		   *path CLEANUP(freep) = path_join(base, "key.pem");
	struct buf pem CLEANUP(secret_release) = BUF_INIT;

	if (guard_of(dir) == GUARD_ELSEWHERE) {
		err_set(err, ERR_REFUSED, "the authority's key is not on this host");
		return err_remedy(err, "sysboxup cert request NAME --out FILE, and what comes back: sysboxup cert import FILE");
	}
	if (read_private(dir, "key.pem", path, &pem, err) ||
	    guard_open(p->root, dir, passphrase, &ca->secret, err))
		return -1;
	ca->key = key_read(&pem, &ca->secret, err);
	return ca->key ? 0 : err_prefix(err, "cannot open the authority's key '%s'", path);
}

/* The three must go together: certificate, key, and what the ledger says. */
static int check_match(const struct pki_ca *ca, struct err *err)
{
	char spki[DIGEST_HEX + 1];

	x509_key_digest(ca->cert, spki);
	if (!str_eq(spki, ca->entry.spki))
		return err_set(err, ERR_REFUSED,
			       "the authority's certificate is not the one that the ledger knows");
	if (X509_check_private_key(ca->cert, ca->key) == 1)
		return 0;
	ERR_clear_error();
	return err_set(err, ERR_REFUSED, "the authority's key does not belong to its certificate");
}

static int open_ca(const struct pki *p, struct pki_ca *ca, const struct buf *passphrase,
		   struct err *err)
{
	struct buf pem CLEANUP(buf_release) = BUF_INIT;

	if (refuse_over(p, &ca->entry, err) || pki_ca_text(p, ca->entry.seq, &pem, err))
		return -1;
	int dir CLEANUP(closep) = pki_open_dir(p, ca->entry.seq, NULL, err);

	ca->cert = dir < 0 ? NULL : x509_read(&pem, err);
	if (!ca->cert || open_key(p, dir, ca, passphrase, err))
		return -1;
	return check_match(ca, err);
}

static struct pki_ca *ca_new(const struct ledger_ca *entry)
{
	struct pki_ca *ca = xcalloc(1, sizeof(*ca));

	*ca = (struct pki_ca){ .entry = *entry, .secret = BUF_INIT };
	return ca;
}

int pki_ca_open(const struct pki *p, const struct buf *passphrase, struct pki_ca **ret,
		struct err *err)
{
	const struct ledger_ca *newest = pki_ca_find(p, err), *old = pki_ca_old(p);
	struct pki_ca *ca CLEANUP(pki_ca_freep) = newest ? ca_new(newest) : NULL;

	if (!ca || open_ca(p, ca, passphrase, err))
		return -1;
	if (old && old->to > p->now) {
		ca->old = ca_new(old);
		if (open_ca(p, ca->old, passphrase, err))
			return err_prefix(err, "the authority that is being replaced");
	}
	*ret = STEAL(ca);
	return 0;
}

bool pki_ca_is_elsewhere(const struct pki *p)
{
	struct err ignored = ERR_INIT;
	enum pki_guard guard;

	return p->ledger.cas_n && !pki_ca_guard(p, &guard, &ignored) && guard == GUARD_ELSEWHERE;
}

bool pki_ca_unattended(const struct pki *p)
{
	const struct buf nobody = BUF_INIT;
	struct pki_ca *ca CLEANUP(pki_ca_freep) = NULL;
	struct err ignored = ERR_INIT;

	return !pki_ca_open(p, &nobody, &ca, &ignored);
}
