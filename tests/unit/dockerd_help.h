/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for dockerd's socket: a process that answers each request with what a table says, and
 * closes. What the table does not name is 404. It lives until stood_down().
 */
#ifndef UNIT_DOCKERD_HELP_H
#define UNIT_DOCKERD_HELP_H

#include "scratch.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

struct answer {
	const char *request;	/* "GET /info" */
	int status;		/* 0: the connection is closed without a word; -1: never a word */
	const char *body;
};

struct stand_in {
	struct scratch s;
	char socket[112];
	pid_t pid;
};

static inline void stand_in_write(int c, const struct answer *a)
{
	if (a->status < 0)
		poll(NULL, 0, -1);
	if (a->status)
		dprintf(c, "HTTP/1.1 %d Why\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
			a->status, strlen(a->body), a->body);
}

static inline void stand_in_answer(int c, const struct answer *answers)
{
	static const struct answer nobody = { NULL, 404, "{ \"message\": \"page not found\" }" };
	char text[4096] = "";
	size_t len = 0;
	ssize_t n;

	while (!strstr(text, "\r\n\r\n") &&
	       (n = read(c, text + len, sizeof(text) - 1 - len)) > 0)
		text[len += (size_t)n] = '\0';
	for (; answers->request; answers++) {
		size_t k = strlen(answers->request);
		if (!strncmp(text, answers->request, k) && text[k] == ' ')
			break;
	}
	stand_in_write(c, answers->request ? answers : &nobody);
}

/* answers ends with an entry without a request. */
static inline void stand_in_open(struct stand_in *d, const struct answer *answers)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd CLEANUP(closep) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	scratch_open(&d->s);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", d->s.path);
	snprintf(d->socket, sizeof(d->socket), "%s", addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8))
		abort();
	fflush(NULL);
	d->pid = fork();
	if (d->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int c CLEANUP(closep) = accept(fd, NULL, NULL);
		if (c >= 0)
			stand_in_answer(c, answers);
	}
}

static inline void stood_down(struct stand_in *d)
{
	kill(d->pid, SIGKILL);
	waitpid(d->pid, NULL, 0);
	scratch_close(&d->s);
}

#endif
