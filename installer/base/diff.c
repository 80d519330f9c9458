/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diff.h"

#include "base/utf8.h"

#include <string.h>

#define CONTEXT 3
#define MAX_COST 1000		/* edits; the trace of all rounds then takes 4 MiB */

struct line {
	const char *s;
	size_t len;		/* with its newline, if it has one */
};

struct side {
	struct line *line;
	bool *changed;		/* not in the other text */
	size_t n;
};

static void side_release(struct side *s)
{
	free(s->line);
	free(s->changed);
}

static void side_read(struct side *ret, const char *text, size_t len)
{
	const char *end = text + len;
	size_t cap = 0;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *next = nl ? nl + 1 : end;

		if (ret->n == cap) {
			cap = cap ? cap * 2 : 64;
			ret->line = xreallocarray(ret->line, cap, sizeof(*ret->line));
		}
		ret->line[ret->n++] = (struct line){ text, (size_t)(next - text) };
		text = next;
	}
	ret->changed = xcalloc(ret->n, sizeof(*ret->changed));
}

static bool line_equal(const struct line *a, const struct line *b)
{
	return a->len == b->len && !memcmp(a->s, b->s, a->len);
}

/* The part of both sides between their common start and their common end. */
struct middle {
	struct side *a, *b;
	size_t start;
	int n, m;
};

static bool same(const struct middle *w, int x, int y)
{
	return line_equal(&w->a->line[w->start + (size_t)x], &w->b->line[w->start + (size_t)y]);
}

/* Furthest x on diagonal k after d edits, from the row v of d - 1 edits (indexed -d to d). */
static int step_x(const int *v, int d, int k)
{
	return k == -d || (k != d && v[k - 1] < v[k + 1]) ? v[k + 1] : v[k - 1] + 1;
}

/* rows[d] is the row after d edits, its index 0 at rows[d][d + 1]. */
static int *row_mid(int *const *rows, int d)
{
	return rows[d] + d + 1;
}

static bool row_fill(const struct middle *w, int **rows, int d)
{
	int first[3] = { 0, 0, 0 };
	const int *v = d ? row_mid(rows, d - 1) : first + 1;
	int *row;

	rows[d] = xcalloc((size_t)(2 * d + 3), sizeof(**rows));
	row = row_mid(rows, d);
	row[-d - 1] = row[d + 1] = -1;
	for (int k = -d; k <= d; k += 2) {
		int x = d ? step_x(v, d, k) : 0;

		while (x < w->n && x - k < w->m && x - k >= 0 && same(w, x, x - k))
			x++;
		row[k] = x;
		if (k == w->n - w->m && x >= w->n)
			return true;
	}
	return false;
}

static void mark_path(const struct middle *w, int **rows, int d)
{
	int x = w->n, y = w->m;

	for (; d > 0; d--) {
		const int *v = row_mid(rows, d - 1);
		int k = x - y;
		bool down = k == -d || (k != d && v[k - 1] < v[k + 1]);

		k += down ? 1 : -1;
		x = v[k];
		y = x - k;
		if (down)
			w->b->changed[w->start + (size_t)y] = true;
		else
			w->a->changed[w->start + (size_t)x] = true;
	}
}

/* Myers, "An O(ND) difference algorithm and its variations", 1986, greedy form. */
static void mark_changes(const struct middle *w)
{
	int **rows = xcalloc(MAX_COST + 1, sizeof(*rows));
	bool done = false;
	int d = 0;

	while (!(done = row_fill(w, rows, d)) && d < MAX_COST)
		d++;
	if (done) {
		mark_path(w, rows, d);
	} else {
		memset(w->a->changed + w->start, true, (size_t)w->n);
		memset(w->b->changed + w->start, true, (size_t)w->m);
	}
	for (int i = 0; i <= d; i++)
		free(rows[i]);
	free(rows);
}

static struct middle middle_find(struct side *a, struct side *b)
{
	size_t start = 0, end = 0;

	while (start < a->n && start < b->n && line_equal(&a->line[start], &b->line[start]))
		start++;
	while (start + end < a->n && start + end < b->n &&
	       line_equal(&a->line[a->n - 1 - end], &b->line[b->n - 1 - end]))
		end++;
	return (struct middle){ a, b, start, (int)(a->n - start - end), (int)(b->n - start - end) };
}

static void add_line(struct buf *out, char sign, const struct line *l)
{
	const char *s = l->s;
	size_t left = l->len;
	bool nl = left && s[left - 1] == '\n';

	left -= nl;
	buf_addc(out, sign);
	while (left) {
		uint32_t c;
		size_t n = utf8_decode(s, left, &c);
		bool plain = n && (c == '\t' || utf8_printable(c));

		if (plain)
			buf_add(out, s, n);
		else
			buf_addf(out, "\\x%02x", (unsigned char)*s);
		n = plain ? n : 1;
		s += n;
		left -= n;
	}
	buf_adds(out, nl ? "\n" : "\n\\ No newline at end of file\n");
}

static void add_range(struct buf *out, char sign, size_t from, size_t to)
{
	size_t n = to - from;

	buf_addf(out, " %c%zu", sign, n ? from + 1 : from);
	if (n != 1)
		buf_addf(out, ",%zu", n);
}

/* A place in both texts at once: lines before it that did not change are in step. */
struct place {
	size_t a, b;
};

static void skip_changes(const struct side *a, const struct side *b, struct place *p)
{
	while (p->a < a->n && a->changed[p->a])
		p->a++;
	while (p->b < b->n && b->changed[p->b])
		p->b++;
}

/* Unchanged lines from p on. */
static size_t run_length(const struct side *a, const struct side *b, struct place p)
{
	size_t n = 0;

	while (p.a + n < a->n && p.b + n < b->n && !a->changed[p.a + n] && !b->changed[p.b + n])
		n++;
	return n;
}

static bool at_end(const struct side *a, const struct side *b, struct place p)
{
	return p.a == a->n && p.b == b->n;
}

/* The end of the hunk that starts with the change at p. Nearer than two contexts is one hunk. */
static struct place hunk_end(const struct side *a, const struct side *b, struct place p)
{
	for (;;) {
		size_t run;
		struct place next;

		skip_changes(a, b, &p);
		run = run_length(a, b, p);
		next = (struct place){ p.a + run, p.b + run };
		if (at_end(a, b, next) || run > 2 * CONTEXT) {
			run = run < CONTEXT ? run : CONTEXT;
			return (struct place){ p.a + run, p.b + run };
		}
		p = next;
	}
}

static void add_hunk(struct buf *out, const struct side *a, const struct side *b, struct place p,
		     struct place end)
{
	buf_adds(out, "@@");
	add_range(out, '-', p.a, end.a);
	add_range(out, '+', p.b, end.b);
	buf_adds(out, " @@\n");
	while (p.a < end.a || p.b < end.b) {
		while (p.a < end.a && a->changed[p.a])
			add_line(out, '-', &a->line[p.a++]);
		while (p.b < end.b && b->changed[p.b])
			add_line(out, '+', &b->line[p.b++]);
		if (p.a < end.a && p.b < end.b) {
			add_line(out, ' ', &a->line[p.a++]);
			p.b++;
		}
	}
}

static void add_hunks(struct buf *out, const struct side *a, const struct side *b)
{
	struct place p = { 0, 0 };

	for (;;) {
		size_t run = run_length(a, b, p), back;
		struct place from, end;

		p = (struct place){ p.a + run, p.b + run };
		if (at_end(a, b, p))
			return;
		back = run < CONTEXT ? run : CONTEXT;
		from = (struct place){ p.a - back, p.b - back };
		end = hunk_end(a, b, p);
		add_hunk(out, a, b, from, end);
		p = end;
	}
}

void diff_unified(const char *name_a, const char *a, size_t alen, const char *name_b,
		  const char *b, size_t blen, struct buf *ret)
{
	struct side left CLEANUP(side_release) = { 0 }, right CLEANUP(side_release) = { 0 };
	struct middle w;

	if (alen == blen && (!alen || !memcmp(a, b, alen)))
		return;
	side_read(&left, a, alen);
	side_read(&right, b, blen);
	w = middle_find(&left, &right);
	mark_changes(&w);
	buf_addf(ret, "--- %s\n+++ %s\n", name_a, name_b);
	add_hunks(ret, &left, &right);
}
