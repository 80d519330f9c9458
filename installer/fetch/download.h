/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file from a list of mirrors into our own directory: https only (plain http only below the
 * prefixes the profile lists, file:// for air-gapped mirrors), redirects likewise, size counted in
 * the write callback, hash while streaming, resumed with Range and If-Range, retried with backoff
 * and a total budget, mirrors in turn (facts/tls-firewall-downloads.md 4.3). The result is
 * DIR/SHA256 (0644), fsynced and renamed there only after size and hash were right; a part that
 * failed is kept as DIR/SHA256.part (+ .meta with the ETag) for resuming, and thrown away when a
 * resumed whole has the wrong hash.
 */
#ifndef FETCH_DOWNLOAD_H
#define FETCH_DOWNLOAD_H

#include "base/err.h"
#include "base/report.h"
#include "base/str.h"

struct download {
	const char *what;			/* "sysbox-ce 0.7.0": for messages and progress */
	const char *const *urls;		/* NULL-terminated, tried in turn */
	const char *sha256;			/* NULL: hash not known (catalog and signature); then name is needed */
	const char *name;			/* file name in dir if sha256 is NULL */
	uint64_t size;				/* exact, 0 = unknown */
	uint64_t max_size;			/* upper bound if size is unknown, bytes */
	const char *proxy, *ca_file;		/* or NULL: environment and system store */
	const struct strv *plain_mirrors;
	unsigned int budget;			/* seconds for all tries together, 0 = 600 */
	unsigned int stall;			/* seconds below 1 KiB/s until a try is given up, 0 = 10 */
	unsigned int backoff_ms;		/* first pause before a mirror is tried again, doubling; 0 = 1000 */
	const char *remedy;			/* for the person, when no mirror helped; or NULL */
	struct report *rep;
};

#define DOWNLOAD_INIT { 0 }

/*
 * A mirror is asked again after what passes (a stall, a cut, 408, 429, 5xx; Retry-After is
 * honoured), at most four times without a byte of progress; after anything else (404, a foreign
 * certificate, a redirect to plain http, the wrong size or hash) the next one follows. A part of
 * another process is ERR_LOCKED; everything else is ERR_FAILED: one line that names each mirror
 * with its reason, without credentials or queries.
 *
 * dirfd: directory that receives it. *ret_fd is the verified file, open read-only: use this
 * descriptor, never the name again.
 */
int download_run(const struct download *d, int dirfd, int *ret_fd, struct err *err);

#endif
