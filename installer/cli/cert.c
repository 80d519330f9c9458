/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cert.h"

#include "cli/passphrase.h"
#include "host/addresses.h"
#include "pki/names.h"
#include "pki/secret.h"
#include "sys/clock.h"

enum { LOCK_SECONDS = 120, LOCK_MAX = 86400 };

void cert_release(struct cert_run *r)
{
	if (r->pki.changed)
		r->s.cli->result.changed = true;
	pki_ca_freep(&r->ca);
	pki_release(&r->pki);
	session_release(&r->s);
}

static int lock_seconds(const struct cli *cli, unsigned int *ret, struct err *err)
{
	const char *text = option_text(&cli->opts, "lock-wait");
	uint64_t seconds = LOCK_SECONDS;

	if (text && (str_to_seconds(text, &seconds) || seconds > LOCK_MAX))
		return err_set(err, ERR_USAGE, "--lock-wait '%.32s' is no time such as 90, 5m or 1h", text);
	*ret = (unsigned int)seconds;
	return 0;
}

int cert_open(struct cert_run *r, struct cli *cli, enum pki_mode mode, struct err *err)
{
	if (lock_seconds(cli, &r->lock_seconds, err) || session_open(&r->s, cli, 0, err) < 0)
		return -1;
	r->write = option_given(&cli->opts, "any-clock") ? PKI_WRITE_ANY_CLOCK : PKI_WRITE;
	return pki_open(&r->pki, &r->s.root, mode == PKI_READ ? mode : r->write, r->lock_seconds,
			err);
}

int cert_open_ca(struct cert_run *r, struct err *err)
{
	struct buf passphrase CLEANUP(secret_release) = BUF_INIT;
	enum pki_guard guard;

	if (pki_ca_guard(&r->pki, &guard, err) ||
	    (guard == GUARD_PASSPHRASE && passphrase_get(r->s.cli, false, &passphrase, err)))
		return -1;
	return pki_begin(&r->pki, r->write, r->lock_seconds, err) ||
			       pki_ca_open(&r->pki, &passphrase, &r->ca, err) ? -1 : 0;
}

int cert_find(const struct cert_run *r, const char *word, struct ledger_cert **ret, struct err *err)
{
	struct ledger_cert *c = ledger_find(&r->pki.ledger, word);
	char shown[128];

	/* as it is called in the list, and as it was asked for */
	if (!c)
		c = ledger_newest(&r->pki.ledger, word);
	if (!c && str_starts(word, "ci-"))
		c = ledger_newest(&r->pki.ledger, word + 3);
	if (c) {
		*ret = c;
		return 0;
	}
	err_quote(shown, sizeof(shown), word);
	err_set(err, ERR_USAGE, "no certificate has the name or serial '%.80s'", shown);
	return err_remedy(err, "sysboxup cert list");
}

const char *cert_state(const struct cert_run *r, const struct ledger_cert *c)
{
	if (c->revoked)
		return "revoked";
	if (c->to <= r->pki.now)
		return "expired";
	if (c->dropped)
		return "dropped";
	return c->from > r->pki.now ? "not yet valid" : "valid";
}

static void set_time(struct json *j, const char *key, int64_t t)
{
	char text[32];

	clock_iso(t, text);
	json_set_str(j, key, text);
}

static struct json *cert_object(const struct cert_run *r, const struct ledger_cert *c)
{
	struct strv sans CLEANUP(strv_release) = STRV_INIT;
	char *common CLEANUP(freep) = pki_common(c),
		     *path CLEANUP(freep) = pki_path(&r->pki, c->seq, common);
	struct json *j = json_obj();

	if (!str_eq(c->sans, "-"))
		str_split(&sans, c->sans, ',');
	json_set_str(j, "name", c->name);
	json_set_str(j, "common_name", common);
	json_set_str(j, "kind", pki_profile_name(c->profile));
	json_set_str(j, "state", cert_state(r, c));
	json_set_str(j, "serial", c->serial);
	json_set_str(j, "spki_sha256", c->spki);
	set_time(j, "not_before", c->from);
	set_time(j, "not_after", c->to);
	if (c->profile == PKI_SERVER)
		json_set(j, "names", strv_json(&sans));
	json_set_bool(j, "auto_renew", c->renew);
	if (c->revoked) {
		set_time(j, "revoked", c->revoked);
		json_set_str(j, "reason", c->reason);
	}
	json_set_str(j, "path", path);
	return j;
}

void cert_heading(const struct cert_run *r)
{
	render_say(r->s.cli->out, PAINT_STRONG, "%-20s  %-7s %-13s %-20s  %s", "NAME", "KIND",
		   "STATE", "UNTIL", "SERIAL");
}

void cert_row(const struct cert_run *r, const struct ledger_cert *c)
{
	char *common CLEANUP(freep) = pki_common(c);
	char to[32];

	clock_iso(c->to, to);
	render_row(r->s.cli->out, "certificate", cert_object(r, c), "%-20s  %-7s %-13s %-20s  %s",
		   common, pki_profile_name(c->profile), cert_state(r, c), to, c->serial);
}

/* --- the names of a server --- */

int cert_sans(const struct cert_run *r, char **ret, bool *ret_detected, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT, sans CLEANUP(strv_release) = STRV_INIT;

	option_texts(&r->s.cli->opts, "san", &names);
	*ret_detected = !names.n;
	if (!names.n && host_addresses(&r->s.root, &names, err))
		return -1;
	if (names_to_sans(&names, &sans, err))
		return *ret_detected ? err_remedy(err, "name them yourself: --san NAME") : -1;
	*ret = strv_join(&sans, ",");
	return 0;
}

int cert_warn_drift(const struct cert_run *r, const struct ledger_cert *c, struct err *err)
{
	struct strv now CLEANUP(strv_release) = STRV_INIT, sans CLEANUP(strv_release) = STRV_INIT;
	struct strv has CLEANUP(strv_release) = STRV_INIT,
			missing CLEANUP(strv_release) = STRV_INIT;

	if (!c->detected || !ledger_alive(c, r->pki.now) || !r->s.root.is_host ||
	    ledger_newest(&r->pki.ledger, c->name) != c)
		return 0;
	if (host_addresses(&r->s.root, &now, err) || names_to_sans(&now, &sans, err))
		return -1;
	str_split(&has, c->sans, ',');
	for (size_t i = 0; i < sans.n; i++)
		if (!strv_has(&has, sans.v[i]))
			strv_add(&missing, sans.v[i]);
	if (missing.n) {
		char *list CLEANUP(freep) = strv_join(&missing, ", "),
			   *try CLEANUP(freep) = xasprintf("sysboxup cert renew %s", c->name);

		report_warn(r->s.rep, try, "this host has names that the certificate '%s' has not: %s", c->name, list);
	}
	return 0;
}
