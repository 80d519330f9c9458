/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knock [-a] [-f FROM] [-n COUNT] [-s FILE] [-c AT-ONCE] [-w MS] ADDRESS PORT: opens connections,
 * COUNT of them and on until FILE exists, AT-ONCE (1) together, and closes each as soon as it is
 * open, or after MS (1000) without an answer. Prints "tried N, open N, again N": again counts the
 * SYNs that had to be sent once more, which is what a packet lost on the way looks like. Exit
 * status 0: all were open, none again; 3: none was open; 1: neither.
 *
 * -a says a word to the server and waits for its answer, before the next. A connection is open once
 * the kernel says so; who opens them faster than the server accepts them fills its queue, and then
 * it is the kernel of the listener that drops a SYN (ListenOverflows of nstat), and no firewall.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 256, ACCEPTED_WITHIN_MS = 60 * 1000 };

struct place {
	struct sockaddr_storage addr;
	socklen_t len;
};

static unsigned long tried, opened, again;
static bool is_awaited;

static int read_place(const char *address, unsigned int port, struct place *ret)
{
	struct sockaddr_in *four = (void *)&ret->addr;
	struct sockaddr_in6 *six = (void *)&ret->addr;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((unsigned short)port);
		ret->len = sizeof(*four);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &six->sin6_addr) != 1)
		return -1;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((unsigned short)port);
	ret->len = sizeof(*six);
	return 0;
}

/* Closed by a reset, so that ports are free again at once. */
static int start(const struct place *to, const struct place *from)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int s = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) ||
	    (from->len && bind(s, (const void *)&from->addr, from->len)) ||
	    (connect(s, (const void *)&to->addr, to->len) && errno != EINPROGRESS)) {
		if (s >= 0)
			close(s);
		return -1;
	}
	return s;
}

static void look(int s, unsigned long *is_open)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int failed = 0;
	socklen_t failed_len = sizeof(failed);

	getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len);
	getsockopt(s, SOL_SOCKET, SO_ERROR, &failed, &failed_len);
	again += info.tcpi_total_retrans;
	/* it may have been closed again by the other side meanwhile */
	*is_open += failed == ECONNRESET ||
		    (!failed && info.tcpi_state != TCP_SYN_SENT && info.tcpi_state != TCP_CLOSE);
}

/* Whatever the server says, or a reset, will do: it has accepted. */
static void await_server(int s)
{
	static const char word[] = "GET / HTTP/1.0\r\n\r\n";
	struct pollfd p = { .fd = s, .events = POLLIN };

	if (send(s, word, sizeof(word) - 1, MSG_NOSIGNAL) > 0)
		poll(&p, 1, ACCEPTED_WITHIN_MS);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void knock(const struct place *to, const struct place *from, int at_once, long wait_ms)
{
	struct pollfd p[MOST];
	long end = now_ms() + wait_ms;
	int left = 0;
	long wait;

	for (int i = 0; i < at_once; i++) {
		p[i] = (struct pollfd){ .fd = start(to, from), .events = POLLOUT };
		left += p[i].fd >= 0;
		tried++;
	}
	/* The last look is behind the end: on a busy machine the answer may have been there for
	 * long. */
	do {
		wait = end - now_ms();
		poll(p, (nfds_t)at_once, wait > 0 ? (int)wait : 0);
		for (int i = 0; i < at_once; i++)
			if (p[i].fd >= 0 && p[i].revents) {
				look(p[i].fd, &opened);
				if (is_awaited)
					await_server(p[i].fd);
				close(p[i].fd);
				p[i].fd = -1;
				left--;
			}
	} while (left && wait > 0);
	for (int i = 0; i < at_once; i++)
		if (p[i].fd >= 0)
			close(p[i].fd);
}

int main(int argc, char **argv)
{
	struct place to, from = { .len = 0 };
	unsigned long count = 1;
	const char *until = NULL;
	int at_once = 1, option;
	long wait_ms = 1000;

	while ((option = getopt(argc, argv, "af:n:s:c:w:")) >= 0)
		switch (option) {
		case 'a':
			is_awaited = true;
			break;
		case 'f':
			if (read_place(optarg, 0, &from))
				return 2;
			break;
		case 'n':
			count = strtoul(optarg, NULL, 10);
			break;
		case 's':
			until = optarg;
			break;
		case 'c':
			at_once = atoi(optarg);
			break;
		case 'w':
			wait_ms = atol(optarg);
			break;
		default:
			return 2;
		}
	if (argc - optind != 2 || at_once < 1 || at_once > MOST ||
	    read_place(argv[optind], (unsigned int)atoi(argv[optind + 1]), &to))
		return 2;
	while (tried < count || (until && access(until, F_OK)))
		knock(&to, &from, at_once, wait_ms);
	printf("tried %lu, open %lu, again %lu\n", tried, opened, again);
	return opened == tried && !again ? 0 : !opened ? 3 : 1;
}
