/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure N A A-AFTER B B-AFTER: run the programs A and B in turn, N times each, and after each run
 * the untimed A-AFTER or B-AFTER ("-" for none). Prints, on one line, the median wall time in
 * microseconds and the largest resident set in KiB, for A and for B. A program that fails ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct subject {
	const char *program, *after;
	double *times;
	long rss;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void run(const char *program, long *rss)
{
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status)) {
		fprintf(stderr, "measure: '%s' failed\n", program);
		exit(1);
	}
	if (rss && usage.ru_maxrss > *rss)
		*rss = usage.ru_maxrss;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run_timed(struct subject *s, int i)
{
	double start = now();

	run(s->program, &s->rss);
	s->times[i] = now() - start;
	if (strcmp(s->after, "-"))
		run(s->after, NULL);
}

int main(int argc, char **argv)
{
	int n = argc == 6 ? atoi(argv[1]) : 0;
	struct subject s[2];

	if (n < 1) {
		fputs("usage: measure N A A-AFTER B B-AFTER\n", stderr);
		return 2;
	}
	for (int k = 0; k < 2; k++)
		s[k] = (struct subject){ argv[2 + 2 * k], argv[3 + 2 * k],
					 calloc((size_t)n, sizeof(double)), 0 };
	for (int i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			run_timed(&s[k], i);
	for (int k = 0; k < 2; k++) {
		qsort(s[k].times, (size_t)n, sizeof(double), by_size);
		printf("%.0f %ld%c", s[k].times[n / 2], s[k].rss, k ? '\n' : ' ');
		free(s[k].times);
	}
	return 0;
}
