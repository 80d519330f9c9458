/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heldback.h"

#include "engine/pending.h"
#include "sys/fs.h"

/* Steps that open this host to others, or decide who reaches it. */
static const char *const steps[] = { "api", "docker-ci", "firewall" };

static bool is_one(const char *step)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (str_eq(step, steps[i]))
			return true;
	return false;
}

/* Will recovery undo it? */
static bool goes_back(const struct txn_summary *t)
{
	return t->state == TXN_PREPARED || t->state == TXN_FAILED ||
	       (t->state == TXN_PENDING && pending_over(t));
}

/* Does the newest transaction, if it is not at its end, concern them? What cannot be read may. */
static bool concerns(const struct state *s)
{
	struct txn_summary t;
	struct err ignored = ERR_INIT;
	unsigned int id;
	bool any = false;

	if (txnlog_newest(s, &id, &ignored))
		return true;
	if (!id)
		return false;
	if (txnlog_read(s, id, &t, &ignored))
		return true;
	if (goes_back(&t))
		for
			json_each (a, json_get(t.prepared, "actions"))
				any = any || is_one(json_get_str(a, "step"));
	txn_summary_release(&t);
	return any;
}

static int change(const struct state *s, bool held, struct err *err)
{
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(s->root, HELDBACK_MARK, false, &dir, &name, NULL, err))
		return -1;
	return held ? fs_put(dir, name, 0644, "", 0, err) : fs_unlink(dir, name, err);
}

void heldback_begin(const struct state *s, struct report *rep)
{
	struct err err = ERR_INIT;

	if (concerns(s) && change(s, true, &err))
		report_warn(rep, NULL, "nothing is held back meanwhile: %s", err.msg);
}

void heldback_end(const struct state *s, struct report *rep)
{
	struct err err = ERR_INIT;

	if (root_exists(s->root, HELDBACK_MARK) && change(s, false, &err))
		report_warn(rep, "rm " HELDBACK_MARK, "%s", err.msg);
}

void heldback_tell(const struct state *s, struct report *rep)
{
	if (root_exists(s->root, HELDBACK_MARK))
		report_warn(
			rep, "sysboxup recover; then start what is wanted, or boot again",
			"held back until this is undone: sysboxup-api.socket, docker-ci.socket, docker-ci.service");
}
