/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sockcut.h"

#include "base/str.h"
#include "sys/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define ALL_BUT_LISTEN (~((1u << TCP_LISTEN) | (1u << TCP_CLOSE) | (1u << TCP_TIME_WAIT)))
#define ANSWER_SECONDS 5

struct request {
	struct nlmsghdr h;
	struct inet_diag_req_v2 r;
};

/* Ids of what is to be cut: kept until the listing is over, because cutting uses the same
 * socket. */
struct found {
	struct request *v;
	size_t n, cap;
};

static void found_release(struct found *f)
{
	free(f->v);
}

static int diag_open(int *ret_fd, struct err *err)
{
	int fd CLEANUP(closep) = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval t = { .tv_sec = ANSWER_SECONDS };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)))
		return err_errno(err, errno, "cannot ask for connections");
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int diag_send(int fd, struct request *q, struct err *err)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	q->h.nlmsg_len = sizeof(*q);
	if (sendto(fd, q, sizeof(*q), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_errno(err, errno, "cannot ask for connections");
	return 0;
}

/* 10.1.0.2 of ::ffff:10.1.0.2. */
static struct network peer_of(const struct inet_diag_msg *m)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct network n = { .six = m->idiag_family == AF_INET6 };
	const unsigned char *at = (const void *)m->id.idiag_dst;

	if (n.six && !memcmp(at, mapped, sizeof(mapped))) {
		n.six = false;
		at += sizeof(mapped);
	}
	n.bits = n.six ? 128 : 32;
	memcpy(n.addr, at, n.bits / 8);
	return n;
}

static void add_found(struct found *f, const struct inet_diag_msg *m)
{
	struct request q = { 0 };

	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 16;
		f->v = xreallocarray(f->v, f->cap, sizeof(*f->v));
	}
	q.h.nlmsg_type = SOCK_DESTROY;
	q.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	q.r.sdiag_family = m->idiag_family;
	q.r.sdiag_protocol = IPPROTO_TCP;
	q.r.idiag_states = ~0u;
	q.r.id = m->id;
	f->v[f->n++] = q;
}

/* 1: the listing is over. */
static int take(const char *data, size_t len, unsigned int port,
		bool (*keep)(void *user, const struct network *peer), void *user, struct found *f)
{
	for (const struct nlmsghdr *h = (const void *)data; NLMSG_OK(h, len);
	     h = NLMSG_NEXT(h, len)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return 1;
		if (ntohs(m->id.idiag_sport) != port)
			continue;
		const struct network peer = peer_of(m);

		if (!keep(user, &peer))
			add_found(f, m);
	}
	return 0;
}

static int find(int fd, int family, unsigned int port,
		bool (*keep)(void *user, const struct network *peer), void *user, struct found *f,
		struct err *err)
{
	struct request q = { .h = { .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
			     .r = { .sdiag_family = (unsigned char)family,
				    .sdiag_protocol = IPPROTO_TCP,
				    .idiag_states = ALL_BUT_LISTEN } };
	char data[32768] __attribute__((aligned(8)));

	if (diag_send(fd, &q, err))
		return -1;
	for (;;) {
		ssize_t n = recv(fd, data, sizeof(data), 0);

		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "cannot list connections");
		if (n > 0 && take(data, (size_t)n, port, keep, user, f))
			return 0;
	}
}

/* One that has ended meanwhile is as good. */
static int destroy(int fd, struct request *q, struct err *err)
{
	char data[4096] __attribute__((aligned(8)));
	const struct nlmsghdr *h = (const void *)data;
	const struct nlmsgerr *e = NLMSG_DATA(h);
	ssize_t n;

	if (diag_send(fd, q, err))
		return -1;
	do
		n = recv(fd, data, sizeof(data), 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(*e)))
		return err_errno(err, n < 0 ? errno : EPROTO, "cannot cut a connection");
	return e->error && e->error != -ENOENT ?
		       err_errno(err, -e->error, "cannot cut a connection") :
		       0;
}

int sockcut(unsigned int port, bool (*keep)(void *user, const struct network *peer), void *user,
	    unsigned int *ret_n, struct err *err)
{
	struct found f CLEANUP(found_release) = { 0 };
	int fd CLEANUP(closep) = -1;

	if (diag_open(&fd, err) || find(fd, AF_INET, port, keep, user, &f, err) ||
	    find(fd, AF_INET6, port, keep, user, &f, err))
		return -1;
	for (size_t i = 0; i < f.n; i++)
		if (destroy(fd, &f.v[i], err))
			return -1;
	*ret_n = (unsigned int)f.n;
	return 0;
}
