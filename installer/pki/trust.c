/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/trust.h"

#include "pki/ca.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>

#define TRUST "trust.pem"

enum { TRUST_MAX = 1024 * 1024 };

int pki_trust_text(const struct pki *p, struct buf *ret, struct err *err)
{
	for (size_t i = 0; i < p->ledger.cas_n; i++)
		if (!p->ledger.cas[i].dropped && pki_ca_text(p, p->ledger.cas[i].seq, ret, err))
			return -1;
	return 0;
}

char *pki_trust_path(const struct pki *p) { return pki_path(p, p->ledger.trust, TRUST); }

/* 1: it is not as the ledger has it, which is in ret. */
static int compare(const struct pki *p, struct buf *ret, struct err *err)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT;

	if (pki_trust_text(p, ret, err) || fs_read_at(p->fd, TRUST, TRUST_MAX, &now, err) < 0)
		return -1;
	return !buf_equal(&now, ret);
}

static bool is_linked(int dir)
{
	struct stat st;

	return !fstatat(dir, TRUST, &st, AT_SYMLINK_NOFOLLOW);
}

int pki_trust_check(const struct pki *p, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int dir CLEANUP(closep) = pki_open_dir(p, p->ledger.trust, NULL, err);
	int rc = dir < 0 ? -1 : compare(p, &text, err);

	if (rc < 0 || (!rc && is_linked(dir)))
		return rc;
	err_set(err, ERR_REFUSED,
		"'%s/" TRUST "' is not as the ledger has it: a run of cert was interrupted",
		PKI_DIR);
	return err_remedy(err, "sysboxup cert crl, which finishes that");
}

static int add_link(const struct pki *p, struct err *err)
{
	int dir CLEANUP(closep) = pki_open_dir(p, p->ledger.trust, NULL, err);

	if (dir < 0 || is_linked(dir))
		return dir < 0 ? -1 : 0;
	return io_symlinkat("../../" TRUST, dir, TRUST) ?
		       err_errno(err, errno, "cannot make the link '" TRUST "'") :
		       fs_sync_dir(dir, err);
}

int pki_trust_settle(const struct pki *p, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int rc = p->ledger.trust ? compare(p, &text, err) : 0;

	if (rc > 0)
		rc = fs_put(p->fd, TRUST, 0444, text.data, text.len, err);
	return rc || !p->ledger.trust ? rc : add_link(p, err);
}
