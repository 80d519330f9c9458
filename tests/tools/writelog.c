/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writelog LOG list                      an entry a line: number, sector, sectors, flags
 * writelog LOG count                     how many there are
 * writelog LOG build BASE OUT K          OUT is BASE after the first K entries: the exact prefix
 * writelog LOG crash BASE OUT K SEED     OUT is BASE after a power cut behind the first K entries:
 *                                        everything up to the last FLUSH among them, each later
 *                                        write whole, missing, or torn at 4 KiB, as SEED has it
 *
 * writelog LOG grow DISK FROM K [SEED]   DISK, as it was after the first FROM entries, goes on to K:
 *                                        exactly, or of those from FROM on as SEED has it
 *
 * LOG is what blklogwrites kept (tests/lib/blocklog.bash), BASE the disk as it was when that began;
 * writelog.h has the format. The same numbers give the same disk. Exit status 2: trouble.
 */
#include "writelog.h"

static int list(const struct writelog *log)
{
	for (uint64_t i = 0; i < log->n; i++) {
		const struct log_entry *e = &log->v[i];

		printf("%lu\t%lu\t%lu\t%s%s%s%s%s\n", i, e->sector, e->sectors,
		       e->flags ? "" : "-", e->flags & LOG_FLUSH ? "FLUSH " : "",
		       e->flags & LOG_FUA ? "FUA " : "", e->flags & LOG_DISCARD ? "DISCARD " : "",
		       e->flags & LOG_MARK ? "MARK" : "");
	}
	return fflush(stdout) ? 2 : 0;
}

static int copy(const char *base, const char *out)
{
	int from = open(base, O_RDONLY | O_CLOEXEC), to;

	if (from < 0)
		log_die(base);
	to = open(out, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (to < 0)
		log_die(out);
	disk_copy(from, to);
	close(from);
	return to;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*end || !*text) {
		errno = EINVAL;
		log_die(text);
	}
	return n;
}

/* seed NULL: nothing is missing. */
static int rebuild(const struct writelog *log, const char *base, const char *out, uint64_t k,
		   const char *seed)
{
	int disk = copy(base, out);
	uint64_t sure;

	if (k > log->n) {
		errno = ERANGE;
		log_die("K");
	}
	sure = seed ? log_flushed(log, k) : k;
	for (uint64_t i = 0; i < sure; i++)
		log_apply(log, i, disk, NULL, NULL);
	if (seed)
		log_crash(log, sure, k, number(seed), disk);
	return close(disk) ? 2 : 0;
}

/* As rebuild, on a disk that has the first `from` entries already. */
static int grow(const struct writelog *log, const char *path, uint64_t from, uint64_t k,
		const char *seed)
{
	int disk = open(path, O_RDWR | O_CLOEXEC);

	if (disk < 0)
		log_die(path);
	if (from > k || k > log->n) {
		errno = ERANGE;
		log_die("K");
	}
	for (uint64_t i = from; !seed && i < k; i++)
		log_apply(log, i, disk, NULL, NULL);
	if (seed)
		log_crash(log, from, k, number(seed), disk);
	return close(disk) ? 2 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[2], "list")) {
		struct writelog log = log_open(argv[1]);
		return list(&log);
	}
	if (argc == 3 && !strcmp(argv[2], "count")) {
		struct writelog log = log_open(argv[1]);
		return printf("%lu\n", log.n) < 0 ? 2 : 0;
	}
	if ((argc == 6 && !strcmp(argv[2], "build")) || (argc == 7 && !strcmp(argv[2], "crash"))) {
		struct writelog log = log_open(argv[1]);
		return rebuild(&log, argv[3], argv[4], number(argv[5]), argv[6]);
	}
	if ((argc == 6 || argc == 7) && !strcmp(argv[2], "grow")) {
		struct writelog log = log_open(argv[1]);
		return grow(&log, argv[3], number(argv[4]), number(argv[5]), argv[6]);
	}
	fputs("usage: writelog LOG list | count | build BASE OUT K | crash BASE OUT K SEED |"
	      " grow DISK FROM K [SEED]\n", stderr);
	return 2;
}
