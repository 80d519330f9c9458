/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/applied.h"

#include "engine/chain.h"
#include "journal/ballast.h"
#include "profile/profile.h"
#include "sys/fs.h"

#include <limits.h>

#define APPLIED "profile.json"
/* A rollback puts back another text than its own, and a name takes a block too. */
#define SPACE (16 * 1024)

int applied_put(const struct state *s, const struct buf *text, struct err *err)
{
	struct buf old CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (!fs_read_at(s->fd, APPLIED, PROFILE_MAX, &old, &ignored) && buf_equal(&old, text))
		return 0;
	return fs_put(s->fd, APPLIED, 0600, text->data, text->len, err);
}

int applied_reserve(struct txnlog *log, const struct json *begin, struct err *err)
{
	static const char *const dirs[] = { STATE_DIR, NULL };
	const char *text = json_get_str(json_get(begin, "profile"), "text");

	return ballast_need(log, dirs, (text ? strlen(text) : 0) + SPACE, err);
}

int applied_follow(const struct state *s, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int r = chain_profile(s, UINT_MAX, &text, err);

	if (r <= 0)
		return r ? r : applied_put(s, &text, err);
	return fs_unlink(s->fd, APPLIED, err) || fs_sync_dir(s->fd, err) ? -1 : 0;
}

/* Committed, and not yet cleaned up: whether the file is of it is not known. */
static int is_behind(const struct state *s, bool *ret, struct err *err)
{
	struct txn_summary t;
	unsigned int id;

	*ret = false;
	if (txnlog_newest(s, &id, err) || (id && txnlog_read(s, id, &t, err)))
		return -1;
	if (!id)
		return 0;
	*ret = t.state == TXN_COMMITTED && !t.clean;
	txn_summary_release(&t);
	return 0;
}

int applied_read(const struct state *s, struct buf *ret, struct err *err)
{
	bool behind;

	if (s->txn_fd < 0)
		return 1;
	if (is_behind(s, &behind, err))
		return -1;
	return behind ? chain_profile(s, UINT_MAX, ret, err) :
			fs_read_at(s->fd, APPLIED, PROFILE_MAX, ret, err);
}
