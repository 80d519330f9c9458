/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into the coverage build alone (make COVERAGE=1): in a guest, gcc's counters go to a
 * directory that guest.bash made there and fetches (GUEST_COVERAGE), and not to where the objects
 * are on the machine that built them.
 */
#include <stdlib.h>
#include <unistd.h>

#define PLACE "/run/sysboxup-coverage"

static void __attribute__((constructor)) counters_place(void)
{
	if (!access(PLACE, W_OK))
		setenv("GCOV_PREFIX", PLACE, 0);
}
