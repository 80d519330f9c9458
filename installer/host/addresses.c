/* SPDX-License-Identifier: Apache-2.0 */
#include "host/addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/utsname.h>

enum { HOSTNAME_MAX = 4096 };

static void ifaddrsp(struct ifaddrs **a)
{
	if (*a)
		freeifaddrs(*a);
}

/* Loopback is said once, for all; a link-local address needs a zone, which differs on each host. */
static bool means_something(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;
	uint32_t four = ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr);

	if (sa->sa_family == AF_INET)
		return four >> 24 != 127 && four >> 16 != 0xa9fe;
	return sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) &&
	       !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

static const char *address_text(const struct sockaddr *sa, char text[INET6_ADDRSTRLEN])
{
	const void *bytes = sa->sa_family == AF_INET ?
				    (const void *)&((const struct sockaddr_in *)sa)->sin_addr :
				    (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;

	return inet_ntop(sa->sa_family, bytes, text, INET6_ADDRSTRLEN);
}

static void add_once(struct strv *ret, const char *text)
{
	if (!strv_has(ret, text))
		strv_add(ret, text);
}

static int add_interfaces(struct strv *ret, struct err *err)
{
	struct ifaddrs *all CLEANUP(ifaddrsp) = NULL;
	char text[INET6_ADDRSTRLEN];

	if (getifaddrs(&all))
		return err_errno(err, errno, "cannot ask for the addresses of this host");
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		if (a->ifa_addr && means_something(a->ifa_addr) && address_text(a->ifa_addr, text))
			add_once(ret, text);
	return 0;
}

static int add_name(const struct root *root, struct strv *ret, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct utsname u;

	if (root->is_host && !uname(&u))
		add_once(ret, u.nodename);
	else if (root_read_optional(root, "/etc/hostname", HOSTNAME_MAX, &text, err) < 0)
		return -1;
	else if (text.len && *str_trim(text.data))
		add_once(ret, str_trim(text.data));
	return 0;
}

int host_addresses(const struct root *root, struct strv *ret, struct err *err)
{
	strv_add(ret, "localhost");
	if (add_name(root, ret, err))
		return -1;
	if (!root->is_host)
		return 0;
	strv_add(ret, "127.0.0.1");
	return add_interfaces(ret, err);
}
