/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static volatile sig_atomic_t noted;
static bool held;

static void note(int sig)
{
	noted = sig;
}

void signals_init(void)
{
	/* SA_RESTART for the libraries; our own waiting is poll(), which returns EINTR all the
	 * same */
	struct sigaction sa = { .sa_handler = note, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);	/* inherited as ignored, wait() would find no children */
}

int signals_pending(void)
{
	return held ? 0 : noted;
}

void signals_hold(void)
{
	held = true;
}
