/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/iptablesrules.h"

#include <stddef.h>

#define DECLARED ":" IPTABLES_CHAIN " "
#define JUMP_MATCH "-p tcp -m comment --comment \"" OPENING_COMMENT "\" -j " IPTABLES_CHAIN
#define JUMP "-A INPUT " JUMP_MATCH
#define FAMILY OPENING_COMMENT ", IPv"

enum { DEPTH_MAX = 16 };

/* ---- a line ---- */

/* "[12:345] -A INPUT ...": with counters, where somebody saves those. */
static const char *bare(const char *line)
{
	const char *end = *line == '[' ? strstr(line, "] ") : NULL;

	return end ? end + 2 : line;
}

/* Words, and what stands in double quotes as one. */
static void split(const char *s, struct strv *ret)
{
	while (*(s += strspn(s, " "))) {
		bool quoted = *s == '"';
		size_t len = strcspn(s + quoted, quoted ? "\"" : " ");

		strv_take(ret, xstrndup(s + quoted, len));
		s += quoted + len;
		s += quoted && *s;
	}
}

static const struct {
	const char *option;
	size_t field;
} fields[] = {
	{ "-A", offsetof(struct iptables_rule, chain) },
	{ "-j", offsetof(struct iptables_rule, target) },
	{ "-g", offsetof(struct iptables_rule, go) },
	{ "-s", offsetof(struct iptables_rule, source) },
	{ "-i", offsetof(struct iptables_rule, in) },
	{ "-p", offsetof(struct iptables_rule, protocol) },
	{ "--dport", offsetof(struct iptables_rule, ports) },
	{ "--dports", offsetof(struct iptables_rule, ports) },
	{ "--state", offsetof(struct iptables_rule, state) },
	{ "--ctstate", offsetof(struct iptables_rule, state) },
	{ "-m", offsetof(struct iptables_rule, ignored) },
	{ "--comment", offsetof(struct iptables_rule, ignored) },
	{ "--reject-with", offsetof(struct iptables_rule, ignored) },
};

static const char **field_of(struct iptables_rule *r, const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (str_eq(fields[i].option, option))
			return (const char **)((char *)r + fields[i].field);
	return NULL;
}

static bool in_list(const char *list, const char *word)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	str_split(&words, list, ',');
	return strv_has(&words, word);
}

/* The packet that begins a connection is what is asked about. */
static bool is_syn(const struct strv *words, size_t i)
{
	return i + 2 < words->n && str_eq(words->v[i], "--tcp-flags") &&
	       str_eq(words->v[i + 1], "FIN,SYN,RST,ACK") && str_eq(words->v[i + 2], "SYN");
}

static void rule_read(struct iptables_rule *r, const char *line)
{
	r->line = xstrdup(line);
	split(line, &r->words);
	for (size_t i = 0; i < r->words.n; i++) {
		const char **field = field_of(r, r->words.v[i]);

		if (field && i + 1 < r->words.n)
			*field = r->words.v[++i];
		else if (is_syn(&r->words, i))
			i += 2;
		else
			r->strange = true;
	}
	r->strange = r->strange || (r->state && !in_list(r->state, "NEW"));
}

static char *rule_of(const struct opening *o)
{
	const char *full = strchr(o->source, '/') ? "" : o->six ? "/128" : "/32";
	bool all = !o->interface && str_ends(o->source, "/0");
	char *from CLEANUP(freep) = all          ? xstrdup("") :
				    o->interface ? xasprintf("-i %s ", o->source) :
						   xasprintf("-s %s%s ", o->source, full);

	return xasprintf("-A " IPTABLES_CHAIN
			 " %s-p tcp -m tcp --dport %s -m comment --comment \"" FAMILY
			 "%c\" -j ACCEPT",
			 from, o->port, o->six ? '6' : '4');
}

/* The opening that it is for, if it is one of ours to the byte; allocated. */
static char *opening_of(const struct iptables_rule *r)
{
	const char *family = strstr(r->line, FAMILY);
	struct opening o;

	if (!str_eq(r->chain, IPTABLES_CHAIN) || !family || !r->ports)
		return NULL;
	bool six = family[strlen(FAMILY)] == '6';
	const char *source = r->in ? r->in : r->source ? r->source : six ? "::/0" : "0.0.0.0/0";
	size_t len = strlen(source) -
		     (str_ends(source, six ? "/128" : "/32") ? strlen(six ? "/128" : "/32") : 0);
	char *opening CLEANUP(freep) = xasprintf("%c %s%.*s %s", six ? '6' : '4',
						 r->in ? "interface:" : "", (int)len, source,
						 r->ports);
	char *line CLEANUP(freep) = opening_parse(opening, &o) ? NULL : rule_of(&o);

	return str_eq(line, r->line) ? STEAL(opening) : NULL;
}

/* ---- the lines of table filter ---- */

struct part {
	struct strv lines; /* of the whole text; joined by newlines they are it again */
	size_t from, to;   /* what lies between "*filter" and its "COMMIT" */
};

static void part_release(struct part *p) { strv_release(&p->lines); }

/* false: it has none. */
static bool part_read(struct part *p, const char *text)
{
	str_split(&p->lines, text, '\n');
	for (size_t i = 0; i < p->lines.n; i++) {
		if (str_eq(p->lines.v[i], "*filter"))
			p->from = i + 1;
		if (p->from && str_eq(p->lines.v[i], "COMMIT")) {
			p->to = i;
			return true;
		}
	}
	return false;
}

void iptables_filter_read(struct iptables_filter *f, const char *saved)
{
	struct part p CLEANUP(part_release) = { .from = 0 };

	*f = (struct iptables_filter){ .there = part_read(&p, saved) };
	if (!f->there)
		return;
	f->v = xcalloc(p.to - p.from + 1, sizeof(*f->v));
	for (size_t i = p.from; i < p.to; i++) {
		const char *line = bare(p.lines.v[i]);

		f->drops = f->drops || str_starts(line, ":INPUT DROP");
		f->chain = f->chain || str_starts(line, DECLARED);
		if (str_starts(line, "-A "))
			rule_read(&f->v[f->n++], line);
	}
}

void iptables_filter_release(struct iptables_filter *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].line);
		strv_release(&f->v[i].words);
	}
	free(f->v);
}

/* ---- what it does with a connection ---- */

static bool port_is(const char *ports, const struct opening *o)
{
	struct strv list CLEANUP(strv_release) = STRV_INIT;
	int64_t port, from, to;

	if (!o || str_to_i64(o->port, 1, 65535, &port))
		return false;
	str_split(&list, ports, ',');
	for (size_t i = 0; i < list.n; i++) {
		char *colon = strchr(list.v[i], ':');

		if (colon)
			*colon = '\0';
		if (!str_to_i64(list.v[i], 0, 65535, &from) &&
		    !str_to_i64(colon ? colon + 1 : list.v[i], 0, 65535, &to) && from <= port &&
		    port <= to)
			return true;
	}
	return false;
}

static bool is_for(const struct iptables_rule *r, const struct opening *o)
{
	return !r->strange &&
	       (!r->protocol || str_eq(r->protocol, "tcp") || str_eq(r->protocol, "all")) &&
	       (!r->ports || port_is(r->ports, o));
}

/* What comes from `inner` comes from `outer`. */
static bool is_within(const char *inner, const char *outer)
{
	struct network in, out;
	char why[NETWORK_WHY];

	return !network_parse(inner, &in, why) && !network_parse(outer, &out, why) &&
	       network_contains(&out, &in);
}

/* All of its packets. o NULL: all that nothing is known of. */
static bool covers(const struct iptables_rule *r, const struct opening *o)
{
	return is_for(r, o) &&
	       (!r->source || (o && !o->interface && is_within(o->source, r->source))) &&
	       (!r->in || (o && o->interface && str_eq(r->in, o->source)));
}

/* Some of its packets, by their source or port: our rule in front would overrule it. */
static bool concerns(const struct iptables_rule *r, const struct opening *o)
{
	return o && is_for(r, o) && (r->source || r->ports) &&
	       (!r->source || o->interface || is_within(o->source, r->source) ||
		is_within(r->source, o->source)) &&
	       (!r->in || !o->interface || str_eq(r->in, o->source));
}

static bool says_no(const struct iptables_rule *r)
{
	return str_eq(r->target, "DROP") || str_eq(r->target, "REJECT");
}

enum {
	GO_ON = -1,
	LEAVE = -2, /* the chain, as at its end */
};

struct question {
	const struct iptables_filter *filter;
	const struct opening *o;
	const char *ours; /* our rule for it, as a line */
};

static int ask_chain(const struct question *q, const char *chain, bool named, int depth);

/* A jump, or what neither decides nor has a chain, as LOG. */
static int follow(const struct question *q, const struct iptables_rule *r, bool named, int depth)
{
	int said = depth ? ask_chain(q, r->go ? r->go : r->target, named, depth - 1) : LEAVE;

	return said == LEAVE && !r->go ? GO_ON : said;
}

/* named: by the source, the port or the interface, not with all the rest. */
static int ask_rule(const struct question *q, const struct iptables_rule *r, bool named, int depth)
{
	if (str_eq(r->chain,
		   IPTABLES_CHAIN)) /* of our own the narrower counts: a wider one may go */
		return str_eq(r->line, q->ours) ? OPENING_OURS : GO_ON;
	if (!covers(r, q->o))
		return says_no(r) && concerns(r, q->o) ? OPENING_DENIED : GO_ON;
	named = named || r->source || r->ports || r->in;
	if (str_eq(r->target, "ACCEPT"))
		return named ? OPENING_THEIRS : OPENING_OPEN;
	if (says_no(r))
		return named ? OPENING_DENIED : OPENING_ABSENT;
	if (str_eq(r->target, "RETURN"))
		return LEAVE;
	return r->target || r->go ? follow(q, r, named, depth) : GO_ON;
}

static int ask_chain(const struct question *q, const char *chain, bool named, int depth)
{
	for (size_t i = 0; i < q->filter->n; i++) {
		int said = str_eq(q->filter->v[i].chain, chain) ?
				   ask_rule(q, &q->filter->v[i], named, depth) :
				   GO_ON;

		if (said != GO_ON)
			return said;
	}
	return LEAVE;
}

enum opening_state iptables_filter_judge(const struct iptables_filter *f, const struct opening *o)
{
	char *ours CLEANUP(freep) = o ? rule_of(o) : NULL;
	const struct question q = { f, o, ours };
	int said = ask_chain(&q, "INPUT", false, DEPTH_MAX);

	if (said == LEAVE)
		return f->drops ? OPENING_ABSENT : OPENING_OPEN;
	return (enum opening_state)said;
}

bool iptables_filter_drops(const struct iptables_filter *f)
{
	return iptables_filter_judge(f, NULL) == OPENING_ABSENT;
}

/* ---- ours ---- */

static size_t count(const struct iptables_filter *f, const char *line)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += str_eq(f->v[i].line, line);
	return n;
}

bool iptables_filter_has(const struct iptables_filter *f, const struct opening *o)
{
	char *rule CLEANUP(freep) = rule_of(o);

	return count(f, rule);
}

bool iptables_filter_jumps(const struct iptables_filter *f) { return count(f, JUMP); }

void iptables_filter_list(const struct iptables_filter *f, struct strv *ret)
{
	for (size_t i = 0; i < f->n; i++) {
		char *opening CLEANUP(freep) = opening_of(&f->v[i]);

		if (opening)
			strv_add(ret, opening);
	}
}

/* The chain is needed without those lines, by whomever. */
static bool is_needed(const struct iptables_filter *f, const struct strv *but)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct iptables_rule *r = &f->v[i];

		if (!strv_has(but, r->line) && !str_eq(r->line, JUMP) &&
		    (str_eq(r->chain, IPTABLES_CHAIN) || str_eq(r->target, IPTABLES_CHAIN) ||
		     str_eq(r->go, IPTABLES_CHAIN)))
			return true;
	}
	return false;
}

/* Around what was added, if anything was. */
static void batch(struct buf *ret, const struct buf *lines)
{
	if (lines->len)
		buf_addf(ret, "*filter\n%sCOMMIT\n", lines->data);
}

void iptables_filter_put(const struct iptables_filter *f, const struct strv *openings, bool six,
			 struct buf *ret)
{
	struct buf lines CLEANUP(buf_release) = BUF_INIT;
	struct opening o;
	bool any = false;

	if (!f->chain)
		buf_adds(&lines, DECLARED "- [0:0]\n");
	for (size_t i = 0; i < openings->n; i++) {
		if (opening_parse(openings->v[i], &o) || o.six != six ||
		    iptables_filter_judge(f, &o) != OPENING_ABSENT)
			continue;
		char *rule CLEANUP(freep) = rule_of(&o);

		any = true;
		if (!count(f, rule))
			buf_addf(&lines, "%s\n", rule);
	}
	if (!count(f, JUMP))
		buf_adds(&lines, "-I INPUT 1 " JUMP_MATCH "\n");
	if (any)
		batch(ret, &lines);
}

void iptables_filter_take(const struct iptables_filter *f, const struct strv *openings, bool six,
			  struct buf *ret)
{
	struct buf lines CLEANUP(buf_release) = BUF_INIT;
	struct strv rules CLEANUP(strv_release) = STRV_INIT;
	struct opening o;

	for (size_t i = 0; i < openings->n; i++)
		if (!opening_parse(openings->v[i], &o) && o.six == six)
			strv_take(&rules, rule_of(&o));
	for (size_t i = 0; i < rules.n; i++)
		for (size_t n = count(f, rules.v[i]); n; n--)
			buf_addf(&lines, "-D %s\n", rules.v[i] + strlen("-A "));
	if (f->chain && !is_needed(f, &rules)) {
		for (size_t n = count(f, JUMP); n; n--)
			buf_adds(&lines, "-D INPUT " JUMP_MATCH "\n");
		buf_adds(&lines, "-X " IPTABLES_CHAIN "\n");
	}
	batch(ret, &lines);
}

/* ---- a file ---- */

bool iptablesrules_whole(const struct buf *text)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	bool open = false;

	str_split(&lines, text->data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		if (*lines.v[i] == '*' && open)
			return false;
		open = *lines.v[i] == '*' || (open && !str_eq(lines.v[i], "COMMIT"));
	}
	return !open && strlen(text->data) == text->len;
}

static void write_lines(struct buf *text, const struct strv *lines)
{
	char *all CLEANUP(freep) = strv_join(lines, "\n");

	buf_clear(text);
	buf_adds(text, all);
}

/* Behind the last line of the part, in front of `end`, that starts so; or `otherwise`. */
static size_t behind(const struct part *p, size_t end, const char *start, size_t otherwise)
{
	for (size_t i = end; i > p->from; i--)
		if (str_starts(bare(p->lines.v[i - 1]), start))
			return i;
	return otherwise;
}

/* The first rule of anybody. */
static size_t first_rule(const struct part *p)
{
	size_t i = p->from;

	while (i < p->to && *bare(p->lines.v[i]) != '-')
		i++;
	return i;
}

static void insert(struct buf *text, const struct part *p, size_t at, const char *const *what)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < p->lines.n; i++) {
		if (i == at)
			strv_addv(&lines, what);
		strv_add(&lines, p->lines.v[i]);
	}
	write_lines(text, &lines);
}

static void add(struct buf *text, const struct opening *o)
{
	struct part p CLEANUP(part_release) = { .from = 0 };
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };
	char *rule CLEANUP(freep) = rule_of(o);
	const char *const all[] = { DECLARED "- [0:0]", JUMP, rule, NULL };

	iptables_filter_read(&f, text->data);
	if (!part_read(&p, text->data) || count(&f, rule))
		return;
	size_t declared = behind(&p, p.to, DECLARED, 0),
	       head = behind(&p, first_rule(&p), ":", p.from);

	if (declared)
		insert(text, &p, behind(&p, p.to, "-A " IPTABLES_CHAIN " ", declared), all + 2);
	else
		insert(text, &p, head, all);
}

void iptablesrules_add(struct buf *text, size_t file, const char *opening)
{
	struct opening o;

	if (!opening_parse(opening, &o) && o.six == (file % 2 == 1))
		add(text, &o);
}

void iptablesrules_take(struct buf *text, const char *opening)
{
	struct part p CLEANUP(part_release) = { .from = 0 };
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };
	struct strv left CLEANUP(strv_release) = STRV_INIT;
	struct opening o;

	if (opening_parse(opening, &o) || !part_read(&p, text->data))
		return;
	struct strv rule CLEANUP(strv_release) = STRV_INIT;

	strv_take(&rule, rule_of(&o));
	iptables_filter_read(&f, text->data);
	if (!count(&f, rule.v[0]))
		return;
	bool needed = is_needed(&f, &rule);

	for (size_t i = 0; i < p.lines.n; i++) {
		const char *line = bare(p.lines.v[i]);
		bool ours = str_eq(line, rule.v[0]) ||
			    (!needed && (str_eq(line, JUMP) || str_starts(line, DECLARED)));

		if (i < p.from || i >= p.to || !ours)
			strv_add(&left, p.lines.v[i]);
	}
	write_lines(text, &left);
}

static void list(const struct buf *text, struct strv *ret)
{
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };

	iptables_filter_read(&f, text->data);
	iptables_filter_list(&f, ret);
	strv_sort(ret);
}

void iptablesrules_put(struct buf *text, const struct buf *before, const char *opening)
{
	struct strv had CLEANUP(strv_release) = STRV_INIT;
	struct opening o;

	list(before, &had);
	if (strv_has(&had, opening) && !opening_parse(opening, &o))
		add(text, &o);
}

static void rest_of(const struct buf *text, const struct strv *ours, struct buf *ret)
{
	buf_add(ret, text->data, text->len);
	for (size_t i = 0; i < ours->n; i++)
		iptablesrules_take(ret, ours->v[i]);
}

/* Our rules have no order; of what others wrote each byte counts. */
bool iptablesrules_same(const struct buf *a, const struct buf *b)
{
	struct strv of_a CLEANUP(strv_release) = STRV_INIT, of_b CLEANUP(strv_release) = STRV_INIT;
	struct buf rest_a CLEANUP(buf_release) = BUF_INIT, rest_b CLEANUP(buf_release) = BUF_INIT;

	list(a, &of_a);
	list(b, &of_b);
	rest_of(a, &of_a, &rest_a);
	rest_of(b, &of_b, &rest_b);
	char *all_a CLEANUP(freep) = strv_join(&of_a, "\n"),
		    *all_b CLEANUP(freep) = strv_join(&of_b, "\n");

	return str_eq(all_a, all_b) && buf_equal(&rest_a, &rest_b);
}
