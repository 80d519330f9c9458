/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/nfwatch.h"

#include "base/str.h"
#include "sys/clock.h"
#include "sys/io.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#define QUEUE_BYTES (4 * 1024 * 1024)
#define FAMILY_INET 1		/* NFPROTO_INET */

int nfwatch_open(int *ret_fd, struct err *err)
{
	int fd CLEANUP(closep) = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
					NETLINK_NETFILTER);
	const struct sockaddr_nl us = { .nl_family = AF_NETLINK };
	const int group = NFNLGRP_NFTABLES, bytes = QUEUE_BYTES;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&us, sizeof(us)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return err_errno(err, errno, "cannot watch nftables");
	/* a smaller queue loses messages, and that is told */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* In every message but that of the generation, the first attribute of type 1 names the table. */
static bool is_of_table(const struct nlmsghdr *h, const char *name)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	const char *at = (const char *)g + NLMSG_ALIGN(sizeof(*g)),
		   *end = (const char *)h + h->nlmsg_len;
	const struct nlattr *a;

	if (g->nfgen_family != FAMILY_INET)
		return false;
	for (; at + sizeof(*a) <= end; at += NLA_ALIGN(a->nla_len)) {
		a = (const void *)at;
		if (a->nla_len < sizeof(*a) || at + a->nla_len > end)
			return false;
		if ((a->nla_type & NLA_TYPE_MASK) == NFTA_TABLE_NAME)
			return a->nla_len == sizeof(*a) + strlen(name) + 1 &&
			       !memcmp(a + 1, name, strlen(name));
	}
	return false;
}

/* *concerned: so far in this batch. true: a batch that was ended. */
static bool take(const char *data, size_t len, const char *name, bool *concerned)
{
	bool ended = false;

	for (const struct nlmsghdr *h = (const void *)data; NLMSG_OK(h, len);
	     h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
			continue;
		if ((h->nlmsg_type & 0xff) != NFT_MSG_NEWGEN) {
			*concerned = *concerned || is_of_table(h, name);
			continue;
		}
		ended = ended || *concerned;
		*concerned = false;
	}
	return ended;
}

static int wait_readable(int fd, uint64_t end, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_boot_ms();

	return poll(&p, 1, timeout_ms < 0 ? -1 : now < end ? (int)(end - now) : 0);
}

int nfwatch_wait(int fd, const char *name, int timeout_ms, struct err *err)
{
	uint64_t end = clock_boot_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
	char data[65536] __attribute__((aligned(8)));
	bool concerned = false;

	for (;;) {
		ssize_t n = recv(fd, data, sizeof(data), 0);
		int r;

		if (n < 0 && errno == ENOBUFS)
			return 1;
		if (n > 0 && take(data, (size_t)n, name, &concerned))
			return 1;
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (n < 0 && errno != EAGAIN)
			return err_errno(err, errno, "cannot watch nftables");
		r = wait_readable(fd, end, timeout_ms);
		if (r < 0 && errno != EINTR)
			return err_errno(err, errno, "cannot watch nftables");
		if (!r)
			return 0;
	}
}
