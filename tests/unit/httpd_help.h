/* SPDX-License-Identifier: Apache-2.0 */
/* tests/tools/httpd.c, started and ended by a unit test. It serves the test's directory. */
#ifndef UNIT_HTTPD_HELP_H
#define UNIT_HTTPD_HELP_H

#include "fetch_help.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

struct httpd {
	pid_t pid;
	int port;
};

/* The program lies beside this one: BUILD/unit/test_x, BUILD/tools/httpd. */
static char *httpd_program(void)
{
	char self[4096] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	char *unit CLEANUP(freep) = path_dirname(self), *build CLEANUP(freep) = path_dirname(unit);

	return path_join(build, "tools/httpd");
}

static int httpd_read_port(int fd)
{
	char line[64] = "";
	size_t len = 0;
	int port = 0;

	while (len < sizeof(line) - 1 && !strchr(line, '\n')) {
		ssize_t n = read(fd, line + len, sizeof(line) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return sscanf(line, "port %d", &port) == 1 ? port : 0;
}

/* cert: "server", "other", or NULL for plain http. */
static struct httpd httpd_start(const char *cert)
{
	char *program CLEANUP(freep) = httpd_program(), *log CLEANUP(freep) = in_dir("requests");
	char *pem CLEANUP(freep) = xasprintf("%s/%s.pem", test_dir, cert ? cert : "");
	char *key CLEANUP(freep) = xasprintf("%s/%s.key", test_dir, cert ? cert : "");
	const char *const argv[] = { program, "--root", test_dir, "--log", log,
				     cert ? "--cert" : NULL, pem, "--key", key, NULL };
	posix_spawn_file_actions_t actions;
	struct httpd h = { 0 };
	int out[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		abort();
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	if (posix_spawn(&h.pid, program, &actions, NULL, (char *const *)argv, environ))
		abort();
	posix_spawn_file_actions_destroy(&actions);
	closep(&out[1]);
	h.port = httpd_read_port(out[0]);
	closep(&out[0]);
	if (!h.port) {
		printf("# %s does not start\n", program);
		abort();
	}
	return h;
}

static void httpd_stop(struct httpd *h)
{
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
}

#endif
