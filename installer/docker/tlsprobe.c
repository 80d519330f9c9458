/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/tlsprobe.h"

#include "base/str.h"
#include "sys/libcurl.h"

#include <string.h>

#define TIMEOUT_MS 10000L

static size_t on_data(char *data, size_t size, size_t n, void *user)
{
	return size * n;
}

static void set_blob(CURL *c, CURLoption option, const struct buf *data)
{
	struct curl_blob blob = { data->data, data->len, CURL_BLOB_NOCOPY };

	sym_curl_easy_setopt(c, option, &blob);
}

static void set_tls(CURL *c, const struct tls_probe *p)
{
	set_blob(c, CURLOPT_CAINFO_BLOB, p->ca);
	sym_curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	sym_curl_easy_setopt(c, CURLOPT_SSLVERSION,
			 p->old ? (long)(CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1) :
				  (long)CURL_SSLVERSION_TLSv1_2);
	if (p->old)	/* libcrypto's own level would not even ask */
		sym_curl_easy_setopt(c, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
	if (!p->cert)
		return;
	sym_curl_easy_setopt(c, CURLOPT_SSLCERTTYPE, "PEM");
	sym_curl_easy_setopt(c, CURLOPT_SSLKEYTYPE, "PEM");
	set_blob(c, CURLOPT_SSLCERT_BLOB, p->cert);
	set_blob(c, CURLOPT_SSLKEY_BLOB, p->key);
}

static bool is_unreached(CURLcode rc)
{
	return rc == CURLE_COULDNT_CONNECT || rc == CURLE_OPERATION_TIMEDOUT ||
	       rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_PEER_FAILED_VERIFICATION;
}

static enum tls_probe_result perform(CURL *c, char **ret_words)
{
	char error[CURL_ERROR_SIZE] = "", quoted[CURL_ERROR_SIZE];
	long status = 0;

	sym_curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	CURLcode rc = sym_curl_easy_perform(c);
	sym_curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (rc == CURLE_OK) {
		*ret_words = xasprintf("HTTP %ld", status);
		return status == 200 ? PROBE_SERVED : PROBE_REFUSED;
	}
	err_quote(quoted, sizeof(quoted), *error ? error : sym_curl_easy_strerror(rc));
	*ret_words = xstrdup(quoted);
	return is_unreached(rc) ? PROBE_UNREACHED : PROBE_REFUSED;
}

/* The name is what the certificate must have; the address is where the request goes. */
enum tls_probe_result tls_probe(const struct tls_probe *p, char **ret_words)
{
	const char *port = strrchr(p->address, ':') + 1;
	char *url CLEANUP(freep) = xasprintf("%s://%s:%s/_ping", p->ca ? "https" : "http", p->name,
					     port),
		  *route CLEANUP(freep) = xasprintf("::%s", p->address);
	struct err err = ERR_INIT;

	if (libcurl_load(&err) < 0) {
		*ret_words = xstrdup(err.msg);
		return PROBE_UNREACHED;
	}
	struct curl_slist *routes = sym_curl_slist_append(NULL, route);
	CURL *c = sym_curl_easy_init();

	sym_curl_easy_setopt(c, CURLOPT_URL, url);
	sym_curl_easy_setopt(c, CURLOPT_CONNECT_TO, routes);
	sym_curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	sym_curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	sym_curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	sym_curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	sym_curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	if (p->ca)
		set_tls(c, p);
	enum tls_probe_result result = perform(c, ret_words);
	sym_curl_easy_cleanup(c);
	sym_curl_slist_free_all(routes);
	return result;
}
