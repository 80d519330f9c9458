/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/names.h"

#include <arpa/inet.h>
#include <ctype.h>

#define LABEL "abcdefghijklmnopqrstuvwxyz0123456789-"

enum { NAME_MAX_LEN = 60, LABEL_MAX = 63, DNS_MAX = 253, COMMON_MAX = 64, SHOWN = 80 };

/* A long name is named by its beginning. */
static int refuse(struct err *err, const char *what, const char *name, const char *why)
{
	char *start CLEANUP(freep) = xstrndup(name, SHOWN);
	char shown[4 * SHOWN + 4];

	err_quote(shown, sizeof(shown), start);
	return err_set(err, ERR_USAGE, "%s '%s%s' %s", what, shown,
		       strlen(name) > SHOWN ? "..." : "", why);
}

int name_check(const char *name, struct err *err)
{
	size_t len = strlen(name);
	const char *why = NULL;

	if (!len)
		why = "is empty";
	else if (len > NAME_MAX_LEN)
		why = "is longer than 60 letters";
	else if (strspn(name, LABEL) != len)
		why = "has other letters than a-z, 0-9 and '-'";
	else if (name[0] == '-' || name[len - 1] == '-')
		why = "begins or ends with '-'";
	return why ? refuse(err, "the name", name, why) : 0;
}

int name_check_common(const char *name, struct err *err)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || (unsigned char)name[i] > '~')
			return refuse(err, "the name", name,
				      "has other letters than those of ASCII");
	return len && len <= COMMON_MAX ?
		       0 :
		       refuse(err, "the name", name, "is not of 1 to 64 letters");
}

static const char *label_fault(const char *label)
{
	size_t len = strlen(label);

	if (!len)
		return "has an empty label: no dot at its ends, and no two together";
	if (len > LABEL_MAX)
		return "has a label of more than 63 letters";
	if (label[0] == '-' || label[len - 1] == '-')
		return "has a label that begins or ends with '-'";
	return strspn(label, LABEL) == len ? NULL : "is no DNS name: letters, digits, '-' and dots";
}

static const char *dns_fault(const char *name)
{
	struct strv labels CLEANUP(strv_release) = STRV_INIT;
	const char *why, *last;

	if (strchr(name, '*'))
		return "is a wildcard: name each host";
	if (strchr(name, '_'))
		return "has an underscore, which no host name may have";
	if (strlen(name) > DNS_MAX)
		return "is longer than 253 letters";
	for (const char *p = name; *p; p++)
		if (*p & 0x80)
			return "is not ASCII: write it as its A-label (xn--...)";
	str_split(&labels, name, '.');
	for (size_t i = 0; i < labels.n; i++)
		if ((why = label_fault(labels.v[i])))
			return why;
	last = labels.v[labels.n - 1];
	return strspn(last, "0123456789") == strlen(last) ?
		       "is neither an address nor a name: it ends in a number" :
		       NULL;
}

static char *lower(const char *s)
{
	char *copy = xstrdup(s);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static int family_of(const char *s)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, s, bytes) == 1 ? AF_INET :
	       inet_pton(AF_INET6, s, bytes) == 1 ? AF_INET6 : 0;
}

int name_to_san(const char *name, char **ret, struct err *err)
{
	char *low CLEANUP(freep) = lower(name);
	const char *why;

	if (family_of(name)) {
		*ret = xasprintf("IP:%s", low);
		return 0;
	}
	if (strchr(name, '%'))
		return refuse(err, "the address", name,
			      "has a zone, which means nothing to other hosts");
	if (strchr(name, ':'))
		return refuse(err, "the address", name, "is none (without port and brackets)");
	why = dns_fault(low);
	if (why)
		return refuse(err, "the name", name, why);
	*ret = xasprintf("DNS:%s", low);
	return 0;
}

int names_to_sans(const struct strv *names, struct strv *ret, struct err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		char *san CLEANUP(freep) = NULL;

		if (name_to_san(names->v[i], &san, err))
			return -1;
		if (!strv_has(ret, san))
			strv_add(ret, san);
	}
	if (ret->n <= SANS_MAX)
		return 0;
	return err_set(err, ERR_USAGE, "%zu names are too many for one certificate: at most %d",
		       ret->n, SANS_MAX);
}

/* libcrypto wants a mask, in the form of the address. */
static char *mask_of(int family, unsigned int bits)
{
	unsigned char mask[16] = { 0 };
	char text[INET6_ADDRSTRLEN];

	for (unsigned int i = 0; i < bits; i++)
		mask[i / 8] |= (unsigned char)(0x80 >> i % 8);
	return xstrdup(inet_ntop(family, mask, text, sizeof(text)));
}

static int network_to_constraint(const char *name, const char *slash, char **ret, struct err *err)
{
	char *address CLEANUP(freep) = xstrndup(name, (size_t)(slash - name)),
		      *mask CLEANUP(freep) = NULL;
	int family = family_of(address);
	uint64_t bits;

	if (!family || str_to_u64(slash + 1, family == AF_INET ? 32 : 128, &bits))
		return refuse(err, "the network", name,
			      "is none: an address, '/', and a number of bits");
	mask = mask_of(family, (unsigned int)bits);
	*ret = xasprintf("permitted;IP:%s/%s", address, mask);
	return 0;
}

int name_to_constraint(const char *name, char **ret, struct err *err)
{
	const char *slash = strchr(name, '/');
	char *san CLEANUP(freep) = NULL, *whole CLEANUP(freep) = NULL;

	if (slash)
		return network_to_constraint(name, slash, ret, err);
	if (name_to_san(name, &san, err))
		return -1;
	if (str_starts(san, "DNS:")) {
		*ret = xasprintf("permitted;%s", san);
		return 0;
	}
	whole = xasprintf("%s/%d", name, family_of(name) == AF_INET ? 32 : 128);
	return network_to_constraint(whole, strchr(whole, '/'), ret, err);
}

/* Not more than that it can stand in each of the formats it is written into. */
int name_check_docker_host(const char *url, struct err *err)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]";
	const char *host = url + strlen("tcp://"), *port;
	uint64_t number;

	if (!str_starts(url, "tcp://") || strspn(host, letters) != strlen(host) ||
	    !(port = strrchr(host, ':')) || port == host || str_to_u64(port + 1, 65535, &number))
		return refuse(err, "the address", url, "is not of the form tcp://NAME:2376");
	return 0;
}

struct limits {
	const char *what;
	int64_t least, most, usual;
	const char *words;
};

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static int ttl_within(const struct limits *l, const char *text, int64_t *ret, struct err *err)
{
	uint64_t seconds;

	if (!text) {
		*ret = l->usual;
		return 0;
	}
	if (str_to_seconds(text, &seconds))
		return refuse(err, "--ttl", text, "is no time such as 1h or 90d");
	if (seconds < (uint64_t)l->least || seconds > (uint64_t)l->most)
		return err_set(err, ERR_USAGE, "--ttl '%.32s': %s lives %s", text, l->what,
			       l->words);
	*ret = (int64_t)seconds;
	return 0;
}

int ttl_read(enum pki_profile p, const char *text, int64_t *ret, struct err *err)
{
	static const struct limits limits[] = {
		[PKI_SERVER] = { "a server's certificate", DAY, 397LL * DAY, 90LL * DAY,
				 "from 1d to 397d" },
		[PKI_CLIENT] = { "a client's certificate", MINUTE, 90LL * DAY, DAY,
				 "from 1m to 90d" },
	};

	return ttl_within(&limits[p], text, ret, err);
}

int ttl_read_ca(const char *text, int64_t *ret, struct err *err)
{
	static const struct limits l = { "an authority", DAY, 7300LL * DAY, 1825LL * DAY,
					 "from 1d to 7300d" };

	return ttl_within(&l, text, ret, err);
}

int ttl_read_crl(const char *text, int64_t *ret, struct err *err)
{
	static const struct limits l = { "a revocation list", HOUR, 365LL * DAY, 30LL * DAY,
					 "from 1h to 365d" };

	return ttl_within(&l, text, ret, err);
}
