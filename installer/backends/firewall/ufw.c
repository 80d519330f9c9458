/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ufw 0.36 (facts/firewall-tried.md 4): its rules lie in two files, one for each family, which
 * `ufw allow` truncates and writes, without a sync; a crash in between leaves one that ufw does not
 * load, and INPUT at DROP. Its unit says "active" with ENABLED=no, so ufw.conf is asked. Each call
 * costs 0.3 s.
 */
#include "backends/firewall/ufwrules.h"

#include "sys/proc.h"

#include <unistd.h>

#define RULES_MAX (16 * 1024 * 1024)

enum { OPENINGS_MAX = 256, UFW_SECONDS = 120 };

static const char *const files[] = { "/etc/ufw/user.rules", "/etc/ufw/user6.rules", NULL };

/* ---- what it is set to ---- */

static bool is_set(const struct root *r, const char *path, const char *key)
{
	char *value CLEANUP(freep) = manager_setting(r, path, key);

	return str_eq(value, "yes") || str_eq(value, "YES");
}

static bool ufw_available(const struct root *r)
{
	return proc_available("ufw") && root_exists(r, files[0]);
}

static bool ufw_enabled(const struct root *r)
{
	return is_set(r, "/etc/ufw/ufw.conf", "ENABLED");
}

static bool ufw_active(const struct root *r)
{
	return ufw_available(r) && ufw_enabled(r);
}

static bool ufw_owns(const char *where)
{
	return str_eq(where, "ip filter INPUT") || str_eq(where, "ip6 filter INPUT") ||
	       str_ends(where, "tables-legacy INPUT");
}

static bool any_six(const struct strv *openings)
{
	for (size_t i = 0; i < openings->n; i++)
		if (str_starts(openings->v[i], "6 "))
			return true;
	return false;
}

static int ufw_check(const struct root *r, const struct strv *openings, struct err *err)
{
	if (any_six(openings) && !is_set(r, "/etc/default/ufw", "IPV6")) {
		err_set(err, ERR_REFUSED, "ufw does not manage IPv6 on this host, and drops it");
		return err_remedy(err, "set IPV6=yes in /etc/default/ufw, and ufw reload");
	}
	if (openings->n <= OPENINGS_MAX)
		return 0;
	err_set(err, ERR_REFUSED, "ufw would need %zu rules for 'firewall.allow': more than %u",
		openings->n, (unsigned int)OPENINGS_MAX);
	return err_remedy(err, "open the port in ufw for all of them (ufw allow 2376/tcp), with "
			       "\"backend\": \"nftables\": its table keeps everybody else out");
}

/* ---- what is there ---- */

static int listing(bool six, struct buf *ret, struct err *err)
{
	const char *const argv[] = { six ? "ip6tables" : "iptables", "-S",
				     six ? "ufw6-user-input" : "ufw-user-input", NULL };
	struct buf said CLEANUP(buf_release) = BUF_INIT;
	struct proc p = PROC_INIT;
	int status;

	p.argv = argv;
	p.ret_out = ret;
	p.ret_errout = &said;
	return proc_run(&p, &status, err); /* no such chain: nothing is loaded */
}

static bool is_listed(const struct buf *listed, const struct opening *o)
{
	const char *full = strchr(o->source, '/') ? "" : o->six ? "/128" : "/32";
	bool all = !o->interface && str_ends(o->source, "/0");
	char *from CLEANUP(freep) = all          ? xstrdup("") :
				    o->interface ? xasprintf("-i %s ", o->source) :
						   xasprintf("-s %s%s ", o->source, full);
	char *line CLEANUP(freep) = xasprintf("input %s-p tcp -m tcp --dport %s -j ACCEPT\n", from,
					      o->port);

	return strstr(listed->data, line);
}

struct ufw_view {
	struct buf text[2], listed[2]; /* IPv4, IPv6 */
	bool live;                     /* what is listed counts */
};

static void view_release(struct ufw_view *v)
{
	for (int six = 0; six < 2; six++) {
		buf_release(&v->text[six]);
		buf_release(&v->listed[six]);
	}
}

static int view_read(const struct root *r, struct ufw_view *v, struct err *err)
{
	v->live = !geteuid() && ufw_enabled(r) && proc_available("iptables");
	for (int six = 0; six < 2; six++)
		if (root_read_optional(r, files[six], RULES_MAX, &v->text[six], err) < 0 ||
		    (v->live && listing(six, &v->listed[six], err)))
			return -1;
	return 0;
}

static int ufw_look(const struct root *r, const struct strv *openings, enum opening_state *ret,
		    struct err *err)
{
	struct ufw_view v CLEANUP(view_release) = { { BUF_INIT, BUF_INIT },
						    { BUF_INIT, BUF_INIT },
						    false };
	struct opening o;

	if (view_read(r, &v, err))
		return -1;
	for (size_t i = 0; i < openings->n; i++) {
		if (opening_parse(openings->v[i], &o))
			return err_set(err, ERR_FAILED, "'%s' is no opening", openings->v[i]);
		ret[i] = ufwrules_find(&v.text[o.six], &o);
		if (ret[i] == OPENING_OURS && v.live && !is_listed(&v.listed[o.six], &o))
			ret[i] = OPENING_UNLOADED;
	}
	return 0;
}

/* ---- what is done ---- */

static int run(const struct strv *argv, const char *scratch, struct report *log, struct err *err)
{
	char *tmp CLEANUP(freep) = xasprintf("TMPDIR=%s", scratch);
	const char *const env[] = { tmp, NULL };
	struct proc p = PROC_INIT;

	p.argv = (const char *const *)argv->v;
	p.env = scratch ? env : NULL;
	p.log = log;
	p.timeout = UFW_SECONDS;
	return proc_run(&p, NULL, err);
}

static int rule(const char *opening, bool put, const char *scratch, struct report *log,
		struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct opening o;

	if (opening_parse(opening, &o))
		return err_set(err, ERR_FAILED, "'%s' is no opening", opening);
	strv_add(&argv, "ufw");
	if (!put)
		strv_add(&argv, "delete");
	strv_add(&argv, "allow");
	if (o.interface)
		strv_addv(&argv, (const char *const[]){ "in", "on", o.source, NULL });
	strv_addv(&argv, (const char *const[]){ "proto", "tcp", "from",
						!o.interface ? o.source :
						o.six        ? "::/0" :
							       "0.0.0.0/0",
						"to", "any", "port", o.port, NULL });
	if (put)
		strv_addv(&argv, (const char *const[]){ "comment", OPENING_COMMENT, NULL });
	return run(&argv, scratch, log, err);
}

static int rules(const struct strv *openings, bool put, const char *scratch, struct report *log,
		 struct err *err)
{
	for (size_t i = 0; i < openings->n; i++) {
		char *words CLEANUP(freep) = opening_words(openings->v[i]);

		if (rule(openings->v[i], put, scratch, log, err))
			return err_prefix(err, "%s", words);
	}
	return 0;
}

static int ufw_put(const struct root *r, const struct strv *openings, const char *scratch,
		   struct report *log, struct err *err)
{
	return rules(openings, true, scratch, log, err);
}

static int ufw_take(const struct root *r, const struct strv *openings, const char *scratch,
		    struct report *log, struct err *err)
{
	return rules(openings, false, scratch, log, err);
}

static int ufw_reload(const struct root *r, struct report *log, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	if (!ufw_available(r) || !ufw_enabled(r))
		return 0;
	strv_addv(&argv, (const char *const[]){ "ufw", "reload", NULL });
	return run(&argv, NULL, log, err);
}

const struct manager_ops manager_ufw = {
	.name = "ufw",
	.available = ufw_available,
	.active = ufw_active,
	.owns = ufw_owns,
	.check = ufw_check,
	.look = ufw_look,
	.put = ufw_put,
	.take = ufw_take,
	.reload = ufw_reload,
	.files = files,
	.whole = ufwrules_whole,
	.text_take = ufwrules_take,
	.text_put = ufwrules_put,
	.text_same = ufwrules_same,
};
