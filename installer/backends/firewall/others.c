/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/others.h"

#include "backends/firewall/manager.h"
#include "sys/proc.h"

/* ---- who is at work ---- */

static bool legacy_has_filter(const struct root *r, bool six)
{
	struct buf names CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	return !root_read_optional(r,
				   six ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names",
				   4096, &names, &ignored) &&
	       strstr(names.data, "filter");
}

int managers_find(const struct root *r)
{
	return (manager_named("firewalld")->active(r) ? MANAGER_FIREWALLD : 0) |
	       (manager_named("ufw")->active(r) ? MANAGER_UFW : 0) |
	       (legacy_has_filter(r, false) || legacy_has_filter(r, true) ? MANAGER_LEGACY : 0);
}

char *managers_words(int managers)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	if (managers & MANAGER_FIREWALLD)
		strv_add(&words, "firewalld");
	if (managers & MANAGER_UFW)
		strv_add(&words, "ufw");
	if (managers & MANAGER_LEGACY)
		strv_add(&words, "iptables-legacy");
	return strv_join(&words, ", ");
}

/* ---- who drops ---- */

static bool has(const struct json *rule, const char *verdict)
{
	for json_each(e, json_get(rule, "expr"))
		if (json_get(e, verdict))
			return true;
	return false;
}

/* Nothing is asked of the packet but how many there were. */
static bool takes_all(const struct json *rule)
{
	for json_each(e, json_get(rule, "expr"))
		if (json_get(e, "match") || json_get(e, "xt") || json_get(e, "limit"))
			return false;
	return true;
}

/* A value, { "set": [...] } or { "range": [from, to] }; the name of a set may hold anything. */
static bool may_be(const struct json *value, int64_t port)
{
	const struct json *range = json_get(value, "range"), *set = json_get(value, "set");

	if (json_type(value) == JSON_NUMBER)
		return (int64_t)json_number(value) == port;
	if (range)
		return json_number(json_first(range)) <= (double)port &&
		       json_number(json_next(json_first(range))) >= (double)port;
	for json_each(member, set)
		if (may_be(member, port))
			return true;
	return json_string(value) && *json_string(value) == '@';
}

static bool accepts(const struct json *rule, int64_t port)
{
	if (!has(rule, "accept"))
		return false;
	for json_each(e, json_get(rule, "expr")) {
		const struct json *match = json_get(e, "match"), *payload;

		payload = json_get(json_get(match, "left"), "payload");
		if (str_eq(json_get_str(payload, "field"), "dport") &&
		    !str_eq(json_get_str(payload, "protocol"), "udp") &&
		    may_be(json_get(match, "right"), port))
			return true;
	}
	return false;
}

static bool same_table(const struct json *body, const struct json *chain)
{
	return str_eq(json_get_str(body, "family"), json_get_str(chain, "family")) &&
	       str_eq(json_get_str(body, "table"), json_get_str(chain, "table"));
}

static bool table_accepts(const struct json *ruleset, const struct json *chain, int64_t port)
{
	for json_each(entry, json_get(ruleset, "nftables")) {
		const struct json *rule = json_get(entry, "rule");

		if (rule && same_table(rule, chain) && accepts(rule, port))
			return true;
	}
	return false;
}

static const struct json *last_rule(const struct json *ruleset, const struct json *chain)
{
	const struct json *last = NULL;

	for json_each(entry, json_get(ruleset, "nftables")) {
		const struct json *rule = json_get(entry, "rule");

		if (rule && same_table(rule, chain) &&
		    str_eq(json_get_str(rule, "chain"), json_get_str(chain, "name")))
			last = rule;
	}
	return last;
}

static bool drops_by_default(const struct json *ruleset, const struct json *chain)
{
	const struct json *last = last_rule(ruleset, chain);

	return str_eq(json_get_str(chain, "policy"), "drop") ||
	       (last && takes_all(last) && (has(last, "drop") || has(last, "reject")));
}

static bool concerns(const struct json *chain, bool six)
{
	const char *family = json_get_str(chain, "family");

	return str_eq(json_get_str(chain, "hook"), "input") &&
	       (str_eq(family, "inet") || str_eq(family, six ? "ip6" : "ip")) &&
	       !str_eq(json_get_str(chain, "table"), "sysboxup");
}

static char *place_of(const struct json *chain)
{
	return xasprintf("%s %s %s", json_get_str(chain, "family"), json_get_str(chain, "table"),
			 json_get_str(chain, "name"));
}

bool others_block(const struct json *ruleset, const char *port, bool six,
		  bool (*skip)(const char *where), char **ret_where)
{
	int64_t number;

	if (str_to_i64(port, 1, 65535, &number))
		return false;
	for json_each(entry, json_get(ruleset, "nftables")) {
		const struct json *chain = json_get(entry, "chain");

		if (!chain || !concerns(chain, six) || !drops_by_default(ruleset, chain) ||
		    table_accepts(ruleset, chain, number))
			continue;
		char *where CLEANUP(freep) = place_of(chain);

		if (skip && skip(where))
			continue;
		*ret_where = STEAL(where);
		return true;
	}
	return false;
}

/* ---- iptables-legacy ---- */

bool legacy_blocks(const char *saved, const char *port)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	char *dport CLEANUP(freep) = xasprintf("--dport %s ", port);
	bool drops = false;

	str_split(&lines, saved, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		if (strstr(lines.v[i], dport) && str_ends(lines.v[i], "-j ACCEPT"))
			return false;
		drops = drops || str_starts(lines.v[i], ":INPUT DROP") ||
			str_starts(lines.v[i], "-A INPUT -j DROP") ||
			str_starts(lines.v[i], "-A INPUT -j REJECT");
	}
	return drops;
}

int legacy_save(const struct root *r, bool six, struct buf *ret, struct err *err)
{
	const char *const argv[] = { six ? "ip6tables-legacy-save" : "iptables-legacy-save", "-t",
				     "filter", NULL };
	struct proc p = PROC_INIT;

	if (!legacy_has_filter(r, six) || !proc_available(argv[0]))
		return 0;
	p.argv = argv;
	p.ret_out = ret;
	return proc_run(&p, NULL, err);
}

/* ---- what opens it ---- */

char *others_remedy(int managers, const char *where, const struct network *n, const char *port)
{
	char source[NETWORK_TEXT];

	network_format(n, source);
	if ((managers & MANAGER_FIREWALLD) && (!*where || strstr(where, "firewalld")))
		return xasprintf(
			"firewall-cmd --permanent --add-rich-rule='rule family=\"%s\" "
			"source address=\"%s\" port port=\"%s\" protocol=\"tcp\" accept', "
			"and the same without --permanent",
			n->six ? "ipv6" : "ipv4", source, port);
	if (managers & MANAGER_UFW)
		return xasprintf("ufw allow proto tcp from %s to any port %s", source, port);
	if (strstr(where, "legacy"))
		return xasprintf("%.*s -I INPUT -s %s -p tcp --dport %s -j ACCEPT",
				 (int)strcspn(where, " "), where, source, port);
	if (!*where || str_starts(where, "ip filter INPUT") ||
	    str_starts(where, "ip6 filter INPUT"))
		return xasprintf("%s -I INPUT -s %s -p tcp --dport %s -j ACCEPT",
				 n->six ? "ip6tables" : "iptables", source, port);
	return xasprintf("nft insert rule %s %s saddr %s tcp dport %s accept", where,
			 n->six ? "ip6" : "ip", source, port);
}
