/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP, for fetch/download.c, docker/api.c and docker/tlsprobe.c alone (scripts/check-layers). */
#ifndef SYS_LIBCURL_H
#define SYS_LIBCURL_H

#include "sys/library.h"

#include <curl/curl.h>

#define LIBCURL_FUNCTIONS(X) \
	X(curl_easy_cleanup) \
	X(curl_easy_getinfo) \
	X(curl_easy_init) \
	X(curl_easy_perform) \
	X(curl_easy_reset) \
	X(curl_easy_setopt) \
	X(curl_easy_strerror) \
	X(curl_slist_append) \
	X(curl_slist_free_all)

LIBCURL_FUNCTIONS(LIBRARY_DECLARE)

/* Before the first call of one of them. */
int libcurl_load(struct err *err);

#endif
