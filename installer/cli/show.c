/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

void show_target(struct session *s, const char *what)
{
	const struct host *h = &s->host;
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	buf_addf(&b, "%s for %s", what, *h->os.pretty_name ? h->os.pretty_name : "this host");
	if (!s->root.is_host)
		buf_addf(&b, " in %s", s->root.path);
	if (h->docker.version)
		buf_addf(&b, ", Docker %s", h->docker.version);
	if (s->profile.source)
		buf_addf(&b, ", profile: %s", s->profile.source);
	render_say(s->cli->out, PAINT_STRONG, "%s", b.data);
}

const char *show_txn_state(const struct txn_summary *t)
{
	switch (t->state) {
	case TXN_NONE:
		return "interrupted early";
	case TXN_PREPARED:
		return "interrupted";
	case TXN_PENDING:
		return pending_over(t) ? "not confirmed, not undone yet" : "waits to be confirmed";
	case TXN_COMMITTED:
		return t->clean ? "committed" : "committed, not cleaned up";
	case TXN_ROLLED_BACK:
		return t->pending ? "not confirmed, undone" : "failed, undone";
	case TXN_FAILED:
		return "failed, not undone";
	}
	return "unknown";
}

size_t show_txn_actions(const struct txn_summary *t)
{
	return json_len(json_get(t->prepared, "actions"));
}

const char *show_key(const char *key)
{
	const char *path = key ? strstr(key, ":/") : NULL;

	return path ? path + 1 : key;
}
