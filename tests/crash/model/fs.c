/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static char **names;
static size_t names_n, names_cap;

static size_t names_place(const char *name)
{
	uint64_t h = 1469598103934665603u;

	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	for (size_t i = h % names_cap;; i = (i + 1) % names_cap)
		if (!names[i] || !strcmp(names[i], name))
			return i;
}

static void names_grow(void)
{
	char **old = names;
	size_t old_cap = names_cap;

	names_cap = old_cap ? old_cap * 4 : 1024;
	names = must(calloc(names_cap, sizeof(*names)));
	for (size_t i = 0; i < old_cap; i++)
		if (old[i])
			names[names_place(old[i])] = old[i];
	free(old);
}

const char *intern(const char *name)
{
	if (2 * names_n >= names_cap)
		names_grow();
	size_t at = names_place(name);
	if (!names[at]) {
		names[at] = must(strdup(name));
		names_n++;
	}
	return names[at];
}

/* ---- bytes and directories: shared until they are changed ---- */

static struct bytes *bytes_new(const char *data, size_t len)
{
	struct bytes *b = must(calloc(1, sizeof(*b)));

	*b = (struct bytes){ .refs = 1, .len = len, .data = must(malloc(len + 1)) };
	memcpy(b->data, data ? data : "", data ? len : 0);
	return b;
}

static void bytes_drop(struct bytes *b)
{
	if (!b || --b->refs)
		return;
	bytes_drop(b->prev);
	free(b->data);
	free(b);
}

/* One of its own, of that length; what is new in it is zero. */
static struct bytes *bytes_own(struct bytes *b, size_t len)
{
	size_t old = b ? b->len : 0;
	struct bytes *mine = bytes_new(NULL, len);

	if (b)
		memcpy(mine->data, bytes_data(b), old < len ? old : len);
	if (len > old)
		memset(mine->data + old, 0, len - old);
	bytes_drop(b);
	return mine;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
	h ^= x + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
	h *= 0xff51afd7ed558ccdu;
	return h ^ (h >> 32);
}

__extension__ typedef unsigned __int128 product;

/* Both halves of one product for two words, as wyhash has it: most of the time goes here. */
static uint64_t data_hash(const char *data, size_t len)
{
	uint64_t h = 0x5bd1e995u, words[2];
	size_t i;

	for (i = 0; i + sizeof(words) <= len; i += sizeof(words)) {
		memcpy(words, data + i, sizeof(words));
		product p = (product)(words[0] ^ 0xa0761d6478bd642fu) * (words[1] ^ h);
		h = (uint64_t)p ^ (uint64_t)(p >> 64);
	}
	for (; i < len; i++)
		h = mix(h, (unsigned char)data[i] + 1);
	return mix(h, len) | 2;
}

static void dir_drop(struct dir *d)
{
	if (!d || --d->refs)
		return;
	free(d->v);
	free(d);
}

static struct dir *dir_own(struct dir *d)
{
	struct dir *mine;

	if (d && d->refs == 1)
		return d;
	mine = must(calloc(1, sizeof(*mine)));
	mine->refs = 1;
	mine->cap = (d ? d->n : 0) + 8;
	mine->v = must(calloc(mine->cap, sizeof(*mine->v)));
	if (d) {
		mine->n = d->n;
		memcpy(mine->v, d->v, d->n * sizeof(*d->v));
	}
	dir_drop(d);
	return mine;
}

/* Where name is, or would be. */
static size_t dir_place(const struct dir *d, const char *name, bool *ret_there)
{
	size_t lo = 0, hi = d ? d->n : 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(d->v[mid].name, name);
		if (!c) {
			*ret_there = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_there = false;
	return lo;
}

/* ---- the file system ---- */

int fs_add(struct fs *f, const struct inode *born)
{
	f->v = must(realloc(f->v, (f->n + 1) * sizeof(*f->v)));
	f->v[f->n] = *born;
	return (int)f->n++;
}

void fs_release(struct fs *f)
{
	for (size_t i = 0; i < f->n; i++) {
		bytes_drop(f->v[i].data);
		dir_drop(f->v[i].dir);
	}
	free(f->v);
	*f = (struct fs){ 0 };
}

void fs_copy(struct fs *to, const struct fs *from)
{
	fs_release(to);
	to->v = must(malloc((from->n + 1) * sizeof(*to->v)));
	to->n = from->n;
	for (size_t i = 0; i < from->n; i++) {
		to->v[i] = from->v[i];
		if (to->v[i].data)
			to->v[i].data->refs++;
		if (to->v[i].dir)
			to->v[i].dir->refs++;
	}
}

int fs_find(const struct fs *f, int dir, const char *name)
{
	bool there;
	size_t at = dir_place(f->v[dir].dir, name, &there);

	return there ? f->v[dir].dir->v[at].inode : NO_INODE;
}

int fs_walk(const struct fs *f, const char *path)
{
	char *copy = must(strdup(path)), *rest = copy, *name;
	int at = 0;

	while (at >= 0 && (name = strsep(&rest, "/")))
		if (*name)
			at = fs_find(f, at, name);
	free(copy);
	return at;
}

void fs_enter(struct fs *f, int dir, const char *name, int inode)
{
	struct dir *d = f->v[dir].dir = dir_own(f->v[dir].dir);
	bool there;
	size_t at = dir_place(d, name, &there);

	if (inode == NO_INODE) {
		if (!there)
			return;
		d->n--;
		memmove(d->v + at, d->v + at + 1, (d->n - at) * sizeof(*d->v));
		return;
	}
	if (!there) {
		if (d->n == d->cap)
			d->v = must(realloc(d->v, (d->cap *= 2) * sizeof(*d->v)));
		memmove(d->v + at + 1, d->v + at, (d->n - at) * sizeof(*d->v));
		d->n++;
	}
	d->v[at] = (struct entry){ (char *)intern(name), inode };
}

void fs_write(struct fs *f, int inode, const char *data, size_t len, off_t at)
{
	struct inode *n = &f->v[inode];
	size_t old = n->data ? n->data->len : 0, end = (size_t)at + len;

	if (!len)
		return;
	n->data = bytes_own(n->data, end > old ? end : old);
	memcpy(n->data->data + at, data, len);
}

/* ---- writes that are played: what they make of a file is known by its history ---- */

/*
 * Each state is played anew, most files in it as in the state before. So a write only notes what it
 * is (struct bytes, prev), and the hash of what a history comes to is kept: the bytes themselves
 * are made once for that, and for the states that are tried.
 */
struct known {
	uint64_t history;		/* 0: free */
	uint64_t hash;
};

static struct known *known;
static size_t known_n, known_cap;

static struct known *known_at(struct known *v, size_t cap, uint64_t history)
{
	size_t i = history % cap;

	while (v[i].history && v[i].history != history)
		i = (i + 1) % cap;
	return &v[i];
}

static struct known *known_for(uint64_t history)
{
	struct known *old = known;
	size_t cap = known_cap;

	if (2 * known_n >= cap) {
		known_cap = cap ? cap * 2 : 1024;
		known = must(calloc(known_cap, sizeof(*known)));
		for (size_t i = 0; i < cap; i++)
			if (old[i].history)
				*known_at(known, known_cap, old[i].history) = old[i];
		free(old);
	}
	return known_at(known, known_cap, history);
}

static void apply_patch(const struct bytes *b, char *data)
{
	if (b->patch)
		memcpy(data + b->patch_at, b->patch, b->patch_len);
	else
		memset(data + b->patch_at, b->fill, b->patch_len);
}

const char *bytes_data(struct bytes *b)
{
	struct bytes *chain[4096], *at = b;
	size_t n = 0;

	for (; !at->data && n < COUNT(chain); at = at->prev)
		chain[n++] = at;
	if (n == COUNT(chain))
		die("follow a history of", "a file");
	if (!n)
		return b->data;
	b->data = must(calloc(1, b->len + 1));
	memcpy(b->data, at->data, at->len);
	while (n-- > 0)
		apply_patch(chain[n], b->data);
	return b->data;
}

static uint64_t bytes_hash(struct bytes *b)
{
	struct known *k;

	if (!b || !b->len)
		return 1;
	if (b->hash || !b->prev)
		return b->hash ? b->hash : (b->hash = data_hash(b->data, b->len));
	k = known_for(b->history);
	if (!k->history) {
		*k = (struct known){ b->history, data_hash(bytes_data(b), b->len) };
		known_n++;
		free(b->data);
		b->data = NULL;
	}
	return b->hash = k->hash;
}

void fs_patch(struct fs *f, int inode, const struct bytes *patch, uint64_t way)
{
	struct bytes *was = f->v[inode].data, *b = must(malloc(sizeof(*b)));
	size_t end = (size_t)patch->patch_at + patch->patch_len;

	if (!was)
		was = bytes_new(NULL, 0);
	*b = *patch;
	b->refs = 1;
	b->prev = was;
	b->len = end > was->len ? end : was->len;
	b->history = mix(was->prev ? was->history : bytes_hash(was), way) | 1;
	f->v[inode].data = b;
}

void fs_truncate(struct fs *f, int inode, off_t len)
{
	if (len) {
		f->v[inode].data = bytes_own(f->v[inode].data, (size_t)len);
		return;
	}
	bytes_drop(f->v[inode].data);
	f->v[inode].data = NULL;
}

/* The list up to the name is made anew; lists are never freed, there are few. */
static const struct attr *attr_with(const struct attr *list, const char *name, struct bytes *value)
{
	int c = list ? strcmp(list->name, name) : 1;
	struct attr *a;

	if (c >= 0) {
		const struct attr *rest = c ? list : list->next;
		if (!value)
			return rest;
		a = must(calloc(1, sizeof(*a)));
		*a = (struct attr){ (char *)intern(name), value, (struct attr *)rest };
		return a;
	}
	a = must(calloc(1, sizeof(*a)));
	*a = *list;
	a->next = (struct attr *)attr_with(list->next, name, value);
	return a;
}

void fs_set_attr(struct fs *f, int inode, const char *name, const char *value, size_t len)
{
	f->v[inode].attrs = attr_with(f->v[inode].attrs, name,
				      value ? bytes_new(value, len) : NULL);
}

static uint64_t inode_hash(const struct inode *n, bool times)
{
	uint64_t h = mix(mix(n->mode, n->uid), n->gid);

	h = mix(mix(h, n->rdev), bytes_hash(n->data));
	for (const struct attr *a = n->attrs; a; a = a->next)
		h = mix(mix(h, (uintptr_t)a->name), bytes_hash(a->value));
	if (times && S_ISREG(n->mode))
		h = mix(mix(h, (uint64_t)n->mtime.tv_sec), (uint64_t)n->mtime.tv_nsec);
	return h;
}

/* first[i]: in which order inode i was met, so that two names of one file are told from two
 * files. */
static uint64_t hash_below(const struct fs *f, int at, bool times, int *first, int *met)
{
	const struct inode *n = &f->v[at];
	uint64_t h;

	if (first[at])
		return mix(0x7777, (uint64_t)first[at]);
	first[at] = ++*met;
	h = inode_hash(n, times);
	for (size_t i = 0; n->dir && i < n->dir->n; i++) {
		const struct entry *e = &n->dir->v[i];
		h = mix(h, (uintptr_t)e->name);
		h = mix(h, hash_below(f, e->inode, times && strcmp(e->name, "sysboxup") != 0, first,
				      met));
	}
	return h;
}

uint64_t fs_hash(const struct fs *f)
{
	int *first = must(calloc(f->n + 1, sizeof(*first))), met = 0;
	uint64_t h = hash_below(f, 0, true, first, &met);

	free(first);
	return h;
}
