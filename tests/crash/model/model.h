/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of what a file system may leave of a run after a power cut, in the manner of ALICE
 * (OSDI'14): one run of sysboxup-faults is recorded whole (sys/faultlog.h) and played into a file
 * system in memory (fs.c); from the recording come the states in which a crash may leave the tree
 * (states.c); each distinct one is put on a disk (disk.c), `recover` of the release binary is run
 * on it, and what it leaves is compared (try.c). main.c is the manual of the command.
 *
 * What is durable: fsync of a file its data and its inode's metadata; fsync of a directory its
 * entries, its own metadata and that of the symbolic links in it, which cannot be synced
 * themselves; syncfs everything. An entry does not bring the file's data with it, nor a file its
 * name. What is not durable may be there, or not, in the ways of states.c.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* "cannot WHAT 'SUBJECT': errno" and exit 2. */
_Noreturn void die(const char *what, const char *subject);
void *must(void *memory);			/* or abort */
char *textf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- fs.c: inodes by number, the root is 0; what they hold is shared between copies ---- */

enum { NO_INODE = -1 };

struct bytes {				/* of a file, of a link's target, of an attribute */
	unsigned int refs;
	size_t len;
	uint64_t hash;			/* 0: not computed yet */
	uint64_t history;		/* with prev: what was done to come to it */
	struct bytes *prev;		/* not NULL: it is this, patched; data may be NULL then */
	const char *patch;		/* borrowed; NULL: fill */
	int fill;
	size_t patch_len;
	off_t patch_at;
	char *data;
};

struct entry {
	char *name;			/* interned: equal names are the same pointer */
	int inode;
};

struct dir {
	unsigned int refs;
	size_t n, cap;
	struct entry *v;		/* sorted by strcmp */
};

struct attr {
	char *name;			/* interned */
	struct bytes *value;
	struct attr *next;		/* sorted by strcmp; lists are never changed, only made anew */
};

struct inode {
	mode_t mode;			/* with the type; 0: not used */
	uid_t uid;
	gid_t gid;
	dev_t rdev;
	struct timespec mtime;
	struct bytes *data;		/* NULL: empty */
	struct dir *dir;
	const struct attr *attrs;	/* never freed */
};

struct fs {
	struct inode *v;
	size_t n;
};

const char *intern(const char *name);
int fs_add(struct fs *f, const struct inode *born);	/* the number of a new, unnamed inode */
void fs_copy(struct fs *to, const struct fs *from);	/* `to` is empty or a copy made before */
void fs_release(struct fs *f);
int fs_find(const struct fs *f, int dir, const char *name);		/* NO_INODE */
int fs_walk(const struct fs *f, const char *path);			/* from the root; follows no links */
void fs_enter(struct fs *f, int dir, const char *name, int inode);	/* replaces; NO_INODE takes it out */
void fs_write(struct fs *f, int inode, const char *data, size_t len, off_t at);
/* The same, but only noted; way tells this one from all others at the same place in a run. */
void fs_patch(struct fs *f, int inode, const struct bytes *patch, uint64_t way);
const char *bytes_data(struct bytes *b);
void fs_truncate(struct fs *f, int inode, off_t len);
void fs_set_attr(struct fs *f, int inode, const char *name, const char *value, size_t len);	/* NULL removes */
/* All that can be reached from the root; times of regular files count outside of our own state. */
uint64_t fs_hash(const struct fs *f);

/* ---- disk.c: trees on a real disk ---- */

struct place {				/* where an inode of a scanned tree is on the disk */
	dev_t dev;
	ino_t ino;
	int inode;
};

struct places {
	struct place *v;
	size_t n;
};

void disk_scan(struct fs *ret, struct places *ret_places, const char *root);	/* places may be NULL */
void disk_make(const struct fs *f, const char *root);		/* root is an empty directory */
void disk_clear(const char *root);				/* the directory itself stays */

enum { DIFF_TIMES = 1, DIFF_STATE = 2 };	/* mtimes of files too; what is in our own state too */
/* NULL, or in words the first path that differs; "as before" as hostdiff.c has it. */
char *disk_diff(const struct fs *a, const struct fs *b, int how);

/* ---- oplog.c: the recording ---- */

enum kind { OP_WRITE, OP_TRUNCATE, OP_GROW, OP_META, OP_ENTRY, OP_SYNC, OP_NOTHING };

struct change { int dir; const char *name; int inode; };	/* dir[name] = inode, NO_INODE: gone */

struct op {
	enum kind kind;
	unsigned long n;		/* the seam's number */
	char call[16];
	char *path;			/* for people */
	int inode;			/* of data, metadata, sync; -1: all (syncfs) */
	struct change change[2];	/* OP_ENTRY */
	int changes;
	off_t at;
	char *data;
	size_t len;
	char *attr;			/* OP_META, by call: */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	size_t durable;			/* index of the sync behind it, or SIZE_MAX */
};

struct oplog {
	struct op *v;
	size_t n;
	size_t outside;			/* calls on what is not in the tree */
};

/* fs gets the inodes that are born in the run, without names. */
void oplog_read(struct oplog *ret, const char *file, struct fs *fs, const struct places *places);

/* How an operation reached the disk. From TORN on: the first (how - TORN) bytes of a write. */
enum { LOST, MADE, ZEROS, GARBAGE, TAIL, TORN };
void op_play(const struct op *op, struct fs *f, size_t how);

/* ---- states.c ---- */

struct state {
	const struct oplog *log;
	const char *what;		/* the kind of state, a static word */
	size_t at;			/* operations begun: 0 .. log->n */
	const size_t *how;		/* of each of them */
	const struct fs *fs;
	uint64_t hash;
	bool acknowledged;		/* the program had ended with 0 */
};

/* Calls visit for each distinct state, in a fixed order. */
void states_each(const struct oplog *log, const struct fs *start,
		 void (*visit)(const struct state *, void *), void *arg);

/* ---- try.c ---- */

struct try {
	const char *root;		/* where states are made */
	const char *up;			/* the release binary */
	const struct fs *before, *after;
	bool both_before;		/* the run recorded is recover: there is no other way out */
	unsigned long stride;		/* every stride-th distinct state */
	unsigned long seen, tried, bad, bad_acknowledged, shown[2];
	uint64_t *outcomes;		/* of recover, each of them recovered again once */
	size_t outcomes_n;
	unsigned long was_before, was_after;
	struct { const char *what; unsigned long n; } kinds[8];	/* distinct states, by what they are */
};

void try_state(const struct state *s, void *try);
/* argv[0] with these words, output to file; exit status, or 128 + signal. */
int run_program(const char *const argv[], const char *output);

#endif
