/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/url.h"

#include "base/err.h"

#include <stdio.h>

bool url_allowed(const char *url, const struct strv *plain_mirrors, bool redirected)
{
	if (str_starts(url, "https://"))
		return true;
	if (str_starts(url, "file:///"))
		return !redirected;
	for (size_t i = 0; plain_mirrors && i < plain_mirrors->n; i++)
		if (str_starts(url, "http://") && str_starts(url, plain_mirrors->v[i]))
			return true;
	return false;
}

void url_shown(const char *url, char *buf, size_t size)
{
	const char *scheme_end = strstr(url, "://");
	const char *host = scheme_end ? scheme_end + 3 : url;
	const char *end = host + strcspn(host, "?#");
	const char *at = memrchr(host, '@', strcspn(host, "/?#"));
	const char *from = at ? at + 1 : host;
	char plain[512];

	snprintf(plain, sizeof(plain), "%.*s%.*s", (int)(host - url), url, (int)(end - from), from);
	err_quote(buf, size, plain);
}
