/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnsd ADDRESS ANSWER [CLIENT]: a resolver on UDP port 53 of ADDRESS. Every question for an A
 * record is answered with ANSWER, any other with nothing; with CLIENT nobody else is answered, as
 * resolvers on a loopback do.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HEADER = 12, TYPE_A = 1 };

/* Where the question ends, behind its name, type and class; 0: it is none. */
static size_t question_end(const unsigned char *p, size_t n)
{
	size_t at = HEADER;

	while (at < n && p[at])
		at += p[at] + 1u;
	return at + 5 <= n ? at + 5 : 0;
}

static size_t answer(unsigned char *p, size_t end, const struct in_addr *with)
{
	static const unsigned char record[] = { 0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4 };
	int is_a = p[end - 4] == 0 && p[end - 3] == TYPE_A;

	p[2] = 0x84 | (p[2] & 1);
	p[3] = 0x80;
	memset(p + 6, 0, 6);
	p[5] = 1;
	if (!is_a)
		return end;
	p[7] = 1;
	memcpy(p + end, record, sizeof(record));
	memcpy(p + end + sizeof(record), with, sizeof(*with));
	return end + sizeof(record) + sizeof(*with);
}

static void serve(int fd, const struct in_addr *with, const struct in_addr *only)
{
	unsigned char p[1024];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(fd, p, 512, 0, (struct sockaddr *)&from, &size);
	size_t end = n < HEADER ? 0 : question_end(p, (size_t)n);

	if (end && (!only->s_addr || only->s_addr == from.sin_addr.s_addr))
		sendto(fd, p, answer(p, end, with), 0, (struct sockaddr *)&from, size);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct in_addr with, only = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc < 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[2], &with) != 1 ||
	    (argc > 3 && inet_pton(AF_INET, argv[3], &only) != 1)) {
		fprintf(stderr, "usage: dnsd ADDRESS ANSWER [CLIENT]\n");
		return 2;
	}
	if (bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		perror("dnsd");
		return 1;
	}
	for (;;)
		serve(fd, &with, &only);
}
