/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a recording, and plays its operations. While it reads it plays them all into a copy: that
 * tells which file a rename meant. */
#include "model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "sysboxup-oplog 1\n"
enum { FIELDS = 17 };

struct reader {
	struct oplog *log;
	struct fs *born;		/* the caller's */
	struct fs now;			/* everything so far */
	struct places places;
};

/* One line of the recording. */
struct line {
	char *field[FIELDS];
	char *data;
	size_t len;
};

enum {
	F_N,
	F_CALL,
	F_FD,
	F_ENTRY,
	F_TO_FD,
	F_TO,
	F_NODE,
	F_FLAGS,
	F_MODE,
	F_UID,
	F_GID,
	F_AT,
	F_MTIME,
	F_ATTR,
	F_PATH,
	F_LEN
};

/* ---- words ---- */

static _Noreturn void bad_line(const struct line *l, const char *why)
{
	fprintf(stderr, "crashmodel: the recording has a bad line, call %s: %s\n", l->field[F_N], why);
	exit(2);
}

/* NULL for '-'; in place. */
static char *unquote(char *s)
{
	char *to = s, hex[3] = "";

	if (!strcmp(s, "-"))
		return NULL;
	for (char *p = s; *p; p++) {
		if (*p == '%' && p[1] && p[2]) {
			memcpy(hex, p + 1, 2);
			*to++ = (char)strtoul(hex, NULL, 16);
			p += 2;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return s;
}

static int place_of(const struct places *p, const char *word)
{
	char *colon;
	dev_t dev = strtoull(word, &colon, 10);
	ino_t ino = strtoull(colon + 1, NULL, 10);

	for (size_t i = p->n; i-- > 0;)		/* the newest: numbers are used again */
		if (p->v[i].dev == dev && p->v[i].ino == ino)
			return p->v[i].inode;
	return NO_INODE;
}

static void place_add(struct places *p, const char *word, int inode)
{
	char *colon;
	dev_t dev = strtoull(word, &colon, 10);

	p->v = must(realloc(p->v, (p->n + 1) * sizeof(*p->v)));
	p->v[p->n++] = (struct place){ dev, strtoull(colon + 1, NULL, 10), inode };
}

/* ---- what a call means ---- */

/* A file, directory or link that the call made: it is there from the beginning, without a name. */
static int born(struct reader *r, const struct line *l, mode_t type, mode_t mode)
{
	struct inode n = { .mode = type | mode };
	int inode;

	sscanf(l->field[F_MTIME], "%ld.%ld", &n.mtime.tv_sec, &n.mtime.tv_nsec);
	inode = fs_add(r->born, &n);
	if (fs_add(&r->now, &n) != inode)
		abort();
	if (type == S_IFLNK) {		/* its target is there as long as it is */
		fs_write(r->born, inode, l->data, l->len, 0);
		fs_write(&r->now, inode, l->data, l->len, 0);
	}
	place_add(&r->places, l->field[F_NODE], inode);
	return inode;
}

static void add_change(struct op *op, int dir, const char *name, int inode)
{
	op->kind = OP_ENTRY;
	op->change[op->changes++] = (struct change){ dir, intern(name), inode };
}

static mode_t asked_mode(const struct line *l)
{
	mode_t mask = umask(0);

	umask(mask);
	return (mode_t)strtoul(l->field[F_MODE], NULL, 8) & ~mask;
}

static bool take_made(struct reader *r, struct op *op, const struct line *l, int dir)
{
	static const struct { const char *call; mode_t type; } makes[] = {
		{ "create", S_IFREG }, { "mkdir", S_IFDIR }, { "symlink", S_IFLNK },
	};

	for (size_t i = 0; i < COUNT(makes); i++) {
		if (strcmp(op->call, makes[i].call) != 0)
			continue;
		mode_t mode = makes[i].type == S_IFLNK ? 0777 : asked_mode(l);
		add_change(op, dir, l->field[F_ENTRY], born(r, l, makes[i].type, mode));
		return true;
	}
	return false;
}

/* Two names: which file the old one means is known from all that came before. */
static void take_renamed(struct reader *r, struct op *op, const struct line *l, int dir)
{
	int to_dir = place_of(&r->places, l->field[F_TO_FD]);
	int moved = fs_find(&r->now, dir, l->field[F_ENTRY]);
	int other = to_dir < 0 ? NO_INODE : fs_find(&r->now, to_dir, l->field[F_TO]);

	if (to_dir < 0 || moved < 0)
		bad_line(l, "renames what the model does not have");
	add_change(op, to_dir, l->field[F_TO], moved);
	if (!strcmp(op->call, "exchange"))
		add_change(op, dir, l->field[F_ENTRY], other);
	else if (strcmp(op->call, "link") != 0)
		add_change(op, dir, l->field[F_ENTRY], NO_INODE);
}

static void take_entry(struct reader *r, struct op *op, const struct line *l, int dir)
{
	if (take_made(r, op, l, dir))
		return;
	if (l->field[F_TO])
		take_renamed(r, op, l, dir);
	else if (!strcmp(op->call, "unlink") || !strcmp(op->call, "rmdir"))
		add_change(op, dir, l->field[F_ENTRY], NO_INODE);
	else if (!strcmp(op->call, "open"))
		op->inode = place_of(&r->places, l->field[F_NODE]);
	else
		op->inode = fs_find(&r->now, dir, l->field[F_ENTRY]);
}

static enum kind kind_of(const struct op *op, const struct line *l)
{
	static const struct { const char *call; enum kind kind; } kinds[] = {
		{ "write", OP_WRITE }, { "pwrite", OP_WRITE }, { "ftruncate", OP_TRUNCATE },
		{ "fallocate", OP_GROW }, { "fsync", OP_SYNC }, { "syncfs", OP_SYNC },
	};

	if (op->kind == OP_ENTRY)
		return OP_ENTRY;
	if (!strcmp(op->call, "open"))
		return strtoul(l->field[F_FLAGS], NULL, 10) & O_TRUNC ? OP_TRUNCATE : OP_NOTHING;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (!strcmp(op->call, kinds[i].call))
			return kinds[i].kind;
	return OP_META;
}

/* false: not in the tree. */
static bool take_line(struct reader *r, struct op *op, const struct line *l)
{
	int fd = place_of(&r->places, l->field[F_FD]);

	op->n = strtoul(l->field[F_N], NULL, 10);
	snprintf(op->call, sizeof(op->call), "%s", l->field[F_CALL]);
	op->path = must(strdup(l->field[F_PATH] ? l->field[F_PATH] : ""));
	op->attr = l->field[F_ATTR] ? must(strdup(l->field[F_ATTR])) : NULL;
	op->mode = (mode_t)strtoul(l->field[F_MODE], NULL, 8);
	op->uid = (uid_t)strtoul(l->field[F_UID], NULL, 10);
	op->gid = (gid_t)strtoul(l->field[F_GID], NULL, 10);
	op->at = strtoll(l->field[F_AT], NULL, 10);
	sscanf(l->field[F_MTIME], "%ld.%ld", &op->mtime.tv_sec, &op->mtime.tv_nsec);
	op->data = l->data;
	op->len = l->len;
	op->inode = fd;
	op->durable = SIZE_MAX;
	op->kind = OP_NOTHING;
	if (!strcmp(op->call, "syncfs"))
		op->inode = NO_INODE;
	else if (fd < 0)
		return false;
	if (l->field[F_ENTRY])
		take_entry(r, op, l, fd);
	op->kind = kind_of(op, l);
	if (op->kind != OP_ENTRY && op->inode < 0 && strcmp(op->call, "syncfs") != 0)
		return false;
	return op->kind != OP_NOTHING;
}

/* ---- durability ---- */

/* A link cannot be synced: what is its own goes with its name, whichever directory that is in
 * now. */
static bool covers_link(const struct reader *r, const struct op *sync, const struct op *op)
{
	const struct dir *d = r->now.v[sync->inode].dir;

	if (op->kind != OP_META || !S_ISLNK(r->now.v[op->inode].mode))
		return false;
	for (size_t i = 0; d && i < d->n; i++)
		if (d->v[i].inode == op->inode)
			return true;
	return false;
}

static bool covers(const struct reader *r, const struct op *sync, const struct op *op)
{
	if (sync->inode == NO_INODE)
		return true;
	if (op->kind != OP_ENTRY)
		return op->inode == sync->inode || covers_link(r, sync, op);
	for (int i = 0; i < op->changes; i++)
		if (op->change[i].dir != sync->inode)
			return false;	/* a rename between two directories: with both, see below */
	return true;
}

/* Of a rename between two directories one was synced: is the other, too, by now? */
static bool covers_both(const struct oplog *log, size_t at, const struct op *op)
{
	bool synced[2] = { false, false };

	for (size_t i = at + 1; op->changes == 2 && i-- > 0 && &log->v[i] != op;)
		for (int k = 0; k < 2; k++)
			synced[k] |= log->v[i].kind == OP_SYNC &&
				     log->v[i].inode == op->change[k].dir;
	return synced[0] && synced[1];
}

static void mark_durable(const struct reader *r, size_t at)
{
	struct oplog *log = r->log;

	for (size_t i = 0; i < at; i++) {
		struct op *op = &log->v[i];
		if (op->kind != OP_SYNC && op->durable == SIZE_MAX &&
		    (covers(r, &log->v[at], op) ||
		     (op->kind == OP_ENTRY && covers_both(log, at, op))))
			op->durable = at;
	}
}

/* ---- the file ---- */

static char *slurp(const char *file, size_t *ret_len)
{
	FILE *in = fopen(file, "re");
	size_t cap = 1 << 20, n;
	char *text = must(malloc(cap + 1));

	if (!in)
		die("open the recording", file);
	for (*ret_len = 0; (n = fread(text + *ret_len, 1, cap - *ret_len, in)) > 0;) {
		*ret_len += n;
		if (*ret_len == cap)
			text = must(realloc(text, (cap *= 2) + 1));
	}
	fclose(in);
	text[*ret_len] = '\0';
	return text;
}

/* The line at p becomes words, its bytes stay where they are; returns where the next one begins. */
static char *split_line(char *p, struct line *l)
{
	char *end = strchr(p, '\n'), *rest = p;

	if (!end)
		return NULL;
	*end = '\0';
	for (int i = 0; i < F_LEN + 1; i++)
		if (!(l->field[i] = strsep(&rest, " ")))
			return NULL;
	l->len = strtoul(l->field[F_LEN], NULL, 10);
	l->data = end + 1;
	l->field[F_ENTRY] = unquote(l->field[F_ENTRY]);
	l->field[F_TO] = unquote(l->field[F_TO]);
	l->field[F_ATTR] = unquote(l->field[F_ATTR]);
	l->field[F_PATH] = unquote(l->field[F_PATH]);
	return end + 1 + l->len + 1;
}

static void add_op(struct reader *r, const struct op *op)
{
	struct oplog *log = r->log;

	log->v = must(realloc(log->v, (log->n + 1) * sizeof(*log->v)));
	log->v[log->n++] = *op;
	if (op->kind == OP_SYNC)
		mark_durable(r, log->n - 1);
	else
		op_play(op, &r->now, MADE);
}

void oplog_read(struct oplog *ret, const char *file, struct fs *fs, const struct places *places)
{
	struct reader r = { .log = ret, .born = fs };
	size_t len;
	char *text = slurp(file, &len), *p = text + strlen(HEAD);

	if (strncmp(text, HEAD, strlen(HEAD)) != 0)
		die("understand the recording", file);
	*ret = (struct oplog){ 0 };
	fs_copy(&r.now, fs);
	r.places.v = must(malloc((places->n + 1) * sizeof(*places->v)));
	r.places.n = places->n;
	memcpy(r.places.v, places->v, places->n * sizeof(*places->v));
	while (p < text + len) {
		struct line l = { 0 };
		struct op op = { 0 };
		if (!(p = split_line(p, &l)))
			die("understand the recording", file);
		if (take_line(&r, &op, &l))
			add_op(&r, &op);
		else
			ret->outside += op.inode < 0;
	}
	free(r.places.v);
	fs_release(&r.now);
}

/* ---- playing ---- */

static void play_write(const struct op *op, struct fs *f, size_t how)
{
	size_t skip = how == TAIL ? op->len / 3 : 0;
	struct bytes patch = {
		.patch = how == ZEROS || how == GARBAGE ? NULL : op->data + skip,
		.fill = how == ZEROS ? 0 : 0xa5,
		.patch_len = how >= TORN ? how - TORN : op->len - skip,
		.patch_at = op->at + (off_t)skip,
	};

	if (patch.patch_len)
		fs_patch(f, op->inode, &patch, op->n << 32 | how);
	f->v[op->inode].mtime = op->mtime;
}

static void play_meta(const struct op *op, struct inode *n, struct fs *f)
{
	if (!strcmp(op->call, "fchmod")) {
		n->mode = (n->mode & S_IFMT) | op->mode;
	} else if (!strcmp(op->call, "fchown") || !strcmp(op->call, "fchownat")) {
		n->uid = op->uid;
		n->gid = op->gid;
	} else if (!strcmp(op->call, "fsetxattr") || !strcmp(op->call, "lsetxattr")) {
		fs_set_attr(f, op->inode, op->attr, op->data, op->len);
	} else if (!strcmp(op->call, "fremovexattr")) {
		fs_set_attr(f, op->inode, op->attr, NULL, 0);
	} else if (strcmp(op->call, "utimens") != 0) {
		fprintf(stderr, "crashmodel: the model does not know the call '%s'\n", op->call);
		exit(2);
	}
	n->mtime = op->mtime;
}

void op_play(const struct op *op, struct fs *f, size_t how)
{
	if (how == LOST)
		return;
	switch (op->kind) {
	case OP_WRITE:
		play_write(op, f, how);
		break;
	case OP_TRUNCATE:
		fs_truncate(f, op->inode, op->at);
		f->v[op->inode].mtime = op->mtime;
		break;
	case OP_GROW:
		if (!f->v[op->inode].data || f->v[op->inode].data->len < (size_t)op->at)
			fs_truncate(f, op->inode, op->at);
		break;
	case OP_META:
		play_meta(op, &f->v[op->inode], f);
		break;
	case OP_ENTRY:
		for (int i = 0; i < op->changes; i++)
			fs_enter(f, op->change[i].dir, op->change[i].name, op->change[i].inode);
		break;
	case OP_SYNC:
	case OP_NOTHING:
		break;
	}
}
