/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firewalld (facts/firewall-tried.md 4). What it is to be from the next reload or boot on is said
 * by a policy of our own (firewalldpolicy.h), a file that nobody else writes; no reload of ours,
 * which would throw away what somebody has at runtime alone and drops connections meanwhile. What
 * runs has the rules in each zone in use until then, since a policy can be made by a reload only;
 * they are known by a priority that nobody else has.
 *
 * A zone that accepts everything, or the port, needs nothing. firewall-cmd takes 0.3 s a call, and
 * takes twice what it was told once.
 */
#include "backends/firewall/firewalldpolicy.h"

#include "backends/service/systemd.h"
#include "sys/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOOL "firewall-cmd"
#define CONFIG "/etc/firewalld"
#define POLICY_FILE CONFIG "/policies/" FIREWALLD_POLICY ".xml"
#define PRIORITY "priority=\"-23761\""
#define MARK PRIORITY " "
#define POLICY_MAX (4 * 1024 * 1024)

enum { OPENINGS_MAX = 256, SECONDS = 120 };

static const char *const files[] = { POLICY_FILE, NULL };

/* ---- is it there, does it run ---- */

static bool firewalld_available(const struct root *r)
{
	return proc_available(TOOL) && root_exists(r, CONFIG);
}

static bool firewalld_active(const struct root *r)
{
	static const char *const unit[] = { "firewalld.service", NULL };
	struct unit_status st;
	struct err ignored = ERR_INIT;

	return firewalld_available(r) && !unit_query_all(unit, &st, &ignored) &&
	       str_eq(st.active, "active");
}

static bool firewalld_owns(const char *where)
{
	return str_starts(where, "inet firewalld ");
}

static int tool(const char *const *words, struct report *log, struct buf *ret, struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct proc p = PROC_INIT;

	strv_add(&argv, TOOL);
	strv_addv(&argv, words);
	p.argv = (const char *const *)argv.v;
	p.log = log;
	p.ret_out = ret;
	p.timeout = SECONDS;
	return proc_run(&p, NULL, err);
}

/* ---- a zone, or a policy, as --list-all-zones says it ---- */

struct zone {
	char name[64];
	bool fallback;	/* gets what belongs to no other zone */
	bool used;	/* that, or it has interfaces or sources */
	bool accepts;	/* everything */
	struct strv interfaces, ports, rules;
};

static void zone_release(struct zone *z)
{
	strv_release(&z->interfaces);
	strv_release(&z->ports);
	strv_release(&z->rules);
}

static void zone_begin(struct zone *z, const char *line, const char *fallback)
{
	size_t len = strcspn(line, " ");

	snprintf(z->name, sizeof(z->name), "%.*s", (int)len, line);
	z->fallback = str_eq(z->name, fallback);
	z->used = z->fallback || strstr(line + len, "active");
}

static void zone_line(struct zone *z, const char *line)
{
	if (*line == '\t')
		strv_add(&z->rules, line + 1);
	else if (str_starts(line, "  target: "))
		z->accepts = str_eq(line + strlen("  target: "), "ACCEPT");
	else if (str_starts(line, "  interfaces: "))
		str_words(&z->interfaces, line + strlen("  interfaces: "));
	else if (str_starts(line, "  ports: "))
		str_words(&z->ports, line + strlen("  ports: "));
}

struct view {
	struct strv kept;	/* openings of the policy file */
	bool live;
	struct zone *zones, *policies;
	size_t n, policies_n;
	const struct zone *policy;	/* ours, as it runs; NULL: it does not */
};

static void zones_free(struct zone *zones, size_t n)
{
	for (size_t i = 0; i < n; i++)
		zone_release(&zones[i]);
	free(zones);
}

static void view_release(struct view *v)
{
	zones_free(v->zones, v->n);
	zones_free(v->policies, v->policies_n);
	strv_release(&v->kept);
}

/* Each begins a line at its start. Allocated. */
static struct zone *read_zones(const char *said, const char *fallback, size_t *ret_n)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, said, '\n');
	struct zone *zones = xcalloc(lines.n + 1, sizeof(*zones));
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i];

		if (*line && *line != ' ' && *line != '\t')
			zone_begin(&zones[(*ret_n)++], line, fallback);
		else if (*line && *ret_n)
			zone_line(&zones[*ret_n - 1], line);
	}
	return zones;
}

static const struct zone *zone_named(const struct zone *zones, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(zones[i].name, name))
			return &zones[i];
	return NULL;
}

static int read_runtime(const struct root *r, struct view *v, struct err *err)
{
	static const char *const zones[] = { "--list-all-zones", NULL },
				 *const policies[] = { "--list-all-policies", NULL };
	struct buf of_zones CLEANUP(buf_release) = BUF_INIT,
		   of_policies CLEANUP(buf_release) = BUF_INIT;
	char *fallback CLEANUP(freep) =
		manager_setting(r, CONFIG "/firewalld.conf", "DefaultZone");

	if (tool(zones, NULL, &of_zones, err) || tool(policies, NULL, &of_policies, err))
		return -1;
	v->zones = read_zones(of_zones.data, fallback ? fallback : "public", &v->n);
	v->policies = read_zones(of_policies.data, NULL, &v->policies_n);
	v->policy = zone_named(v->policies, v->policies_n, FIREWALLD_POLICY);
	return 0;
}

static int view_read(const struct root *r, struct view *v, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (root_read_optional(r, POLICY_FILE, POLICY_MAX, &text, err) < 0)
		return -1;
	firewalldpolicy_list(&text, &v->kept);
	v->live = !geteuid() && firewalld_active(r);
	return v->live ? read_runtime(r, v, err) : 0;
}

/* ---- what it says of an opening ---- */

static char *rule_of(const struct opening *o, const char *mark)
{
	return xasprintf("rule %sfamily=\"ipv%c\" source address=\"%s\" port port=\"%s\" "
			 "protocol=\"tcp\" accept",
			 mark, o->six ? '6' : '4', o->source, o->port);
}

static bool has_rule(const struct zone *z, const struct opening *o, const char *mark)
{
	char *rule CLEANUP(freep) = rule_of(o, mark);

	return strv_has(&z->rules, rule);
}

static bool in_policy(const struct view *v, const struct opening *o)
{
	return v->policy && has_rule(v->policy, o, "");
}

/* A rule that does not name one of them concerns all. */
static bool names(const char *rule, const char *key, const char *value)
{
	char *any CLEANUP(freep) = xasprintf(" %s=\"", key),
		  *one CLEANUP(freep) = xasprintf(" %s=\"%s\"", key, value);

	return !strstr(rule, any) || strstr(rule, one);
}

/* What only some packets of a port have. */
static bool is_narrow(const char *rule)
{
	static const char *const words[] = { " service ", " protocol value", " icmp-",
					     " source-port ", " destination ", " source NOT ",
					     " source mac", " source ipset", NULL };

	for (size_t i = 0; words[i]; i++)
		if (strstr(rule, words[i]))
			return true;
	return false;
}

/* One with a priority above 0 comes behind all that let in: what is left over is meant. */
static bool is_late(const char *rule)
{
	const char *priority = strstr(rule, " priority=\"");

	return priority && strtol(priority + strlen(" priority=\""), NULL, 10) > 0;
}

static bool says_no(const char *rule, const struct opening *o)
{
	return (strstr(rule, " drop") || strstr(rule, " reject")) && !is_narrow(rule) &&
	       !is_late(rule) && names(rule, "family", o->six ? "ipv6" : "ipv4") &&
	       names(rule, "source address", o->source) && names(rule, "port port", o->port);
}

static bool is_denied(const struct zone *z, const struct opening *o)
{
	for (size_t i = 0; i < z->rules.n; i++)
		if (says_no(z->rules.v[i], o))
			return true;
	return false;
}

static bool is_open(const struct zone *z, const struct opening *o)
{
	char *port CLEANUP(freep) = xasprintf("%s/tcp", o->port);

	return z->accepts || strv_has(&z->ports, port) || (!o->interface && has_rule(z, o, ""));
}

/* Where packets of it may come in. */
static bool concerns(const struct view *v, const struct zone *z, const struct opening *o)
{
	if (!o->interface || strv_has(&z->interfaces, o->source))
		return z->used;
	for (size_t i = 0; i < v->n; i++)
		if (strv_has(&v->zones[i].interfaces, o->source))
			return false;
	return z->fallback;
}

static enum opening_state runtime_of(const struct view *v, const struct opening *o, bool kept)
{
	bool ours = true, open = true, marked = false;

	for (size_t i = 0; i < v->n; i++) {
		const struct zone *z = &v->zones[i];

		if (!concerns(v, z, o))
			continue;
		if (!kept && is_denied(z, o))
			return OPENING_DENIED;
		open = open && is_open(z, o);
		ours = ours && (is_open(z, o) || has_rule(z, o, MARK));
		marked = marked || has_rule(z, o, MARK);
	}
	if (kept)
		return ours || in_policy(v, o) ? OPENING_OURS : OPENING_UNLOADED;
	if (marked || in_policy(v, o))
		return OPENING_UNSAVED;
	return open ? OPENING_THEIRS : OPENING_ABSENT;
}

static enum opening_state state_of(const struct view *v, const char *opening,
				   const struct opening *o)
{
	bool kept = strv_has(&v->kept, opening);

	if (v->live)
		return runtime_of(v, o, kept);
	return kept ? OPENING_OURS : OPENING_ABSENT;
}

#define VIEW_INIT { .kept = STRV_INIT }

static int firewalld_look(const struct root *r, const struct strv *openings,
			  enum opening_state *ret, struct err *err)
{
	struct view v CLEANUP(view_release) = VIEW_INIT;
	struct opening o;

	if (view_read(r, &v, err))
		return -1;
	for (size_t i = 0; i < openings->n; i++) {
		if (opening_parse(openings->v[i], &o))
			return err_set(err, ERR_FAILED, "'%s' is no opening", openings->v[i]);
		ret[i] = state_of(&v, openings->v[i], &o);
	}
	return 0;
}

/* ---- what it cannot take ---- */

static const char *zone_of(const struct view *v, const struct opening *o)
{
	for (size_t i = 0; i < v->n; i++)
		if (concerns(v, &v->zones[i], o))
			return v->zones[i].name;
	return "public";
}

static int check_interfaces(const struct root *r, const struct strv *openings, struct err *err)
{
	struct view v CLEANUP(view_release) = VIEW_INIT;
	struct opening o;

	if (view_read(r, &v, err))
		return err_raise(err, ERR_REFUSED);
	for (size_t i = 0; i < openings->n; i++) {
		if (opening_parse(openings->v[i], &o) || !o.interface ||
		    state_of(&v, openings->v[i], &o) == OPENING_THEIRS)
			continue;
		err_set(err, ERR_REFUSED,
			"firewalld opens ports by zone, and the zone of interface %s has port %s closed",
			o.source, o.port);
		return err_remedy(err,
				  "firewall-cmd --permanent --zone=%s --add-port=%s/tcp, and the "
				  "same without --permanent; our table keeps everybody else out",
				  zone_of(&v, &o), o.port);
	}
	return 0;
}

static int firewalld_check(const struct root *r, const struct strv *openings, struct err *err)
{
	bool interfaces = false;
	struct opening o;

	for (size_t i = 0; i < openings->n; i++)
		interfaces = interfaces || (!opening_parse(openings->v[i], &o) && o.interface);
	if (!root_exists(r, CONFIG "/policies")) {
		err_set(err, ERR_REFUSED, "this firewalld has no policies: 0.9 or newer is needed");
		return err_remedy(err, "upgrade it, or open the port in it, with \"backend\": "
				       "\"nftables\"");
	}
	if (openings->n > OPENINGS_MAX) {
		err_set(err, ERR_REFUSED,
			"firewalld would need %zu rules for 'firewall.allow': more than %u",
			openings->n, (unsigned int)OPENINGS_MAX);
		return err_remedy(err, "open the port in firewalld for all of them, with "
				       "\"backend\": \"nftables\": its table keeps everybody else "
				       "out");
	}
	return interfaces ? check_interfaces(r, openings, err) : 0;
}

/* ---- what is done ---- */

/* A call of the tool for one zone, or for our policy: a change for each rule. */
struct call {
	struct strv words;
	size_t fixed;	/* of them say where */
};

static void call_release(struct call *c) { strv_release(&c->words); }

static struct call call_begin(const char *where, const char *name, bool permanent)
{
	struct call c = { STRV_INIT, permanent ? 2 : 1 };

	if (permanent)
		strv_add(&c.words, "--permanent");
	strv_addf(&c.words, "%s=%s", where, name);
	return c;
}

static void call_add(struct call *c, const char *what, const struct opening *o, const char *mark)
{
	char *rule CLEANUP(freep) = rule_of(o, mark);

	strv_addf(&c->words, "%s=%s", what, rule);
}

static int call_run(const struct call *c, struct report *log, struct err *err)
{
	return c->words.n > c->fixed ? tool((const char *const *)c->words.v, log, NULL, err) : 0;
}

static int put_in_zone(const struct view *v, const struct zone *z, const struct opening *o,
		       size_t n, struct report *log, struct err *err)
{
	struct call c CLEANUP(call_release) = call_begin("--zone", z->name, false);

	for (size_t i = 0; i < n; i++)
		if (!o[i].interface && concerns(v, z, &o[i]) && !is_open(z, &o[i]) &&
		    !has_rule(z, &o[i], MARK))
			call_add(&c, "--add-rich-rule", &o[i], MARK);
	return call_run(&c, log, err);
}

/* In front of all zones, where it runs. */
static int put_in_policy(const struct view *v, const struct opening *o, size_t n,
			 struct report *log, struct err *err)
{
	struct call c CLEANUP(call_release) = call_begin("--policy", FIREWALLD_POLICY, false);

	for (size_t i = 0; i < n; i++)
		if (!o[i].interface && !in_policy(v, &o[i]))
			call_add(&c, "--add-rich-rule", &o[i], "");
	return call_run(&c, log, err);
}

static int put_all(const struct view *v, const struct opening *o, size_t n, struct report *log,
		   struct err *err)
{
	if (v->policy)
		return put_in_policy(v, o, n, log, err);
	for (size_t i = 0; i < v->n; i++)
		if (put_in_zone(v, &v->zones[i], o, n, log, err))
			return -1;
	return 0;
}

/* Somebody made permanent all that runs (--runtime-to-permanent), ours with it. To take out what is
 * not there is nothing to firewall-cmd. */
static bool may_be_saved(const struct buf *text, const struct opening *o)
{
	char *source CLEANUP(freep) = xasprintf("<source address=\"%s\"/>", o->source);

	return strstr(text->data, PRIORITY) && strstr(text->data, source);
}

static int take_from_zone(const struct root *r, const struct zone *z, const struct opening *o,
			  size_t n, struct report *log, struct err *err)
{
	struct call now CLEANUP(call_release) = call_begin("--zone", z->name, false),
			saved CLEANUP(call_release) = call_begin("--zone", z->name, true);
	char *path CLEANUP(freep) = xasprintf(CONFIG "/zones/%s.xml", z->name);
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (root_read_optional(r, path, POLICY_MAX, &text, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (has_rule(z, &o[i], MARK))
			call_add(&now, "--remove-rich-rule", &o[i], MARK);
		if (may_be_saved(&text, &o[i]))
			call_add(&saved, "--remove-rich-rule", &o[i], MARK);
	}
	return call_run(&now, log, err) || call_run(&saved, log, err) ? -1 : 0;
}

static int take_from_policy(const struct view *v, const struct opening *o, size_t n,
			    struct report *log, struct err *err)
{
	struct call c CLEANUP(call_release) = call_begin("--policy", FIREWALLD_POLICY, false);

	for (size_t i = 0; i < n; i++)
		if (in_policy(v, &o[i]))
			call_add(&c, "--remove-rich-rule", &o[i], "");
	return call_run(&c, log, err);
}

static int take_all(const struct root *r, const struct view *v, const struct opening *o, size_t n,
		    struct report *log, struct err *err)
{
	for (size_t i = 0; i < v->n; i++)
		if (take_from_zone(r, &v->zones[i], o, n, log, err))
			return -1;
	return take_from_policy(v, o, n, log, err);
}

static int change(const struct root *r, const struct strv *openings, bool put, struct report *log,
		  struct err *err)
{
	struct view v CLEANUP(view_release) = VIEW_INIT;
	struct opening *o CLEANUP(freep) = xcalloc(openings->n + 1, sizeof(*o));

	for (size_t i = 0; i < openings->n; i++)
		if (opening_parse(openings->v[i], &o[i]))
			return err_set(err, ERR_FAILED, "'%s' is no opening", openings->v[i]);
	if (view_read(r, &v, err))
		return -1;
	if (!v.live)
		return 0;
	return put ? put_all(&v, o, openings->n, log, err) :
		     take_all(r, &v, o, openings->n, log, err);
}

static int firewalld_put(const struct root *r, const struct strv *openings, const char *scratch,
			 struct report *log, struct err *err)
{
	return change(r, openings, true, log, err);
}

static int firewalld_take(const struct root *r, const struct strv *openings, const char *scratch,
			  struct report *log, struct err *err)
{
	return change(r, openings, false, log, err);
}

/* What its file says is put where it is not; what is there already costs a look. */
static int firewalld_reload(const struct root *r, struct report *log, struct err *err)
{
	struct strv kept CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (root_read_optional(r, POLICY_FILE, POLICY_MAX, &text, err) < 0)
		return -1;
	firewalldpolicy_list(&text, &kept);
	return change(r, &kept, true, log, err);
}

const struct manager_ops manager_firewalld = {
	.name = "firewalld",
	.available = firewalld_available,
	.active = firewalld_active,
	.owns = firewalld_owns,
	.check = firewalld_check,
	.look = firewalld_look,
	.put = firewalld_put,
	.take = firewalld_take,
	.reload = firewalld_reload,
	.files = files,
	.text_add = firewalldpolicy_add,
	.whole = firewalldpolicy_whole,
	.text_take = firewalldpolicy_take,
	.text_put = firewalldpolicy_put,
	.text_same = firewalldpolicy_same,
};
