/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/firewalldpolicy.h"

#define HEAD \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" \
	"<policy priority=\"-100\" target=\"CONTINUE\">\n" \
	"  <short>" OPENING_COMMENT "</short>\n"
#define TAIL \
	"  <ingress-zone name=\"ANY\"/>\n" \
	"  <egress-zone name=\"HOST\"/>\n" \
	"</policy>\n"
#define RULE "  <rule "
#define RULE_END "  </rule>\n"

/* The block of lines. NULL: it has none. */
static char *block_of(const char *opening)
{
	struct opening o;

	if (opening_parse(opening, &o) || o.interface)
		return NULL;
	return xasprintf(RULE "family=\"ipv%c\">\n"
			      "    <source address=\"%s\"/>\n"
			      "    <port port=\"%s\" protocol=\"tcp\"/>\n"
			      "    <accept/>\n" RULE_END,
			 o.six ? '6' : '4', o.source, o.port);
}

/* What stands between KEY=" and the next quote, in front of `end`; allocated. NULL: nothing. */
static char *value_of(const char *s, const char *key, const char *end)
{
	char *start CLEANUP(freep) = xasprintf("%s=\"", key);
	const char *at = strstr(s, start);

	at = at ? at + strlen(start) : end;
	return at < end ? xstrndup(at, strcspn(at, "\"")) : NULL;
}

/* The opening of the block at s, if it is one of ours to the byte; allocated. */
static char *opening_at(const char *s, const char *end)
{
	char *family CLEANUP(freep) = value_of(s, "family", end),
		    *source CLEANUP(freep) = value_of(s, "source address", end),
		    *port CLEANUP(freep) = value_of(s, "port port", end);

	if (!family || !source || !port)
		return NULL;
	char *opening CLEANUP(freep) =
		xasprintf("%c %s %s", str_eq(family, "ipv6") ? '6' : '4', source, port);
	char *block CLEANUP(freep) = block_of(opening);

	return block && str_starts(s, block) ? STEAL(opening) : NULL;
}

void firewalldpolicy_list(const struct buf *text, struct strv *ret)
{
	const char *end;

	for (const char *s = text->data; (s = strstr(s, RULE)); s = end) {
		end = strstr(s, RULE_END);
		if (!end)
			return;
		char *opening CLEANUP(freep) = opening_at(s, end);

		if (opening)
			strv_add(ret, opening);
	}
}

bool firewalldpolicy_whole(const struct buf *text)
{
	return !text->len ||
	       (str_starts(text->data, "<?xml ") && str_ends(text->data, "</policy>\n") &&
		strlen(text->data) == text->len);
}

static size_t place(const struct buf *text)
{
	const char *at = strstr(text->data, TAIL);

	return (size_t)((at ? at : strstr(text->data, "</policy>\n")) - text->data);
}

void firewalldpolicy_add(struct buf *text, size_t file, const char *opening)
{
	char *block CLEANUP(freep) = block_of(opening);

	if (!block || !firewalldpolicy_whole(text) || strstr(text->data, block))
		return;
	if (!text->len)
		buf_adds(text, HEAD TAIL);
	buf_splice(text, place(text), 0, block, strlen(block));
}

void firewalldpolicy_take(struct buf *text, const char *opening)
{
	char *block CLEANUP(freep) = block_of(opening);
	const char *at = block ? strstr(text->data, block) : NULL;

	if (at)
		buf_splice(text, (size_t)(at - text->data), strlen(block), NULL, 0);
	if (str_eq(text->data, HEAD TAIL))
		buf_clear(text);
}

void firewalldpolicy_put(struct buf *text, const struct buf *before, const char *opening)
{
	struct strv had CLEANUP(strv_release) = STRV_INIT;

	firewalldpolicy_list(before, &had);
	if (strv_has(&had, opening))
		firewalldpolicy_add(text, 0, opening);
}

/* Without the rules that are ours. */
static void rest_of(const struct buf *text, const struct strv *ours, struct buf *ret)
{
	buf_add(ret, text->data, text->len);
	for (size_t i = 0; i < ours->n; i++) {
		char *block CLEANUP(freep) = block_of(ours->v[i]);
		const char *at = strstr(ret->data, block);

		buf_splice(ret, (size_t)(at - ret->data), strlen(block), NULL, 0);
	}
}

/* Rules that accept have no order. */
bool firewalldpolicy_same(const struct buf *a, const struct buf *b)
{
	struct strv of_a CLEANUP(strv_release) = STRV_INIT, of_b CLEANUP(strv_release) = STRV_INIT;
	struct buf rest_a CLEANUP(buf_release) = BUF_INIT, rest_b CLEANUP(buf_release) = BUF_INIT;

	firewalldpolicy_list(a, &of_a);
	firewalldpolicy_list(b, &of_b);
	rest_of(a, &of_a, &rest_a);
	rest_of(b, &of_b, &rest_b);
	strv_sort(&of_a);
	strv_sort(&of_b);
	char *all_a CLEANUP(freep) = strv_join(&of_a, "\n"),
		    *all_b CLEANUP(freep) = strv_join(&of_b, "\n");

	return str_eq(all_a, all_b) && buf_equal(&rest_a, &rest_b);
}
