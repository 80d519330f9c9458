/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include "sys/sock.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct scratch s;

static int listening(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	scratch_open(&s);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", s.path);
	CHECK(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 1));
	return fd;
}

/* A peer that sends so many dots, one each 20 ms, and closes. */
static pid_t drip(int fd, int dots)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	signal(SIGPIPE, SIG_IGN);
	int c = accept(fd, NULL, NULL);
	char question[16];
	if (read(c, question, sizeof(question)) <= 0)
		_exit(1);
	for (int i = 0; i < dots && write(c, ".", 1) == 1; i++)
		clock_pause_ms(20);
	_exit(0);
}

static int ask(unsigned int timeout_ms, struct buf *ret)
{
	int fd CLEANUP(closep) = openat(s.fd, "s", O_PATH | O_CLOEXEC);
	pid_t peer;

	return sock_ask(fd, "hello", "end", timeout_ms, ret, &peer);
}

TEST(slow, "an answer byte by byte ends at the deadline; one that is over before is whole")
{
	struct buf reply CLEANUP(buf_release) = BUF_INIT;
	int fd = listening();

	fflush(NULL);
	pid_t pid = drip(fd, 3000);
	CHECK_INT(ask(300, &reply), -1);
	CHECK_INT(errno, EAGAIN);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	pid = drip(fd, 3);
	CHECK_INT(ask(60000, &reply), 0);
	CHECK_STR(reply.data, "...");
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	close(fd);
	scratch_close(&s);
}

RUN_TESTS()
