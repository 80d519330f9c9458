/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/depends.h"

struct relation {
	char *name;
	char *op, *version;	/* NULL: any */
};

static void relation_release(struct relation *r)
{
	free(r->name);
	free(r->op);
	free(r->version);
}

/* "libc6:any (>= 2.36) [amd64]": the qualifier says of which architecture, which is ours here. */
static struct relation relation_parse(const char *text)
{
	const char *open = strchr(text, '('), *close = open ? strchr(open, ')') : NULL;
	struct relation r = { .name = NULL };

	text += strspn(text, " \t\n");
	r.name = xstrndup(text, strcspn(text, " \t\n:(["));
	if (!close)
		return r;
	open += 1 + strspn(open + 1, " ");
	size_t op = strspn(open, "<=>");
	char *version CLEANUP(freep) = xstrndup(open + op, (size_t)(close - open) - op);
	r.op = xstrndup(open, op);
	r.version = xstrdup(str_trim(version));
	return r;
}

/* "<" and ">" alone are of old, and mean "or equal". */
static bool version_meets(const char *have, const struct relation *r)
{
	int c = version_compare(have, r->version);

	if (str_eq(r->op, "="))
		return !c;
	if (str_eq(r->op, "<<"))
		return c < 0;
	if (str_eq(r->op, ">>"))
		return c > 0;
	return str_starts(r->op, "<") ? c <= 0 : c >= 0;
}

static bool provides(const struct stanza *s, const struct relation *r)
{
	char *list CLEANUP(freep) = stanza_lines(s, "Provides");
	struct strv items CLEANUP(strv_release) = STRV_INIT;
	bool met = false;

	if (list)
		str_split(&items, list, ',');
	for (size_t i = 0; i < items.n && !met; i++) {
		struct relation p CLEANUP(relation_release) = relation_parse(items.v[i]);

		met = str_eq(p.name, r->name) &&
		      (!r->version || (p.version && version_meets(p.version, r)));
	}
	return met;
}

/* What waits for triggers is configured, too. */
static bool is_configured(const struct stanza *s)
{
	char *flag CLEANUP(freep) = NULL, *state CLEANUP(freep) = NULL;

	return stanza_status(s, NULL, &flag, &state) && str_eq(flag, "ok") &&
	       (str_eq(state, "installed") || str_eq(state, "triggers-pending"));
}

static bool stanza_meets(const struct stanza *s, const struct relation *r)
{
	char *name CLEANUP(freep) = NULL, *version CLEANUP(freep) = NULL;

	if (!is_configured(s))
		return false;
	name = stanza_field(s, "Package");
	version = stanza_field(s, "Version");
	if (str_eq(name, r->name) && version && (!r->version || version_meets(version, r)))
		return true;
	return provides(s, r);
}

static bool is_met(const struct buf *status, const char *alternative)
{
	struct relation r CLEANUP(relation_release) = relation_parse(alternative);
	const char *at = status->data, *end = status->data + status->len;
	struct stanza s;

	while (stanza_next(&at, end, &s))
		if (stanza_meets(&s, &r))
			return true;
	return false;
}

void depends_unmet(const struct buf *status, const char *relations, struct strv *ret)
{
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	str_split(&all, relations ? relations : "", ',');
	for (size_t i = 0; i < all.n; i++) {
		struct strv alternatives CLEANUP(strv_release) = STRV_INIT;
		char *relation = str_trim(all.v[i]);
		bool met = !*relation;

		str_split(&alternatives, relation, '|');
		for (size_t k = 0; k < alternatives.n && !met; k++)
			met = is_met(status, alternatives.v[k]);
		if (!met)
			strv_add(ret, relation);
	}
}
