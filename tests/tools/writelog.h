/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of all writes to a block device, as qemu's blklogwrites filter and Linux's dm-log-writes
 * keep it, and the disks that a power cut may leave of it. Little-endian, in sectors of the log:
 *
 *	sector 0	superblock: u64 magic 0x6a736677736872, u64 version (1), u64 entries,
 *			u32 bytes of a sector. qemu writes it anew at each flush.
 *	then, each	a sector with u64 sector, u64 sectors, u64 flags, u64 length of a mark;
 *			behind it the data: `sectors` sectors, none for a DISCARD (it empties the
 *			range) and for a bare FLUSH.
 *
 * A FLUSH says that all entries before it are on the disk. An entry with FUA is on the disk by
 * itself. What came after the last FLUSH may be there, be missing, or be there in part, page by
 * page of 4 KiB (a smaller unit is torn by no disk that these file systems are made for), in any
 * combination.
 */
#ifndef WRITELOG_H
#define WRITELOG_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITELOG_MAGIC 0x6a736677736872ULL

enum { LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4, LOG_MARK = 8 };
enum { TEAR = 4096 };

struct log_entry {
	uint64_t sector, sectors, flags, mark_len;
	uint64_t data;			/* where its data is in the log */
};

struct writelog {
	int fd;
	uint32_t sector_size;
	uint64_t n;
	struct log_entry *v;
};

/* Which pages of an entry reach the disk: page i if keep says so. */
typedef bool log_keep(void *arg, uint64_t entry, uint64_t page);

static inline void log_die(const char *what)
{
	fprintf(stderr, "writelog: %s: %s\n", what, strerror(errno));
	exit(2);
}

static inline void log_read(int fd, void *to, size_t len, uint64_t at)
{
	ssize_t n = pread(fd, to, len, (off_t)at);

	if (n < 0 || (size_t)n != len) {
		errno = n < 0 ? errno : ENODATA;
		log_die("cannot read the log");
	}
}

static inline struct writelog log_open(const char *path)
{
	struct writelog log = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	struct { uint64_t magic, version, entries; uint32_t sector_size; } super;

	if (log.fd < 0)
		log_die(path);
	log_read(log.fd, &super, sizeof(super), 0);
	if (super.magic != WRITELOG_MAGIC || !super.sector_size) {
		errno = EINVAL;
		log_die("no log of writes");
	}
	log.sector_size = super.sector_size;
	log.n = super.entries;
	log.v = calloc(log.n + 1, sizeof(*log.v));
	if (!log.v)
		abort();
	uint64_t at = super.sector_size;
	for (uint64_t i = 0; i < log.n; i++) {
		struct log_entry *e = &log.v[i];

		log_read(log.fd, e, 4 * sizeof(uint64_t), at);
		e->data = at += super.sector_size;
		if (e->flags & LOG_MARK)
			at += e->mark_len;
		else if (!(e->flags & LOG_DISCARD))
			at += e->sectors * super.sector_size;
	}
	return log;
}

static inline bool log_is_write(const struct log_entry *e)
{
	return e->sectors && !(e->flags & LOG_MARK);
}

/* How many of the first k entries are on the disk for sure, FUA aside. */
static inline uint64_t log_flushed(const struct writelog *log, uint64_t k)
{
	while (k && !(log->v[k - 1].flags & LOG_FLUSH))
		k--;
	return k;
}

static inline void log_put(const struct writelog *log, const struct log_entry *e, uint64_t at,
			   size_t len, int out)
{
	static char page[TEAR];
	uint64_t to = e->sector * log->sector_size + at;

	if (e->flags & LOG_DISCARD)
		memset(page, 0, len);
	else
		log_read(log->fd, page, len, e->data + at);
	if (pwrite(out, page, len, (off_t)to) != (ssize_t)len)
		log_die("cannot write the disk");
}

static inline uint64_t log_pages(const struct writelog *log, const struct log_entry *e)
{
	uint64_t start = e->sector * log->sector_size;

	return (start + e->sectors * log->sector_size + TEAR - 1) / TEAR - start / TEAR;
}

/* Entry i onto the disk, the pages of it that keep (NULL: all) wants. */
static inline void log_apply(const struct writelog *log, uint64_t i, int out, log_keep *keep,
			     void *arg)
{
	const struct log_entry *e = &log->v[i];
	uint64_t start = e->sector * log->sector_size, end = start + e->sectors * log->sector_size;

	if (!log_is_write(e))
		return;
	if ((e->flags & LOG_DISCARD) && !keep) {
		if (fallocate(out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
			      (off_t)(end - start)))
			log_die("cannot empty a range of the disk");
		return;
	}
	for (uint64_t at = start, next; at < end; at = next) {
		next = (at / TEAR + 1) * TEAR;
		if (next > end)
			next = end;
		if (!keep || keep(arg, i, at / TEAR - start / TEAR))
			log_put(log, e, at - start, (size_t)(next - at), out);
	}
}

/* A disk after a crash, out of a seed: a third of the writes whole, a third missing, a third
 * torn. */
struct log_chance {
	uint64_t seed;
};

static inline uint64_t log_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;	/* splitmix64 */
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline bool log_chance_keep(void *arg, uint64_t entry, uint64_t page)
{
	const struct log_chance *chance = (const struct log_chance *)arg;
	uint64_t x = log_mix(chance->seed ^ log_mix(entry));

	switch (x % 3) {
	case 0: return true;
	case 1: return false;
	default: return log_mix(x ^ page) & 1;
	}
}

static inline struct log_chance log_chance_of(uint64_t k, uint64_t seed)
{
	return (struct log_chance){ log_mix(seed) ^ log_mix(k << 20) };
}

/* Entries from .. k-1 onto a disk that has all before `from`. */
static inline void log_crash(const struct writelog *log, uint64_t from, uint64_t k, uint64_t seed,
			     int out)
{
	struct log_chance chance = log_chance_of(k, seed);

	for (uint64_t i = from; i < k; i++)
		log_apply(log, i, out, log->v[i].flags & LOG_FUA ? NULL : log_chance_keep, &chance);
}

/* A copy of the data of `from`; holes stay holes. `to` is emptied first. */
static inline void disk_copy(int from, int to)
{
	static char chunk[1 << 18];
	off_t size = lseek(from, 0, SEEK_END), end = 0;

	if (size < 0 || ftruncate(to, 0) || ftruncate(to, size))
		log_die("cannot size the disk");
	for (off_t at; (at = lseek(from, end, SEEK_DATA)) >= 0;) {
		end = lseek(from, at, SEEK_HOLE);
		for (ssize_t n; at < end; at += n) {
			size_t want = (size_t)(end - at) < sizeof(chunk) ? (size_t)(end - at) :
									   sizeof(chunk);
			n = pread(from, chunk, want, at);
			if (n <= 0 || pwrite(to, chunk, (size_t)n, at) != n)
				log_die("cannot copy the disk");
		}
	}
	if (errno != ENXIO)
		log_die("cannot copy the disk");
}

#endif
