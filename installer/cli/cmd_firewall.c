/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/guard.h"
#include "backends/firewall/nft.h"
#include "backends/firewall/others.h"
#include "backends/firewall/table.h"
#include "cli/cmds.h"
#include "cli/exit.h"
#include "steps/firewall.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/nfwatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define DEFAULT_SECONDS 3600
/* Somebody who takes it away again and again: so many in a row, then a pause each. */
#define FIGHT_RESTORES 20
#define FIGHT_WITHIN_MS 10000
#define FIGHT_PAUSE_MS 500

static const struct option_spec firewall_options[] = {
	{ .name = "for", .arg = "TIME", .help = "allow: how long, as in 20m (default 1h)" },
	{ .name = "comment", .arg = "TEXT", .help = "allow: what it is for" },
	{ .name = NULL },
};

static int open_root(struct root *ret, const struct cli *cli, struct err *err)
{
	if (option_text(&cli->opts, "root"))
		return err_set(err, ERR_USAGE, "'firewall' is about the firewall that is loaded: it has no --root");
	return root_open(ret, "/", err);
}

/* None of ours is in place: there is nothing to let anybody through. */
static int need_table(const struct root *r, struct err *err)
{
	if (root_exists(r, FIREWALL_FILE))
		return 0;
	err_set(err, ERR_REFUSED, "there is no firewall of sysboxup on this host");
	return err_remedy(err, "name it in the profile (\"firewall\"), then: sysboxup apply");
}

static int read_address(const char *s, struct network *ret, struct err *err)
{
	char why[NETWORK_WHY], shown[128];

	err_quote(shown, sizeof(shown), s);
	if (network_parse(s, ret, why))
		return err_set(err, ERR_USAGE, "'%s' %s", shown, why);
	if (ret->bits == (ret->six ? 128u : 32u))
		return 0;
	err_set(err, ERR_USAGE, "'%s' is a network: for a while one address is let in", shown);
	return err_remedy(err, "networks are named in the profile's firewall.allow");
}

static int read_seconds(const struct cli *cli, uint64_t *ret, struct err *err)
{
	const char *s = option_text(&cli->opts, "for");

	*ret = DEFAULT_SECONDS;
	if (s && (str_to_seconds(s, ret) || !*ret || *ret > TIMED_MAX_SECONDS))
		return err_set(err, ERR_USAGE, "'--for' must be a time of at most 30d, such as 20m");
	return 0;
}

static void warn_closed(struct cli *cli, const struct root *r, const struct manager_ops *m,
			const struct network *n, const char *port)
{
	struct strv one CLEANUP(strv_release) = STRV_INIT;
	char address[NETWORK_TEXT], *remedy CLEANUP(freep) = NULL;
	enum opening_state state;
	struct err ignored = ERR_INIT;

	opening_add_network(&one, n, port);
	if (m->look(r, &one, &state, &ignored) || opening_is_open(state))
		return;
	network_format(n, address);
	remedy = others_remedy(managers_find(r), "", n, port);
	report_warn(cli->rep, remedy, "%s has no rule for %s: none is written for who is let in for a while",
		    m->name, address);
}

/* Past our table, and what then? The networks of the list are open in the manager. */
static void warn_manager(struct cli *cli, const struct root *r, const struct network *n)
{
	const struct manager_ops *m = manager_active(r);
	struct network_list networks CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	struct strv ports CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (!m || root_read_optional(r, FIREWALL_FILE, 4 * 1024 * 1024, &text, &ignored))
		return;
	if (table_allowed(text.data, &networks, &ports) && network_list_has(&networks, n))
		return;
	for (size_t i = 0; i < ports.n; i++)
		warn_closed(cli, r, m, n, ports.v[i]);
}

static int allow(struct cli *cli, const struct root *r, struct err *err)
{
	const char *comment = option_text(&cli->opts, "comment"), *address = cli->opts.args.v[1];
	struct network n;
	uint64_t seconds;

	if (read_address(address, &n, err) || read_seconds(cli, &seconds, err))
		return -1;
	if (comment && !timed_comment_ok(comment))
		return err_set(err, ERR_USAGE,
			       "'--comment' must be at most 128 printable characters without quotes and backslash");
	if (need_table(r, err) ||
	    guard_timed(r, &n, seconds, comment, &cli->result.changed, cli->rep, err) ||
	    guard_timed_sockets(r, cli->rep, err))
		return -1;
	warn_manager(cli, r, &n);
	render_say(cli->out, PAINT_GOOD, "%s reaches the API for %" PRIu64 " seconds", address,
		   seconds);
	return EXIT_DONE;
}

static int deny(struct cli *cli, const struct root *r, struct err *err)
{
	const char *address = cli->opts.args.v[1];
	struct network n;
	int absent;

	if (read_address(address, &n, err) || need_table(r, err))
		return -1;
	absent = guard_timed(r, &n, 0, NULL, &cli->result.changed, cli->rep, err);
	if (absent < 0 || guard_timed_sockets(r, cli->rep, err))
		return -1;
	cli->result.changed = !absent;
	if (absent)
		return err_set(err, ERR_REFUSED, "'%s' was not let in for a while", address);
	render_say(cli->out, PAINT_GOOD, "%s is let in no more", address);
	return EXIT_DONE;
}

static void show_timed(struct cli *cli, const struct timed *t)
{
	struct json *j = json_obj();
	char address[NETWORK_TEXT];
	uint64_t left = timed_left_ms(t) / 1000;

	network_format(&t->address, address);
	json_set_str(j, "address", address);
	json_set_i64(j, "seconds", (int64_t)t->seconds);
	json_set_i64(j, "left", (int64_t)left);
	json_set_str(j, "comment", t->comment);
	render_row(cli->out, "allowed", j, "%-39s  %" PRIu64 " s left%s%s", address, left,
		   t->comment ? "  " : "", t->comment ? t->comment : "");
}

static int list(struct cli *cli, const struct root *r, struct err *err)
{
	struct timed_list l CLEANUP(timed_list_release) = TIMED_LIST_INIT;

	if (timed_read(&l, r, err))
		return -1;
	for (size_t i = 0; i < l.n; i++)
		show_timed(cli, &l.v[i]);
	if (!l.n)
		render_say(cli->out, PAINT_NONE, "Nobody is let in for a while.");
	return EXIT_DONE;
}

/* ---- watch ---- */

/* Until the next one is over, so that the socket's filter and the connections follow. */
static int next_end_ms(const struct root *r)
{
	struct timed_list l CLEANUP(timed_list_release) = TIMED_LIST_INIT;
	uint64_t first = UINT64_MAX;
	struct err ignored = ERR_INIT;

	if (timed_read(&l, r, &ignored))
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		uint64_t left = timed_left_ms(&l.v[i]);

		first = left < first ? left : first;
	}
	return first == UINT64_MAX ? -1 : first > 3600000 ? 3600000 : (int)first + 1000;
}

static void back_off(uint64_t *begun, unsigned int *restores)
{
	uint64_t now = clock_boot_ms();

	if (now - *begun > FIGHT_WITHIN_MS) {
		*begun = now;
		*restores = 0;
	}
	if (++*restores > FIGHT_RESTORES)
		clock_pause_ms(FIGHT_PAUSE_MS);
}

/* Somebody else's hand on it is said; it goes on all the same: nothing else would bring it back. */
static void restore(struct cli *cli, const struct root *r, bool always, uint64_t *begun,
		    unsigned int *restores)
{
	struct buf words CLEANUP(buf_release) = BUF_INIT;
	enum guard_done done = GUARD_NOTHING;
	struct err err = ERR_INIT;

	if (guard_follow(r, FIREWALL_FILE, always, &done, &words, cli->rep, &err)) {
		report_warn(cli->rep, err.remedy, "%s", err.msg);
		clock_pause_ms(FIGHT_PAUSE_MS);
		return;
	}
	if (done == GUARD_NOTHING || always)
		return;
	report_warn(cli->rep, NULL, "the firewall was changed by somebody else, and is back: %s",
		    words.len ? words.data : "it was there without its file");
	back_off(begun, restores);
}

static void expire(struct cli *cli, const struct root *r)
{
	struct err err = ERR_INIT;

	if (guard_cut(r, FIREWALL_FILE, cli->rep, &err) ||
	    guard_timed_sockets(r, cli->rep, &err))
		report_warn(cli->rep, err.remedy, "%s", err.msg);
}

/* Watched before the first load, so that what happens in between is told. That one brings in who is
 * let in for a while, too: at boot the unit for that knows the file alone. */
static int watch(struct cli *cli, const struct root *r, struct err *err)
{
	unsigned int restores = 0;
	uint64_t begun = 0;
	int fd CLEANUP(closep) = -1;

	if (nft_available(err) || nfwatch_open(&fd, err))
		return -1;
	restore(cli, r, true, &begun, &restores);
	expire(cli, r);
	for (;;) {
		int told = nfwatch_wait(fd, "sysboxup", next_end_ms(r), err);
		if (told < 0)
			return -1;
		if (told)
			restore(cli, r, false, &begun, &restores);
		else
			expire(cli, r);
	}
}

/* ---- */

static const struct verb {
	const char *word, *usage;
	size_t args;
	int (*run)(struct cli *cli, const struct root *r, struct err *err);
	bool takes_options;
} verbs[] = {
	{ "allow", "ADDRESS [--for TIME] [--comment TEXT]", 1, allow, true },
	{ "deny", "ADDRESS", 1, deny, false },
	{ "list", "", 0, list, false },
	{ "watch", "", 0, watch, false },
};

static const char *const words[] = { "allow", "deny", "list", "watch", NULL };

static int check(const struct cli *cli, const struct verb *v, struct err *err)
{
	const struct options *o = &cli->opts;

	if (!v->takes_options && (option_given(o, "for") || option_given(o, "comment")))
		return err_set(err, ERR_USAGE, "'--for' and '--comment' have no meaning for 'firewall %s'", v->word);
	if (o->args.n - 1 == v->args)
		return 0;
	return err_set(err, ERR_USAGE, "'firewall %s' is used so: sysboxup firewall %s %s", v->word,
		       v->word, v->usage);
}

static int run(struct cli *cli, struct err *err)
{
	struct root r CLEANUP(root_release) = ROOT_INIT;
	const char *word = cli->opts.args.v[0];
	char shown[64];

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq(verbs[i].word, word))
			return check(cli, &verbs[i], err) || open_root(&r, cli, err) ?
				       -1 :
				       verbs[i].run(cli, &r, err);
	err_quote(shown, sizeof(shown), word);
	return err_set(err, ERR_USAGE, "unknown word '%s' after firewall; it knows allow, deny, list and watch", shown);
}

const struct command cmd_firewall = {
	.name = "firewall",
	.usage = "allow ADDRESS [--for TIME] | deny ADDRESS | list | watch",
	.summary = "let an address reach the Docker API for a while",
	.about =
		"Besides those that the profile's \"firewall\" names: \"allow\" lets one address "
		"through for a while, as for a single job; \"deny\" ends that at once, and cuts its "
		"connections; \"list\" shows who is let in so, and for how long still. That time "
		"goes on over a boot, and over a firewall that somebody flushed. \"watch\" is what "
		"sysboxup-firewall-watch.service runs: when somebody changes or removes the table, "
		"it is loaded again, and connections that came in meanwhile are cut.",
	.options = firewall_options,
	.words = words,
	.args_min = 1,
	.args_max = 2,
	.flags = CMD_ROOT,
	.run = run,
};
