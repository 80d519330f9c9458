/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "firewall": who reaches the port of the Docker API. That nobody else does is said by a table
 * of our own, under every firewall manager (backends/firewall/table.h); that those who may get past
 * the other firewalls is for their own tools: of a manager that we know we have it done
 * (steps/openings.c), of others it is refused with the line to add while they do not.
 *
 *	/etc/sysboxup/firewall.nft	the table; loaded again by the unit at boot, and by this
 *					step
 *	sysboxup-api.socket.d/,
 *	docker-ci.socket.d/		the same list for the kernel's filter of that socket, which
 *					no flush of tables touches; networks only
 */
#include "steps/firewall.h"

#include "actions/kinds.h"
#include "backends/firewall/guard.h"
#include "backends/firewall/nft.h"
#include "backends/firewall/others.h"
#include "backends/firewall/table.h"
#include "backends/service/systemd.h"
#include "engine/rollback.h"
#include "engine/step.h"
#include "steps/firstboot.h"

#include <unistd.h>

#define STEP "firewall"
#define FILE_MAX (4 * 1024 * 1024)

bool firewall_on(const struct profile *p)
{
	return p->firewall.present && p->firewall.backend != FIREWALL_NONE;
}

void firewall_ports(const struct profile *p, struct strv *ret)
{
	for (size_t i = 0; i < p->api.listen.n; i++) {
		const char *port = strrchr(p->api.listen.v[i], ':') + 1;

		if (!strv_has(ret, port))
			strv_add(ret, port);
	}
}

static bool wanted(const struct step_ctx *ctx)
{
	return firewall_on(ctx->profile) || json_get(ctx->index, NFTABLES_KEY);
}

static void render(const struct profile *p, struct buf *ret)
{
	struct strv ports CLEANUP(strv_release) = STRV_INIT;
	const struct table t = { &p->firewall.networks, &p->firewall.interfaces, &ports };

	firewall_ports(p, &ports);
	table_render(&t, ret);
}

/* ---- what cannot be done ---- */

static int refuse_block(const struct step_ctx *ctx, const char *where, const struct network *n,
			const char *port, struct err *err)
{
	int managers = managers_find(ctx->host->root);
	char *who CLEANUP(freep) = managers_words(managers),
		  *remedy CLEANUP(freep) = others_remedy(managers, where, n, port);

	err_set(err, ERR_REFUSED,
		"another firewall%s%s%s drops what it does not know: nothing in '%s' accepts port %s",
		*who ? " (" : "", who, *who ? ")" : "", where, port);
	return err_remedy(err, "%s, and so for each network of firewall.allow", remedy);
}

static const struct network *first_of(const struct profile *p, bool six)
{
	for (size_t i = 0; i < p->firewall.networks.n; i++)
		if (p->firewall.networks.v[i].six == six)
			return &p->firewall.networks.v[i];
	return NULL;
}

static int check_legacy(const struct step_ctx *ctx, const struct manager_ops *m,
			const struct network *n, const char *port, struct err *err)
{
	const char *where = n->six ? "ip6tables-legacy INPUT" : "iptables-legacy INPUT";
	struct buf saved CLEANUP(buf_release) = BUF_INIT;

	if (m && m->owns(where))
		return 0;
	if (legacy_save(ctx->host->root, n->six, &saved, err))
		return -1;
	return legacy_blocks(saved.data, port) ? refuse_block(ctx, where, n, port, err) : 0;
}

static int check_family(const struct json *ruleset, const struct step_ctx *ctx,
			const struct manager_ops *m, bool six, const struct strv *ports,
			struct err *err)
{
	const struct network *n = first_of(ctx->profile, six);
	char *where CLEANUP(freep) = NULL;

	for (size_t i = 0; n && i < ports->n; i++) {
		if (others_block(ruleset, ports->v[i], six, m ? m->owns : NULL, &where))
			return refuse_block(ctx, where, n, ports->v[i], err);
		if (check_legacy(ctx, m, n, ports->v[i], err))
			return -1;
	}
	return 0;
}

/* m: its own chains are opened by us. */
static int check_others(const struct step_ctx *ctx, const struct json *ruleset,
			const struct manager_ops *m, struct err *err)
{
	struct strv ports CLEANUP(strv_release) = STRV_INIT;

	firewall_ports(ctx->profile, &ports);
	return check_family(ruleset, ctx, m, false, &ports, err) ||
			       check_family(ruleset, ctx, m, true, &ports, err) ?
		       -1 :
		       0;
}

/* ---- plan ---- */

static bool is_there(const struct step_ctx *ctx, const char *path, const struct buf *text)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	return !root_read_optional(ctx->host->root, path, FILE_MAX, &now, &ignored) &&
	       buf_equal(&now, text);
}

/* Who is not root cannot ask; apply can. */
static int is_loaded(const struct step_ctx *ctx, const struct buf *text, bool *ret, struct err *err)
{
	struct buf words CLEANUP(buf_release) = BUF_INIT;
	int same;

	*ret = true;
	if (geteuid())
		return 0;
	same = nft_compare(text, &words, err);
	*ret = same > 0;
	return same < 0 ? err_raise(err, ERR_REFUSED) : 0;
}

/* The kernel's filter of a socket knows addresses alone. This host talks to itself by the addresses
 * it listens on. */
static void render_socket(const struct profile *p, struct buf *ret)
{
	char text[NETWORK_TEXT];

	buf_adds(ret, "# Written by sysboxup apply: the list of " FIREWALL_FILE " for the socket itself.\n"
		      "[Socket]\nIPAddressDeny=any\nIPAddressAllow=localhost\n");
	for (size_t i = 0; i < p->api.listen.n; i++) {
		const char *s = p->api.listen.v[i];
		int six = *s == '[';

		if (!str_starts(s, "0.0.0.0:") && !str_starts(s, "[::]:"))
			buf_addf(ret, "IPAddressAllow=%.*s\n",
				 (int)(strrchr(s, ':') - s) - 2 * six, s + six);
	}
	for (size_t i = 0; i < p->firewall.networks.n; i++) {
		network_format(&p->firewall.networks.v[i], text);
		buf_addf(ret, "IPAddressAllow=%s\n", text);
	}
}

static void plan_socket(struct plan *p, const struct step_ctx *ctx, const struct guard_socket *s,
			bool has)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (has)
		render_socket(ctx->profile, &text);
	if (has ? is_there(ctx, s->filter, &text) : !root_exists(ctx->host->root, s->filter))
		return;
	if (has && !root_exists(ctx->host->root, s->dir))
		plan_add(p, action_dir(STEP, s->dir, 0755));
	plan_add(p, has ? action_file(STEP, s->filter, 0644, text.data, text.len) :
			  action_remove(STEP, s->filter));
	plan_add(p, action_reload(STEP, RELOAD_FILTER, s->filter, RELOAD_ON_UNDO));
	plan_add(p, action_reload(STEP, RELOAD_FILTER, s->filter, RELOAD_ON_COMMIT));
}

static void plan_sockets(struct plan *p, const struct step_ctx *ctx)
{
	size_t of = ctx->profile->api.dedicated ? GUARD_CI : GUARD_HOST;

	for (size_t i = 0; i < GUARD_SOCKETS; i++)
		plan_socket(p, ctx, &guard_socket[i],
			    i == of && !ctx->profile->firewall.interfaces.n);
}

static int plan_table(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	bool saved, loaded;

	render(ctx->profile, &text);
	saved = is_there(ctx, FIREWALL_FILE, &text);
	if (is_loaded(ctx, &text, &loaded, err))
		return -1;
	if (saved && loaded && json_get(ctx->index, NFTABLES_KEY))
		return 0;
	if (!root_exists(ctx->host->root, "/etc/sysboxup"))
		plan_add(p, action_dir(STEP, "/etc/sysboxup", 0755));
	if (!saved)
		plan_add(p, action_file(STEP, FIREWALL_FILE, 0644, text.data, text.len));
	plan_add(p, action_nftables(STEP, FIREWALL_FILE, &text, RELOAD_ON_UNDO));
	plan_add(p, action_nftables(STEP, FIREWALL_FILE, &text, RELOAD_ON_COMMIT));
	return 0;
}

static bool is_up(const char *const *units, size_t n)
{
	struct unit_status st[4];
	struct err ignored = ERR_INIT;

	if (unit_query_all(units, st, &ignored))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!str_eq(st[i].active, "active"))
			return false;
	return true;
}

static void plan_units(struct plan *p, const struct step_ctx *ctx)
{
	static const char *const units[] = { FIREWALL_UNIT, FIREWALL_WATCH, NULL };

	if (!is_up(units, ARRAY_SIZE(units) - 1) || !json_get(ctx->index, "units:" FIREWALL_UNIT))
		plan_add(p, action_units(STEP, units, NULL, false));
}

static void plan_warnings(struct plan *p, const struct step_ctx *ctx)
{
	for (size_t i = 0; i < ctx->profile->firewall.interfaces.n; i++) {
		char *path CLEANUP(freep) =
			path_join("/sys/class/net", ctx->profile->firewall.interfaces.v[i]);

		if (!root_exists(ctx->host->root, path))
			plan_warn(p, "firewall: there is no interface '%s' now",
				  ctx->profile->firewall.interfaces.v[i]);
	}
	if (!ctx->profile->firewall.networks.n && !ctx->profile->firewall.interfaces.n)
		plan_warn(p, "firewall: 'firewall.allow' is empty: only this host itself gets through");
}

static int plan_image(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	char *nft CLEANUP(freep) = host_find_program(ctx->host->root, "nft");

	if (!nft) {
		err_set(err, ERR_REFUSED, "there is no nft in this image, which the firewall needs");
		return err_remedy(err, "install the package nftables there, or set firewall.backend to \"none\"");
	}
	if (firstboot_leave(ctx, err))
		return -1;
	plan_warn(p, "firewall: not now: the first boot loads it, in front of the API");
	return 0;
}

/* What several of them make of each other's rules nobody can say: it is said which one is asked. */
static void warn_several(struct plan *p, const struct step_ctx *ctx, const struct manager_ops *m)
{
	int found = managers_find(ctx->host->root) & (MANAGER_FIREWALLD | MANAGER_UFW);
	char *words CLEANUP(freep) = managers_words(found);

	if (found & (found - 1))
		plan_warn(p, "firewall: several firewalls are at work (%s): %s%s", words,
			  m ? "rules are written for " : "none is written rules for",
			  m ? m->name : "");
}

static int plan_others(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct json *ruleset CLEANUP(json_freep) = NULL;
	const struct manager_ops *m;

	if (!geteuid() && nft_list_all(&ruleset, err))
		return err_raise(err, ERR_REFUSED);
	if (openings_manager(ctx, &m, err) || (ruleset && check_others(ctx, ruleset, m, err)))
		return -1;
	warn_several(p, ctx, m);
	return openings_plan(p, ctx, m, err);
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	if (!firewall_on(ctx->profile))
		return take_back_plan(p, ctx->state, STEP, err);
	if (!ctx->host->running)
		return plan_image(p, ctx, err);
	if (nft_available(err) || plan_others(p, ctx, err) || plan_table(p, ctx, err))
		return -1;
	plan_sockets(p, ctx);
	plan_units(p, ctx);
	plan_warnings(p, ctx);
	return 0;
}

/* ---- verify ---- */

static void say_loaded(const struct step_ctx *ctx, const struct buf *text, struct report *rep)
{
	struct buf words CLEANUP(buf_release) = BUF_INIT;
	struct err why = ERR_INIT;
	int same = nft_compare(text, &words, &why);

	if (same < 0)
		report_check(rep, "firewall-loaded", STATE_UNKNOWN, NULL, NULL, "%s", why.msg);
	else
		report_check(rep, "firewall-loaded", same ? STATE_OK : STATE_BAD,
			     "whoever is not kept out reaches the API", "sysboxup apply", "%s",
			     same ? "the table is loaded as the profile wants it" : words.data);
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (!firewall_on(ctx->profile) || !ctx->host->running || geteuid())
		return 0;
	render(ctx->profile, &text);
	bool saved = is_there(ctx, FIREWALL_FILE, &text);

	say_loaded(ctx, &text, rep);
	report_check(rep, "firewall-saved", saved ? STATE_OK : STATE_BAD,
		     "that is what the next boot loads", "sysboxup apply",
		     saved ? "'%s' is as the profile wants it" :
			     "'%s' is not as the profile wants it",
		     FIREWALL_FILE);
	openings_verify(ctx, rep);
	return 0;
}

const struct step step_firewall = {
	.name = STEP,
	.summary = "who reaches the port of the Docker API",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
