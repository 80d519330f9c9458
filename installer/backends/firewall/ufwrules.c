/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/ufwrules.h"

#define TUPLE "### tuple ### "
#define RULES "### RULES ###\n"
#define LOGGING "### LOGGING ###\n"
#define LOGGING_END "### END LOGGING ###\n"

/* ---- rules ---- */

struct rule {
	size_t at, len;		/* in the text, with the empty line behind it */
	/* of its tuple: ACTION PROTOCOL PORT TO PORT FROM [APP APP] DIRECTION [comment=] */
	struct strv words;
};

static size_t line_len(const char *s)
{
	size_t n = strcspn(s, "\n");

	return s[n] ? n + 1 : n;
}

static void rule_release(struct rule *r) { strv_release(&r->words); }

/* The first rule at `from` or behind it. false: there is none. r->words is filled anew. */
static bool rule_next(const struct buf *text, size_t from, struct rule *r)
{
	const char *s = text->data + from;

	strv_release(&r->words);
	while (*s && !str_starts(s, TUPLE))
		s += line_len(s);
	if (!*s)
		return false;
	char *line CLEANUP(freep) = xstrndup(s + strlen(TUPLE), strcspn(s, "\n") - strlen(TUPLE));

	str_words(&r->words, line);
	r->at = (size_t)(s - text->data);
	while (*s && *s != '\n')
		s += line_len(s);
	r->len = (size_t)(s - text->data) + (*s == '\n') - r->at;
	return true;
}

static const char *word(const struct rule *r, size_t i)
{
	return i < r->words.n ? r->words.v[i] : "";
}

/* Everything but action and comment: what it matches, with the words of ufw. */
static bool is_rule_of(const struct rule *r, const struct opening *o)
{
	const char *any = o->six ? "::/0" : "0.0.0.0/0";
	char *in CLEANUP(freep) = o->interface ? xasprintf("in_%s", o->source) : xstrdup("in");

	return r->words.n <= 8 && str_eq(word(r, 1), "tcp") && str_eq(word(r, 2), o->port) &&
	       str_eq(word(r, 3), any) && str_eq(word(r, 4), "any") &&
	       str_eq(word(r, 5), o->interface ? any : o->source) && str_eq(word(r, 6), in);
}

static bool is_no(const struct rule *r)
{
	return !str_starts(word(r, 0), "allow");
}

/* A rule that says no to everybody on this port: what stands behind it is never asked. */
static bool shuts(const struct rule *r, const struct opening *o)
{
	const char *any = o->six ? "::/0" : "0.0.0.0/0";

	return (str_starts(word(r, 0), "deny") || str_starts(word(r, 0), "reject")) &&
	       (str_eq(word(r, 1), "tcp") || str_eq(word(r, 1), "any")) &&
	       (str_eq(word(r, 2), o->port) || str_eq(word(r, 2), "any")) &&
	       str_eq(word(r, 3), any) && str_eq(word(r, 5), any) && str_eq(word(r, 6), "in");
}

static bool is_ours(const struct rule *r)
{
	static const char digits[] = "0123456789abcdef";
	struct buf hex CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&hex, "comment=");
	for (const char *s = OPENING_COMMENT; *s; s++) {
		buf_addc(&hex, digits[(unsigned char)*s >> 4]);
		buf_addc(&hex, digits[*s & 15]);
	}
	return str_eq(word(r, 0), "allow") && str_eq(word(r, 7), hex.data);
}

enum opening_state ufwrules_find(const struct buf *text, const struct opening *o)
{
	struct rule r CLEANUP(rule_release) = { 0 };
	bool shut = false;

	for (size_t at = 0; rule_next(text, at, &r); at = r.at + r.len) {
		if (is_rule_of(&r, o) && is_ours(&r))
			return shut ? OPENING_OVERRULED : OPENING_OURS;
		if (is_rule_of(&r, o))
			return shut || is_no(&r) ? OPENING_DENIED : OPENING_THEIRS;
		shut = shut || shuts(&r, o);
	}
	return shut ? OPENING_DENIED : OPENING_ABSENT;
}

/* ---- the text changed ---- */

static bool find_ours(const struct buf *text, const char *opening, struct rule *r)
{
	struct opening o;

	if (opening_parse(opening, &o))
		return false;
	for (size_t at = 0; rule_next(text, at, r); at = r->at + r->len)
		if (is_rule_of(r, &o))
			return is_ours(r);
	return false;
}

void ufwrules_take(struct buf *text, const char *opening)
{
	struct rule r CLEANUP(rule_release) = { 0 };

	if (find_ours(text, opening, &r))
		buf_splice(text, r.at, r.len, NULL, 0);
}

/* Behind the last of the rules in front of `end` in `before` that the text has too; or first. */
static bool find_place(const struct buf *text, const struct buf *before, size_t end, size_t *ret)
{
	const char *rules = strstr(text->data, RULES "\n");
	struct rule r CLEANUP(rule_release) = { 0 };

	if (!rules)
		return false;
	*ret = (size_t)(rules - text->data) + strlen(RULES "\n");
	for (size_t at = 0; rule_next(before, at, &r) && r.at < end; at = r.at + r.len) {
		char *block CLEANUP(freep) = xstrndup(before->data + r.at, r.len);
		const char *found = strstr(text->data, block);

		if (found)
			*ret = (size_t)(found - text->data) + r.len;
	}
	return true;
}

void ufwrules_put(struct buf *text, const struct buf *before, const char *opening)
{
	struct rule was CLEANUP(rule_release) = { 0 };
	struct opening o;
	size_t place;

	if (opening_parse(opening, &o) || ufwrules_find(text, &o) != OPENING_ABSENT ||
	    !find_ours(before, opening, &was) || !find_place(text, before, was.at, &place))
		return;
	buf_splice(text, place, 0, before->data + was.at, was.len);
}

/* ---- compared ---- */

bool ufwrules_whole(const struct buf *text)
{
	return str_starts(text->data, "*filter\n") && str_ends(text->data, "\nCOMMIT\n") &&
	       strlen(text->data) == text->len;
}

static void add_rules(const struct buf *text, struct buf *ret)
{
	struct rule r CLEANUP(rule_release) = { 0 };

	for (size_t at = 0; rule_next(text, at, &r); at = r.at + r.len)
		buf_add(ret, text->data + r.at, r.len);
}

/* A text without that part, as packaged, leaves logging to ufw. */
static bool same_logging(const struct buf *a, const struct buf *b)
{
	const char *la = strstr(a->data, LOGGING), *lb = strstr(b->data, LOGGING);
	const char *ea = la ? strstr(la, LOGGING_END) : NULL;
	const char *eb = lb ? strstr(lb, LOGGING_END) : NULL;

	if (!ea || !eb)
		return !la || !lb;
	return ea - la == eb - lb && !memcmp(la, lb, (size_t)(ea - la));
}

bool ufwrules_same(const struct buf *a, const struct buf *b)
{
	struct buf of_a CLEANUP(buf_release) = BUF_INIT, of_b CLEANUP(buf_release) = BUF_INIT;

	add_rules(a, &of_a);
	add_rules(b, &of_b);
	return buf_equal(&of_a, &of_b) && same_logging(a, b);
}
