/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into the coverage build alone (make COVERAGE=1).
 *
 * gcc's counters are written when a process exits. Many of ours never do: they end in _exit or in
 * an exec, in a mount namespace where nothing of ours can be written. So the counters, which
 * counters.ld gathers, are memory that a process shares with all that it forks; whoever of them
 * exits writes what all have counted until then.
 *
 * In a guest they go to a directory that guest.bash made there and fetches (GUEST_COVERAGE), and
 * not to where the objects are on the machine that built them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACE "/run/sysboxup-coverage"

extern char counters_begin[], counters_end[];

static void __attribute__((constructor)) counters_place(void)
{
	if (!access(PLACE, W_OK))
		setenv("GCOV_PREFIX", PLACE, 0);
}

/* The same counters, on other pages; what is left behind begins anew. */
static void counters_move(int kind)
{
	size_t len = (size_t)(counters_end - counters_begin);
	char *so_far = malloc(len);

	if (!so_far)
		abort();
	memcpy(so_far, counters_begin, len);
	memset(counters_begin, 0, len);
	if (mmap(counters_begin, len, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		abort();
	memcpy(counters_begin, so_far, len);
	free(so_far);
}

static void __attribute__((constructor)) counters_share(void)
{
	counters_move(MAP_SHARED);
}

/* Before they are written, which adds to them what is in the file: others must not write that
 * again. */
void counters_take(void);
void __attribute__((destructor)) counters_take(void)
{
	counters_move(MAP_PRIVATE);
}
