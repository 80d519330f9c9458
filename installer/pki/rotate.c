/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/rotate.h"

#include "pki/ca_data.h"
#include "pki/guard.h"
#include "pki/secret.h"
#include "sys/io.h"

/* --- where it stands --- */

const struct ledger_ca *pki_ca_old(const struct pki *p)
{
	for (size_t i = 0; i + 1 < p->ledger.cas_n; i++)
		if (!p->ledger.cas[i].dropped)
			return &p->ledger.cas[i];
	return NULL;
}

size_t pki_old_clients(const struct pki *p, int64_t *ret_until)
{
	const struct ledger_ca *old = pki_ca_old(p);
	size_t n = 0;

	*ret_until = 0;
	for (size_t i = 0; old && i < p->ledger.certs_n; i++) {
		const struct ledger_cert *c = &p->ledger.certs[i];

		if (c->profile != PKI_CLIENT || c->ca != old->seq || !ledger_alive(c, p->now))
			continue;
		n++;
		if (c->to > *ret_until)
			*ret_until = c->to;
	}
	return n;
}

bool pki_is_left_behind(const struct pki *p, const struct ledger_cert *c)
{
	const struct ledger_ca *newest = &p->ledger.cas[p->ledger.cas_n - 1];

	return c->profile == PKI_CLIENT && c->ca != newest->seq && !c->revoked && c->to > p->now &&
	       ledger_newest(&p->ledger, c->name) == c;
}

bool pki_is_old_server(const struct pki *p, const struct ledger_cert *c)
{
	const struct ledger_ca *old = pki_ca_old(p);

	return old && c->profile == PKI_SERVER && c->ca == old->seq && ledger_alive(c, p->now) &&
	       ledger_newest(&p->ledger, c->name) == c;
}

/* --- a new one --- */

static int rotate(struct pki *p, const struct pki_ca *old, const struct pki_ca_spec *spec,
		  struct err *err)
{
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct pki_ca_spec s = *spec;
	int dir CLEANUP(closep) = pki_open_dir(p, old->entry.seq, NULL, err);

	if (dir < 0 || guard_copy(dir, &files, err))
		return -1;
	if (!s.algorithm)
		s.algorithm = key_algorithm(old->key);
	if (!s.ttl)
		s.ttl = old->entry.to - old->entry.from - PKI_BACKDATE;
	return ca_publish(p, &s, s.constraints ? NULL : old->cert, &old->secret, &files, err);
}

int pki_rotate(struct pki *p, struct pki_ca **ca, const struct pki_ca_spec *spec, struct err *err)
{
	struct pki_ca *fresh = NULL;

	if (pki_ca_old(p))
		return err_set(err, ERR_REFUSED, "an authority is being replaced already");
	if (rotate(p, *ca, spec, err) || pki_ca_open(p, &(*ca)->secret, &fresh, err))
		return -1;
	pki_ca_freep(ca);
	*ca = fresh;
	return 0;
}

/* --- and the old one gone --- */

int pki_drop(struct pki *p, const struct pki_ca *ca, const char *algorithm, const char *sans,
	     struct report *rep, struct err *err)
{
	const struct ledger_ca *old = pki_ca_old(p);
	const struct ledger_cert **servers CLEANUP(freep) = xcalloc(p->ledger.certs_n + 1,
								    sizeof(*servers));
	struct pki_ca alone = *ca;
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	size_t n = 0;

	if (!old)
		return err_set(err, ERR_REFUSED, "no authority is being replaced");
	for (size_t i = 0; i < p->ledger.certs_n; i++)
		if (pki_is_old_server(p, &p->ledger.certs[i]))
			servers[n++] = &p->ledger.certs[i];
	alone.old = NULL; /* from now on all have theirs from the new one */
	buf_addf(&line, "drop %llu\n", (unsigned long long)old->seq);
	return issue_renewals(p, &alone, servers, n, algorithm, sans, &line, rep, err);
}
