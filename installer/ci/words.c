/* SPDX-License-Identifier: Apache-2.0 */
#include "ci/words.h"

#include "base/str.h"

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static bool only(const char *s, size_t n, const char *of)
{
	return n && strspn(s, of) >= n;
}

bool word_is_name(const char *s)
{
	return s && only(s, strlen(s), PLAIN);
}

bool word_is_path(const char *s)
{
	return s && s[0] == '/' && only(s, strlen(s), PLAIN "/+=,");
}

bool word_is_host(const char *s)
{
	const char *port = s ? strrchr(s, ':') : NULL, *name = s;
	uint64_t n;

	if (!s || !str_starts(s, "tcp://") || str_to_u64(port + 1, 65535, &n) || !n)
		return false;
	name += strlen("tcp://");
	if (name >= port)
		return false;
	return *name == '[' ? port[-1] == ']' && only(name + 1, (size_t)(port - name - 2),
						      "0123456789abcdefABCDEF:.") :
			      only(name, (size_t)(port - name), PLAIN);
}
