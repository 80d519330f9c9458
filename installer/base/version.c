/* SPDX-License-Identifier: Apache-2.0 */
/* Version comparison; declared in base/str.h. The order of Debian policy 5.6.12, as in dpkg. */
#include "base/str.h"

/* A piece of a version: [s, end). */
struct part {
	const char *s, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* '~' before the end of a part, that before letters, those before everything else. */
static int char_order(const struct part *p)
{
	unsigned char c;

	if (p->s == p->end || is_digit(*p->s))
		return 0;
	c = (unsigned char)*p->s;
	if (c == '~')
		return -1;
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ? c : c + 256;
}

static int compare_text(struct part *a, struct part *b)
{
	for (;;) {
		int x = char_order(a), y = char_order(b);

		if (x != y)
			return x - y;
		if (!x)
			return 0;
		a->s++;
		b->s++;
	}
}

static struct part digits_take(struct part *p)
{
	struct part digits;

	while (p->s < p->end && *p->s == '0')
		p->s++;
	digits.s = p->s;
	while (p->s < p->end && is_digit(*p->s))
		p->s++;
	digits.end = p->s;
	return digits;
}

/* Numbers of any length: without leading zeros the longer one is greater. */
static int compare_digits(struct part *a, struct part *b)
{
	struct part x = digits_take(a), y = digits_take(b);
	ptrdiff_t n = x.end - x.s, m = y.end - y.s;

	if (n != m)
		return n < m ? -1 : 1;
	return n ? memcmp(x.s, y.s, (size_t)n) : 0;
}

static int compare_part(struct part a, struct part b)
{
	while (a.s < a.end || b.s < b.end) {
		int c = compare_text(&a, &b);

		if (!c)
			c = compare_digits(&a, &b);
		if (c)
			return c;
	}
	return 0;
}

struct version {
	struct part epoch, upstream, revision;
};

static struct version version_parse(const char *s)
{
	const char *end = s + strlen(s), *colon = strchr(s, ':');
	const char *start = colon ? colon + 1 : s;
	const char *dash = memrchr(start, '-', (size_t)(end - start));

	return (struct version){
		.epoch = { s, colon ? colon : s },
		.upstream = { start, dash ? dash : end },
		.revision = { dash ? dash + 1 : end, end },
	};
}

int version_compare(const char *a, const char *b)
{
	struct version x = version_parse(a), y = version_parse(b);
	int c = compare_part(x.epoch, y.epoch);

	if (!c)
		c = compare_part(x.upstream, y.upstream);
	return c ? c : compare_part(x.revision, y.revision);
}

static struct part number_take(struct part *p)
{
	struct part number = { p->s, p->s };

	while (number.end < p->end && is_digit(*number.end))
		number.end++;
	p->s = number.end;
	if (p->s + 1 < p->end && p->s[0] == '.' && is_digit(p->s[1]))
		p->s++;
	else
		p->s = p->end;
	return number;
}

int version_compare_numeric(const char *a, const char *b)
{
	struct part x = { a, a + strlen(a) }, y = { b, b + strlen(b) };

	while (x.s < x.end || y.s < y.end) {
		struct part n = number_take(&x), m = number_take(&y);
		int c = compare_digits(&n, &m);

		if (c)
			return c;
	}
	return 0;
}
