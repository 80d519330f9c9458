/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swapper A B: exchanges A and B (renameat2, RENAME_EXCHANGE) as fast as it can until SIGTERM or
 * SIGINT, then leaves both where they were, if both are still there, and prints how often it
 * exchanged them. "ready" is printed after the first exchange. For races: a directory and a link in
 * its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t over;

static void on_signal(int sig)
{
	(void)sig;
	over = 1;
}

/* Either may be away for an instant: the other side replaces it. */
static int exchange(const char *a, const char *b)
{
	return !syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) ? 1 :
	       errno == ENOENT ? 0 : -1;
}

int main(int argc, char **argv)
{
	const struct sigaction act = { .sa_handler = on_signal };
	unsigned long n = 0;
	int got;

	if (argc != 3) {
		fputs("usage: swapper A B\n", stderr);
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	while (!over || n % 2) {
		got = exchange(argv[1], argv[2]);
		if (over && !got)
			break;
		if (got < 0) {
			fprintf(stderr, "swapper: %s: %s\n", argv[1], strerror(errno));
			return 1;
		}
		n += (unsigned int)got;
		if (n == 1) {
			puts("ready");
			fflush(stdout);
		}
	}
	printf("%lu\n", n);
	return 0;
}
