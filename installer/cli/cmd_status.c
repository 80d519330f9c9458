/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/service/systemd.h"
#include "cli/cert.h"
#include "cli/changed.h"
#include "cli/cmds.h"
#include "cli/confirm.h"
#include "cli/exit.h"
#include "cli/show.h"
#include "cli/who.h"
#include "docker/hooks.h"
#include "steps/api.h"
#include "steps/firstboot.h"
#include "steps/installed.h"

/* Undoing it is nothing. */
static bool is_only_forward(const struct json *action)
{
	const char *when = json_get_str(json_get(action, "data"), "when"),
		   *kind = json_get_str(action, "kind");

	return (str_eq(kind, "reload") || str_eq(kind, "nftables")) && str_eq(when, "commit");
}

/* Each thing that may not be as before yet, in the order in which it is tried again. */
static void show_left(struct session *s, const struct txn_summary *t)
{
	struct strv keys CLEANUP(strv_release) = STRV_INIT;
	unsigned int left = txn_summary_left(t);

	for json_each(a, json_get(t->prepared, "actions"))
			if (left && left-- && json_get_i64(a, "rank", 0) != RANK_FETCH &&
			    !is_only_forward(a))
				strv_add(&keys, json_get_str(a, "key"));
	for (size_t i = keys.n; i-- > 0;)
		report_check(s->rep, show_key(keys.v[i]), STATE_BAD, NULL, NULL, "not undone yet");
}

/* What a failed way back left, and why. */
static int failed(struct session *s, const struct txn_summary *t, struct err *err)
{
	show_left(s, t);
	return txn_failed(t, err);
}

/* Those that a rollback takes away go last of all, behind its commit. */
static void show_dirs_left(struct session *s, const struct txn_summary *t)
{
	for json_each(a, json_get(t->prepared, "actions")) {
		const struct json *d = json_get(a, "data");
		const char *path = json_get_str(d, "path");

		if (str_eq(json_get_str(a, "kind"), "dir") && path &&
		    json_get_bool(d, "remove", false) && json_get_bool(d, "existed", false) &&
		    root_exists(&s->root, path))
			report_check(s->rep, path, STATE_BAD, NULL, NULL, "not removed yet");
	}
}

/* The first record may be the one that a crash kept from being written. */
static const char *known(const struct txn_summary *t, const char *key)
{
	const char *text = json_get_str(t->begin, key);

	return text ? text : "?";
}

static const char *how_far(const struct txn_summary *t)
{
	return t->state == TXN_COMMITTED   ? " after its commit: only cleaning up is left" :
	       t->state == TXN_ROLLED_BACK ? " after its way back: only cleaning up is left" :
					     "";
}

static int interrupted(struct session *s, const struct txn_summary *t, struct err *err)
{
	if (state_busy(&s->state, err) < 0)
		return -1;
	if (t->state == TXN_COMMITTED)
		show_dirs_left(s, t);
	err_set(err, ERR_INTERRUPTED, "transaction %u (%s) was interrupted%s", t->id,
		known(t, "command"), how_far(t));
	return err_remedy(err, "sysboxup recover");
}

/* What is in place now is nothing to compare with: it stays, or it goes. */
static int pending(struct session *s, const struct txn_summary *t, struct err *err)
{
	if (state_busy(&s->state, err) < 0)
		return -1;
	confirm_event(s, t);
	return pending_error(t, err);
}

static void show_last(struct cli *cli, const struct txn_summary *t)
{
	char *who CLEANUP(freep) = who_words(t->begin);

	render_say(cli->out, PAINT_NONE, "Last transaction: %u, %s, %s, by %s: %s", t->id,
		   known(t, "command"), known(t, "time"), who, show_txn_state(t));
	if (!cli->out->json)
		return;
	struct json *j = json_obj();

	json_set_i64(j, "id", t->id);
	json_set_str(j, "state", show_txn_state(t));
	render_row(cli->out, "last", j, "%u", t->id);
}

/* 1: there is no transaction. */
static int check_last(struct session *s, struct err *err)
{
	struct txn_summary t;
	unsigned int id;
	int rc = 0;

	if (txnlog_newest(&s->state, &id, err) < 0)
		return -1;
	if (!id)
		return 1;
	if (txnlog_read(&s->state, id, &t, err) < 0)
		return -1;
	show_last(s->cli, &t);
	if (t.state == TXN_FAILED)
		rc = failed(s, &t, err);
	else if (t.state == TXN_PENDING)
		rc = pending(s, &t, err);
	else if (t.state == TXN_NONE || t.state == TXN_PREPARED || !t.clean)
		rc = interrupted(s, &t, err);
	txn_summary_release(&t);
	return rc;
}

/* What its pre-restart stopped may still stand still. */
static int check_hooks(struct session *s, struct err *err)
{
	char *command CLEANUP(freep) = hooks_left(&s->state);

	if (!command)
		return 0;
	if (state_busy(&s->state, err) < 0)
		return -1;
	err_set(err, ERR_INTERRUPTED,
		"an interrupted %s has called the hooks of pre-restart, and nobody those of post-restart since",
		command);
	return err_remedy(err, "sysboxup recover");
}

static bool check_entry(struct session *s, const struct json *entry)
{
	const struct action_ops *ops = action_kind(json_get_str(entry, "kind"));
	struct buf found CLEANUP(buf_release) = BUF_INIT;
	struct action_ctx ctx = session_action_ctx(s);
	long long txn = json_get_i64(entry, "txn", 0);
	enum report_state state = STATE_UNKNOWN;

	if (ops && ops->drift)
		state = ops->drift(entry, json_key(entry), &ctx, &found);
	if (!found.len)
		buf_addf(&found, state == STATE_OK ? "as transaction %lld left it" :
						     "of transaction %lld, cannot be looked at", txn);
	report_check(s->rep, show_key(json_key(entry)), state, NULL, NULL, "%s", found.data);
	return state == STATE_BAD;
}

static int check_all(struct session *s, struct err *err)
{
	size_t drifted = 0;

	for json_each(entry, s->index)
		drifted += check_entry(s, entry);
	/* what is as we left it may have ceased to work all the same */
	if (changed_check(s, err) < 0)
		return -1;
	if (!json_len(s->index)) {
		render_say(s->cli->out, PAINT_NONE, "Nothing of sysboxup is in place.");
		return EXIT_DONE;
	}
	if (!drifted) {
		render_say(s->cli->out, PAINT_GOOD, "%zu thing%s in place, none drifted.",
			   json_len(s->index), json_len(s->index) == 1 ? "" : "s");
		return EXIT_DONE;
	}
	err_set(err, ERR_DRIFT, "%zu of %zu things are not as sysboxup left them", drifted, json_len(s->index));
	return err_remedy(err, "sysboxup apply makes this host as wanted again; sysboxup plan shows how");
}

/* One that others installed, and that is not adopted. */
static void show_theirs(struct session *s)
{
	struct sysbox_here here CLEANUP(sysbox_here_release) = { 0 };
	struct err why = ERR_INIT;

	if (!s->host.running || sysbox_origin(s->index))
		return;
	if (sysbox_look(&s->host, &here, &why)) {
		report_check(s->rep, "sysbox", STATE_NONE, NULL, why.remedy, "%s", why.msg);
	} else if (here.any) {
		char *words CLEANUP(freep) = sysbox_words(&here);

		report_check(s->rep, "sysbox", STATE_NONE, NULL,
			     "sysboxup plan shows how it is adopted", "%s", words);
	}
}

/* A ledger that cannot be read is no matter of what is in place: said, and no failure. */
static void show_certificates(struct session *s)
{
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	struct err why = ERR_INIT;

	if (pki_open(&pki, &s->root, PKI_READ, 0, &why))
		report_check(s->rep, "certificates", STATE_UNKNOWN, NULL, why.remedy, "%s",
			     why.msg);
	else if (pki.ledger.trust)
		cert_tell_phase(&s->root, &pki, s->rep);
}

/* All is as the image has it, and what only the first boot makes is not there. */
static int check_first_boot(struct session *s, struct err *err)
{
	static const char *const units[] = { FIRST_BOOT_UNIT, NULL };
	struct unit_status st;
	struct err ignored = ERR_INIT;

	if (!host_has_systemd(&s->host) || !root_exists(&s->root, FIRST_BOOT_MARK) ||
	    unit_query_all(units, &st, &ignored) || !str_eq(st.active, "failed"))
		return 0;
	err_set(err, ERR_DRIFT, "the first boot of this machine is not completed");
	return err_remedy(err, "journalctl -b -u " FIRST_BOOT_UNIT
			       " says why; systemctl restart " FIRST_BOOT_UNIT " tries again");
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	int rc;

	if (session_open(&s, cli, SESSION_HOST, err) < 0)
		return -1;
	rc = check_last(&s, err);
	if (rc < 0 || check_hooks(&s, err) < 0)
		return -1;
	show_theirs(&s);
	show_certificates(&s);
	if (api_is_open(s.index))
		report_check(s.rep, "api", STATE_WARN, NULL, NULL, "%s", API_WARNING);
	if (rc > 0)
		render_say(cli->out, PAINT_NONE, "Nothing was ever changed here by sysboxup.");
	if (rc == 0 && check_all(&s, err) < 0)
		return -1;
	return check_first_boot(&s, err) < 0 ? -1 : EXIT_DONE;
}

const struct command cmd_status = {
	.name = "status",
	.usage = "",
	.summary = "what is in place, and what drifted since",
	.about =
		"Shows the last transaction, and for each thing that is sysboxup's whether it is "
		"still as it was left. Exits with 7 when something drifted or waits to be confirmed, or the first boot of an "
		"image failed, with 6 when a run was "
		"interrupted, with 4 while one is at work, with 5 when one could not be rolled "
		"back fully; then it names everything that is left, and what to do.",
	.options = no_options,
	.run = run,
};
