/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/table.h"

#define CHAINS "# the chains\n"

static const char *const own_chains[] = { "api", "input", NULL };
static const struct {
	const char *name, *type, *flags;
} sets[] = {
	{ "allow4", "ipv4_addr", "\t\tflags interval\n" },
	{ "allow6", "ipv6_addr", "\t\tflags interval\n" },
	{ "allowif", "ifname", "" },
	/* hash sets: an interval set would refuse an address inside of a timed network */
	{ "timed4", "ipv4_addr", "\t\tflags timeout\n" },
	{ "timed6", "ipv6_addr", "\t\tflags timeout\n" },
};

static void begin_elements(const char *set, struct buf *ret)
{
	buf_addf(ret, "flush set " TABLE " %s\n", set);
}

static void render_networks(const struct network_list *l, bool six, struct buf *ret)
{
	const char *set = six ? "allow6" : "allow4", *before = NULL;
	char text[NETWORK_TEXT];

	begin_elements(set, ret);
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].six != six)
			continue;
		if (!before)
			buf_addf(ret, "add element " TABLE " %s {", set);
		network_format(&l->v[i], text);
		buf_addf(ret, "%s\n\t%s", before ? "," : "", text);
		before = text;
	}
	buf_adds(ret, before ? "\n}\n" : "");
}

static void render_interfaces(const struct strv *names, struct buf *ret)
{
	begin_elements("allowif", ret);
	for (size_t i = 0; i < names->n; i++)
		buf_addf(ret, "add element " TABLE " allowif { \"%s\" }\n", names->v[i]);
}

static void render_sets(const struct table *t, struct buf *ret)
{
	buf_adds(ret, "table " TABLE " {\n\tcounter refused {\n\t}\n");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		buf_addf(ret, "\tset %s {\n\t\ttype %s\n%s\t}\n", sets[i].name, sets[i].type,
			 sets[i].flags);
	buf_adds(ret, "}\n");
	render_networks(t->networks, false, ret);
	render_networks(t->networks, true, ret);
	render_interfaces(t->interfaces, ret);
}

static void render_chains(const struct table *t, struct buf *ret)
{
	buf_adds(ret, CHAINS
		 "table " TABLE " {\n\tchain api {\n\t}\n\tchain input {\n"
		 "\t\ttype filter hook input priority filter - 5; policy accept;\n\t}\n}\n"
		 "flush chain " TABLE " input\nflush chain " TABLE " api\n"
		 "table " TABLE " {\n\tchain api {\n"
		 "\t\tiif \"lo\" accept\n"
		 "\t\tip saddr @allow4 accept\n"
		 "\t\tip6 saddr @allow6 accept\n"
		 "\t\tiifname @allowif accept\n"
		 "\t\tip saddr @timed4 accept\n"
		 "\t\tip6 saddr @timed6 accept\n"
		 "\t\tlimit rate 5/minute burst 5 packets log prefix \"sysboxup refused: \"\n"
		 "\t\tcounter name \"refused\" drop\n"
		 "\t}\n\tchain input {\n");
	for (size_t i = 0; i < t->ports->n; i++)
		buf_addf(ret, "\t\ttcp dport %s goto api\n", t->ports->v[i]);
	buf_adds(ret, "\t}\n}\n");
}

void table_render(const struct table *t, struct buf *ret)
{
	buf_adds(ret, "# Written by sysboxup apply: who may reach the port of the Docker API. See sysboxup.json(5).\n");
	render_sets(t, ret);
	render_chains(t, ret);
}

size_t table_split(const char *text)
{
	const char *chains = strstr(text, "\n" CHAINS);

	return chains ? (size_t)(chains + 1 - text) : strlen(text);
}

/* ---- what nft lists ---- */

/* The only member of an entry of the listing: its kind. */
static const struct json *body_of(const struct json *entry, const char **ret_kind)
{
	const struct json *body = json_first(entry);

	*ret_kind = json_key(body);
	return body;
}

static const char *name_of(const struct json *body)
{
	const char *name = json_get_str(body, "name");

	return name ? name : "";
}

static bool is_own(const char *kind, const char *name)
{
	for (size_t i = 0; str_eq(kind, "chain") && own_chains[i]; i++)
		if (str_eq(name, own_chains[i]))
			return true;
	for (size_t i = 0; str_eq(kind, "set") && i < ARRAY_SIZE(sets); i++)
		if (str_eq(name, sets[i].name))
			return true;
	return str_eq(kind, "counter") && str_eq(name, "refused");
}

/* One that nft would not read back is left, and makes the load fail with its name. */
static bool is_plain(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

static bool is_strange(const char *kind, const struct json *body)
{
	return !str_eq(kind, "table") && !str_eq(kind, "rule") && !str_eq(kind, "metainfo") &&
	       is_plain(name_of(body)) && !is_own(kind, name_of(body));
}

/* Rules first, then chains, then what rules referred to. */
void table_strip(const struct json *listing, struct buf *ret)
{
	struct buf flush CLEANUP(buf_release) = BUF_INIT, chains CLEANUP(buf_release) = BUF_INIT,
			 rest CLEANUP(buf_release) = BUF_INIT;
	const char *kind;

	for json_each(entry, json_get(listing, "nftables")) {
		const struct json *body = body_of(entry, &kind);
		bool chain = str_eq(kind, "chain");

		if (chain && is_plain(name_of(body)))
			buf_addf(&flush, "flush chain " TABLE " %s\n", name_of(body));
		if (is_strange(kind, body))
			buf_addf(chain ? &chains : &rest, "delete %s " TABLE " %s\n", kind,
				 name_of(body));
	}
	if (!chains.len && !rest.len)
		return;
	buf_adds(ret, flush.data);
	buf_adds(ret, chains.data);
	buf_adds(ret, rest.data);
}

static bool is_timed(const struct json *set)
{
	for json_each(flag, json_get(set, "flags"))
		if (str_eq(json_string(flag), "timeout"))
			return true;
	return false;
}

/* "10.1.0.0/24" of { "prefix": ... }, and what else there may be as it is. */
static void element_words(const struct json *element, struct buf *ret)
{
	const struct json *prefix = json_get(element, "prefix");

	if (json_string(element))
		buf_adds(ret, json_string(element));
	else if (prefix)
		buf_addf(ret, "%s/%lld", json_get_str(prefix, "addr"),
			 (long long)json_get_i64(prefix, "len", 0));
	else
		json_print(element, ret);
}

static void add_elements(const struct json *set, struct strv *ret)
{
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	size_t begin;

	buf_addf(&line, "set %s: ", name_of(set));
	begin = line.len;
	for json_each(e, json_get(set, "elem")) {
		element_words(e, &line);
		strv_add(ret, line.data);
		buf_splice(&line, begin, line.len - begin, NULL, 0);
	}
}

/* What is always another one, and for a set what is said apart. */
static bool is_moving(const char *key)
{
	static const char *const moving[] = { "handle", "packets", "bytes", "elem", "index" };

	for (size_t i = 0; i < ARRAY_SIZE(moving); i++)
		if (str_eq(key, moving[i]))
			return true;
	return false;
}

static void add_bare(const char *kind, const struct json *body, unsigned int number,
		     struct strv *ret)
{
	struct json *bare CLEANUP(json_freep) = json_obj();
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	for json_each(member, body)
		if (!is_moving(json_key(member)))
			json_set(bare, json_key(member), json_dup(member));
	json_print(bare, &text);
	if (str_eq(kind, "rule"))
		strv_addf(ret, "chain %s: rule %u %s", json_get_str(body, "chain"), number,
			  text.data);
	else
		strv_addf(ret, "%s %s: as %s", kind, name_of(body), text.data);
}

/* One line for each thing that counts, in no order but that of the rules, which are numbered. */
static void normalise(const struct json *listing, struct strv *ret)
{
	unsigned int rule = 0;
	const char *kind;

	for json_each(entry, json_get(listing, "nftables")) {
		const struct json *body = body_of(entry, &kind);

		if (str_eq(kind, "metainfo"))
			continue;
		if (str_eq(kind, "chain"))
			rule = 0;
		if (str_eq(kind, "set") && !is_timed(body))
			add_elements(body, ret);
		add_bare(kind, body, ++rule, ret);
	}
	strv_sort(ret);
}

/* "chain api: rule 3 {...}" is said as "chain api: rule 3", and "table sysboxup: as" without as. */
static void say(const char *line, const char *what, struct buf *ret)
{
	const char *colon = strstr(line, ": ");
	bool element = str_starts(line, "set ") && !str_starts(colon, ": as {");

	if (element)
		buf_addf(ret, "%s is %s", line, what);
	else
		buf_addf(ret, "%.*s is not as it was loaded", (int)(colon - line), line);
}

/* ---- without the elements ---- */

#define ADD "add element " TABLE " "

/* One block of table_render, from ADD to its brace: "SET {\n\t10.1.0.0/24,\n\t10.2.0.5\n}". */
static void block_lines(const char *block, size_t len, struct strv *ret)
{
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	const char *at = block + strcspn(block, " "), *end = block + len;
	size_t begin;

	buf_addf(&line, "set %.*s: ", (int)(at - block), block);
	begin = line.len;
	while ((at += strspn(at, "{ \n\t,\"")) < end && *at != '}') {
		size_t n = strcspn(at, " \n,\"");

		buf_add(&line, at, n);
		strv_add(ret, line.data);
		buf_splice(&line, begin, line.len - begin, NULL, 0);
		at += n;
	}
}

/* ret_lines: may be NULL. */
static void part(const char *text, struct buf *ret_rest, struct strv *ret_lines)
{
	const char *add;

	while ((add = strstr(text, ADD))) {
		const char *block = add + strlen(ADD);
		size_t len = strcspn(block, "}");

		/* those of who is let in for a while count for nothing, and belong together */
		bool timed = str_starts(block, "timed");

		len += block[len] != '\0';	/* a file that somebody cut short has none */
		buf_add(ret_rest, text, (size_t)((timed ? block + len : add) - text));
		if (!timed && ret_lines)
			block_lines(block, len, ret_lines);
		text = block + len;
	}
	buf_adds(ret_rest, text);
}

static void add_ports(const char *text, struct strv *ret)
{
	static const char rule[] = "\ttcp dport ";

	while ((text = strstr(text, rule))) {
		text += strlen(rule);
		strv_take(ret, xstrndup(text, strspn(text, "0123456789")));
	}
}

bool table_allowed(const char *text, struct network_list *ret_networks, struct strv *ret_ports)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct buf rest CLEANUP(buf_release) = BUF_INIT;
	char why[NETWORK_WHY];
	struct network n;

	part(text, &rest, &lines);
	for (size_t i = 0; i < lines.n; i++) {
		if (str_starts(lines.v[i], "set allowif"))
			return false;
		if (!network_parse(strstr(lines.v[i], ": ") + 2, &n, why))
			network_list_add(ret_networks, &n);
	}
	add_ports(text, ret_ports);
	network_list_sort(ret_networks);
	network_list_merge(ret_networks);
	return true;
}

void table_bare(const char *text, struct buf *ret)
{
	part(text, ret, NULL);
}

bool table_same_bare(const struct json *now, const struct json *wanted, const char *text)
{
	struct strv is CLEANUP(strv_release) = STRV_INIT, ought CLEANUP(strv_release) = STRV_INIT;
	struct buf rest CLEANUP(buf_release) = BUF_INIT;
	size_t i = 0;

	normalise(now, &is);
	part(text, &rest, &ought);
	normalise(wanted, &ought);
	while (i < is.n && i < ought.n && !strcmp(is.v[i], ought.v[i]))
		i++;
	return i == is.n && i == ought.n;
}

bool table_same(const struct json *now, const struct json *wanted, struct buf *ret_words)
{
	struct strv is CLEANUP(strv_release) = STRV_INIT, ought CLEANUP(strv_release) = STRV_INIT;
	size_t i = 0;

	normalise(now, &is);
	normalise(wanted, &ought);
	while (i < is.n && i < ought.n && !strcmp(is.v[i], ought.v[i]))
		i++;
	if (i == is.n && i == ought.n)
		return true;
	if (i == is.n || (i < ought.n && strcmp(ought.v[i], is.v[i]) < 0))
		say(ought.v[i], "missing", ret_words);
	else
		say(is.v[i], "not ours", ret_words);
	return false;
}
