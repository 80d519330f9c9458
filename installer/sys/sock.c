/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sock.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { REPLY_MAX = 16 * 1024 };

/* Through /proc, so that the length of the path does not matter and the file is the one that was
 * looked at. */
static int connect_fd(int s, int fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", fd);
	return connect(s, (struct sockaddr *)&addr, sizeof(addr));
}

static int open_socket(int fd, unsigned int timeout_ms)
{
	int s CLEANUP(closep) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval t = { .tv_sec = timeout_ms / 1000,
			     .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0 ||
	    connect_fd(s, fd) < 0)
		return -1;
	int ret = s;
	s = -1;
	return ret;
}

static int send_all(int s, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(s, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -1;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The timeout of a socket is one of each call: who sends byte by byte must not take for ever. */
static int set_time_left(int s, uint64_t deadline)
{
	uint64_t now = clock_boot_ms(), left = now < deadline ? deadline - now : 0;
	struct timeval t = { .tv_sec = (time_t)(left / 1000),
			     .tv_usec = (suseconds_t)(left % 1000) * 1000 };

	if (left)
		return setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	errno = EAGAIN;
	return -1;
}

static int receive(int s, const char *until, uint64_t deadline, struct buf *ret)
{
	char chunk[1024];
	ssize_t n = 1;

	while (n && ret->len < REPLY_MAX && !strstr(ret->data, until)) {
		if (set_time_left(s, deadline))
			return -1;
		n = recv(s, chunk, sizeof(chunk), 0);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			buf_add(ret, chunk, (size_t)n);
	}
	return 0;
}

int sock_ask(int fd, const char *request, const char *until, unsigned int timeout_ms,
	     struct buf *ret, pid_t *ret_peer)
{
	struct buf reply CLEANUP(buf_release) = BUF_INIT;
	uint64_t deadline = clock_boot_ms() + timeout_ms;
	int s CLEANUP(closep) = open_socket(fd, timeout_ms);
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	if (s < 0 || getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
	    send_all(s, request, strlen(request)) < 0 || receive(s, until, deadline, &reply) < 0)
		return -1;
	*ret = reply;
	reply = (struct buf)BUF_INIT;
	*ret_peer = cred.pid;
	return 0;
}

bool sock_address_is_here(const char *address)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	bool is_four = inet_pton(AF_INET, address, &four.sin_addr) == 1;
	int fd CLEANUP(closep) = -1;

	if (!is_four && inet_pton(AF_INET6, address, &six.sin6_addr) != 1)
		return false;
	fd = socket(is_four ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && !bind(fd, is_four ? (void *)&four : (void *)&six,
				is_four ? sizeof(four) : sizeof(six));
}
