/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states that a crash may leave after the first `at` operations. Those of them behind which no
 * sync that covers them has come yet are pending; the others are there in every state. Of the
 * pending ones:
 *
 *	prefix		all: what kill -9 leaves
 *	nothing		none: a disk that writes what it must
 *	omitted		all but one, each in turn
 *	torn		of one write 1 byte, a third, two thirds, or up to a multiple of 4096; or
 *			its end without its beginning
 *	ordered		directories and inodes as a journalling file system keeps them: all up to
 *			one, none behind it; what is durable brings all before it. The data of
 *			pending writes is there, or lost, or zeros, or garbage; or only one file's
 *			is
 *	unordered	of each directory's entries all up to one, independent of the other
 *			directories; the data and inodes of the pending files are there, lost, or
 *			garbage: a name without its file's data, a file without its name
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

enum { PRODUCT_MAX = 600, BLOCK = 4096 };

struct gen {
	const struct oplog *log;
	void (*visit)(const struct state *, void *);
	void *arg;
	struct fs base;			/* the operations before base_n, all of them durable */
	size_t base_n;
	struct fs now;			/* the state being made */
	size_t at;
	size_t *how;
	size_t *pending, pending_n;	/* indices, ascending */
	uint64_t *seen;			/* a set: open addressing, 0 is free */
	size_t seen_n, seen_cap;
};

/* ---- each state once ---- */

static bool set_add(uint64_t *set, size_t cap, uint64_t h)
{
	size_t i = h % cap;

	while (set[i] && set[i] != h)
		i = (i + 1) % cap;
	bool fresh = !set[i];
	set[i] = h;
	return fresh;
}

static bool is_new(struct gen *g, uint64_t h)
{
	if (2 * g->seen_n >= g->seen_cap) {
		uint64_t *old = g->seen;
		size_t cap = g->seen_cap;
		g->seen_cap = cap ? cap * 2 : 4096;
		g->seen = must(calloc(g->seen_cap, sizeof(*g->seen)));
		for (size_t i = 0; i < cap; i++)
			if (old[i])
				set_add(g->seen, g->seen_cap, old[i]);
		free(old);
	}
	if (!set_add(g->seen, g->seen_cap, h))
		return false;
	g->seen_n++;
	return true;
}

/* The last state counts once more: there the run has said that it is done. */
static void emit(struct gen *g, const char *what)
{
	struct state s = { .log = g->log, .what = what, .at = g->at, .how = g->how, .fs = &g->now };

	fs_copy(&g->now, &g->base);
	for (size_t k = g->base_n; k < g->at; k++)
		op_play(&g->log->v[k], &g->now, g->how[k]);
	s.acknowledged = g->at == g->log->n;
	s.hash = fs_hash(&g->now);
	if (is_new(g, (s.hash ^ (s.acknowledged ? 0x5555 : 0)) | 1))
		g->visit(&s, g->arg);
}

/* ---- what is pending ---- */

static const struct op *op_at(const struct gen *g, size_t i)
{
	return &g->log->v[g->pending[i]];
}

static void set_all(struct gen *g, size_t how)
{
	for (size_t i = 0; i < g->pending_n; i++)
		g->how[g->pending[i]] = how;
}

static void find_pending(struct gen *g)
{
	g->pending_n = 0;
	for (size_t k = g->base_n; k < g->at; k++) {
		const struct op *op = &g->log->v[k];
		if (op->kind != OP_SYNC && (op->durable == SIZE_MAX || op->durable >= g->at))
			g->pending[g->pending_n++] = k;
	}
	size_t first = g->pending_n ? g->pending[0] : g->at;
	for (; g->base_n < first; g->base_n++)
		op_play(&g->log->v[g->base_n], &g->base, MADE);
}

static bool is_data(const struct op *op)
{
	return op->kind == OP_WRITE || op->kind == OP_TRUNCATE || op->kind == OP_GROW;
}

/* ZEROS and GARBAGE are ways of writes alone; what only makes a file longer or shorter is made. */
static size_t way_of(const struct op *op, size_t way)
{
	return op->kind == OP_WRITE || way <= MADE ? way : MADE;
}

/* ---- kinds of states ---- */

static void omit_each(struct gen *g)
{
	for (size_t i = 0; i < g->pending_n; i++) {
		g->how[g->pending[i]] = LOST;
		emit(g, "omitted");
		g->how[g->pending[i]] = MADE;
	}
}

static void tear_at(struct gen *g, size_t i, const size_t *cuts, size_t n)
{
	for (size_t c = 0; c < n; c++) {
		g->how[g->pending[i]] = cuts[c];
		emit(g, "torn");
	}
	g->how[g->pending[i]] = MADE;
}

/* The write that is being made in all ways; those before it, which later operations overtook, in
 * one. */
static void tear_each(struct gen *g)
{
	for (size_t i = 0; i < g->pending_n; i++) {
		size_t len = op_at(g, i)->len;
		size_t cuts[] = { TORN + 2 * len / 3, TORN + 1, TORN + len / 3, TAIL };
		bool newest = g->pending[i] + 1 == g->at;
		if (op_at(g, i)->kind != OP_WRITE || len < 2)
			continue;
		tear_at(g, i, cuts, newest ? COUNT(cuts) : 1);
		for (size_t cut = TORN + BLOCK; newest && cut < TORN + len; cut += BLOCK)
			tear_at(g, i, &cut, 1);
	}
}

static void set_data(struct gen *g, int inode, size_t way)
{
	for (size_t i = 0; i < g->pending_n; i++)
		if (is_data(op_at(g, i)) && (inode < 0 || op_at(g, i)->inode == inode))
			g->how[g->pending[i]] = way_of(op_at(g, i), way);
}

/* The first that is behind the last durable one: what is before it was brought along. */
static size_t first_loose(const struct gen *g)
{
	size_t last = 0, i = 0;

	for (size_t k = g->base_n; k < g->at; k++) {
		const struct op *op = &g->log->v[k];
		if (op->kind != OP_SYNC && !is_data(op) && op->durable != SIZE_MAX &&
		    op->durable < g->at)
			last = k;
	}
	while (i < g->pending_n && g->pending[i] < last)
		i++;
	return i;
}

static void each_file(struct gen *g)
{
	static const size_t ways[] = { LOST, ZEROS, GARBAGE };
	int before = -1;

	for (size_t i = 0; i < g->pending_n; i++) {
		if (!is_data(op_at(g, i)) || op_at(g, i)->inode == before)
			continue;
		before = op_at(g, i)->inode;
		for (size_t w = 0; w < COUNT(ways); w++) {
			set_data(g, before, ways[w]);
			emit(g, "ordered");
		}
		set_data(g, before, MADE);
	}
}

static void order_each(struct gen *g)
{
	static const size_t ways[] = { MADE, LOST, ZEROS, GARBAGE };

	each_file(g);
	for (size_t cut = first_loose(g); cut <= g->pending_n; cut++) {
		if (cut < g->pending_n && is_data(op_at(g, cut)))
			continue;
		for (size_t i = 0; i < g->pending_n; i++)
			g->how[g->pending[i]] = i < cut || is_data(op_at(g, i)) ? MADE : LOST;
		for (size_t w = 0; w < COUNT(ways); w++) {
			set_data(g, -1, ways[w]);
			emit(g, "ordered");
		}
	}
	set_all(g, MADE);
}

/* ---- unordered: a counter with a digit for each directory ---- */

struct digit {
	int dir;
	size_t n;			/* its pending operations */
	size_t kept;			/* so many of them are there */
};

static int dir_of(const struct op *op)
{
	return op->change[0].dir;
}

static size_t find_digits(const struct gen *g, struct digit *v)
{
	size_t n = 0, d;

	for (size_t i = 0; i < g->pending_n; i++) {
		if (op_at(g, i)->kind != OP_ENTRY)
			continue;
		for (d = 0; d < n && v[d].dir != dir_of(op_at(g, i)); d++)
			;
		if (d == n)
			v[n++] = (struct digit){ .dir = dir_of(op_at(g, i)) };
		v[d].n++;
	}
	return n;
}

static bool count_on(struct digit *v, size_t n)
{
	for (size_t d = 0; d < n; d++) {
		if (v[d].kept < v[d].n) {
			v[d].kept++;
			return true;
		}
		v[d].kept = 0;
	}
	return false;
}

static void set_entries(struct gen *g, const struct digit *v, size_t n)
{
	for (size_t d = 0; d < n; d++) {
		size_t k = 0;
		for (size_t i = 0; i < g->pending_n; i++)
			if (op_at(g, i)->kind == OP_ENTRY && dir_of(op_at(g, i)) == v[d].dir)
				g->how[g->pending[i]] = k++ < v[d].kept ? MADE : LOST;
	}
}

static void unorder_each(struct gen *g)
{
	static const size_t ways[] = { MADE, LOST, GARBAGE };
	struct digit *v = must(calloc(g->pending_n + 1, sizeof(*v)));
	size_t n = find_digits(g, v), product = 1, left = 0;

	for (size_t d = 0; d < n; d++)
		product *= v[d].n + 1;
	for (size_t step = 1 + product / PRODUCT_MAX, at = 0;; at++) {
		for (size_t w = 0; at % step == 0 && w < COUNT(ways); w++) {
			set_entries(g, v, n);
			for (size_t i = 0; i < g->pending_n; i++)
				if (op_at(g, i)->kind != OP_ENTRY)
					g->how[g->pending[i]] = is_data(op_at(g, i)) ?
									way_of(op_at(g, i),
									       ways[w]) :
								ways[w] == LOST ? LOST :
										  MADE;
			emit(g, "unordered");
		}
		left += at % step != 0;
		if (!count_on(v, n))
			break;
	}
	free(v);
	set_all(g, MADE);
}

void states_each(const struct oplog *log, const struct fs *start,
		 void (*visit)(const struct state *, void *), void *arg)
{
	struct gen g = { .log = log, .visit = visit, .arg = arg };

	g.how = must(calloc(log->n + 1, sizeof(*g.how)));
	g.pending = must(calloc(log->n + 1, sizeof(*g.pending)));
	for (size_t i = 0; i < log->n; i++)
		g.how[i] = MADE;
	fs_copy(&g.base, start);
	for (g.at = 0; g.at <= log->n; g.at++) {
		find_pending(&g);
		emit(&g, "prefix");
		set_all(&g, LOST);
		emit(&g, "nothing");
		set_all(&g, MADE);
		omit_each(&g);
		tear_each(&g);
		order_each(&g);
		unorder_each(&g);
	}
	fs_release(&g.base);
	fs_release(&g.now);
	free(g.how);
	free(g.pending);
	free(g.seen);
}
