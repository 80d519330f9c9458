/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/download.h"

#include "fetch/part.h"
#include "fetch/range.h"
#include "fetch/url.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/libcurl.h"
#include "sys/signals.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>

#define MAX_REDIRECTS 5
#define MAX_TRIES 4
#define MAX_PAUSE_MS 60000
#define REDIRECT_BODY_MAX (1024 * 1024)
#define BUDGET_DEFAULT 600
#define STALL_DEFAULT 10
#define CONNECT_TIMEOUT 15
#define SIZE_DEFAULT (4ULL * 1024 * 1024 * 1024)

enum verdict {
	GOING_ON,	/* nothing is wrong yet */
	DONE,
	AGAIN,		/* passes by itself: the same mirror after a pause */
	RESTART,	/* the same mirror at once, from 0; once */
	NEXT,		/* this mirror is of no use */
	STOP,		/* no mirror can help: err is set */
};

struct run {
	const struct download *d;
	struct part part;
	CURL *curl;
	uint64_t deadline;		/* boot clock, ms */
	uint64_t progress_at;
	struct buf reasons;		/* "URL: reason; URL: reason" */
	struct err *err;
};

/* One question to one mirror, redirects included. */
struct try {
	struct run *run;
	enum verdict verdict;		/* set by a callback that stops the transfer */
	unsigned int tries;		/* how often the mirror may be asked with this outcome */
	char reason[256];
	char detail[CURL_ERROR_SIZE];
	bool began;			/* the first byte of the body was judged */
	uint64_t discarded;		/* bytes of redirects' bodies */
	char etag[256];			/* of the answer being read */
	bool ranged;			/* it has a Content-Range: */
	struct content_range range;
	unsigned int retry_after;	/* seconds */
};

static enum verdict fail(struct try *t, enum verdict v, const char *fmt, ...) PRINTF(3, 4);

static enum verdict fail(struct try *t, enum verdict v, const char *fmt, ...)
{
	char words[sizeof(t->reason)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	err_quote(t->reason, sizeof(t->reason), words);
	return t->verdict = v;
}

static uint64_t limit(const struct download *d)
{
	if (d->size)
		return d->size;
	return d->max_size ? d->max_size : SIZE_DEFAULT;
}

static uint64_t remaining_ms(const struct run *r)
{
	uint64_t now = clock_boot_ms();

	return now < r->deadline ? r->deadline - now : 0;
}

static bool interrupted(struct run *r)
{
	int sig = signals_pending();

	if (!sig)
		return false;
	err_set(r->err, ERR_FAILED, "the download of %s was stopped by %s", r->d->what,
		sig == SIGINT ? "SIGINT" : "SIGTERM");
	return true;
}

/* --- what the answer's head says --- */

static bool header_is(const char *line, size_t len, const char *name, const char **ret_value)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) || line[n] != ':')
		return false;
	for (line += n + 1; *line == ' ' || *line == '\t'; line++)
		;
	*ret_value = line;
	return true;
}

static void read_range(struct try *t, const char *value)
{
	t->ranged = !content_range_parse(value, &t->range);
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	struct try *t = user;
	char line[512];
	const char *value;
	size_t len = n < sizeof(line) - 1 ? n : sizeof(line) - 1;

	memcpy(line, data, len);
	line[len] = '\0';
	len = strcspn(line, "\r\n");
	line[len] = '\0';
	if (str_starts(line, "HTTP/")) {
		t->etag[0] = '\0';
		t->ranged = false;
	} else if (header_is(line, len, "ETag", &value)) {
		snprintf(t->etag, sizeof(t->etag), "%s", value);
	} else if (header_is(line, len, "Content-Range", &value)) {
		read_range(t, value);
	}
	return n;
}

/* --- the body --- */

static long status_of(struct run *r)
{
	long status = 0;

	sym_curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool is_redirect(long status)
{
	return status >= 300 && status < 400 && status != 304;
}

/* A 206 must go on exactly where the part ends, in the same version of the file. */
static enum verdict continue_part(struct try *t)
{
	struct part *p = &t->run->part;
	uint64_t size = t->run->d->size;

	if (!t->ranged || t->range.start != p->len)
		return fail(t, RESTART, "sent another range than it was asked for");
	if (size && t->range.total && t->range.total != size)
		return fail(t, NEXT, "has %llu bytes instead of %llu",
			    (unsigned long long)t->range.total, (unsigned long long)size);
	if (p->etag && *t->etag && !str_eq(p->etag, t->etag))
		return fail(t, RESTART, "went on with another version of the file");
	p->resumed = true;
	return GOING_ON;
}

static enum verdict begin_whole(struct try *t)
{
	struct run *r = t->run;
	curl_off_t announced = -1;

	sym_curl_easy_getinfo(r->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	if (r->d->size && announced >= 0 && (uint64_t)announced != r->d->size)
		return fail(t, NEXT, "has %lld bytes instead of %llu", (long long)announced,
			    (unsigned long long)r->d->size);
	if (announced >= 0 && (uint64_t)announced > limit(r->d))
		return fail(t, NEXT, "has %lld bytes, more than the %llu allowed", (long long)announced,
			    (unsigned long long)limit(r->d));
	if (r->part.len && part_restart(&r->part, r->err) < 0)
		return t->verdict = STOP;
	part_set_etag(&r->part, t->etag);
	return GOING_ON;
}

static enum verdict begin_body(struct try *t)
{
	long status = status_of(t->run);

	t->began = true;
	if (status == 206)
		return continue_part(t);
	if (status != 200 && status != 0)
		return fail(t, NEXT, "answered with status %ld", status);
	return begin_whole(t);
}

static void show_progress(struct run *r)
{
	uint64_t now = clock_boot_ms();

	if (now - r->progress_at < 100 && r->part.len != r->d->size)
		return;
	r->progress_at = now;
	report_progress(r->d->rep, r->d->what, r->part.len, r->d->size);
}

/* A return other than n stops the transfer; the verdict says why. */
static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct try *t = user;
	struct run *r = t->run;

	if (is_redirect(status_of(r))) {
		t->discarded += n;
		return t->discarded <= REDIRECT_BODY_MAX ? n : 0;
	}
	if (!t->began && begin_body(t) != GOING_ON)
		return 0;
	if (n > limit(r->d) - r->part.len) {
		fail(t, NEXT, "sends more than %llu bytes", (unsigned long long)limit(r->d));
		if (part_restart(&r->part, r->err) < 0)
			t->verdict = STOP;
		return 0;
	}
	if (part_write(&r->part, data, n, r->err) < 0) {
		t->verdict = STOP;
		return 0;
	}
	show_progress(r);
	return n;
}

/* Called by libcurl about once a second, and whenever something happened. */
static int on_tick(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
	struct try *t = user;

	if (!interrupted(t->run))
		return 0;
	t->verdict = STOP;
	return 1;
}

/* --- what the outcome of a transfer means --- */

struct outcome {
	long code;
	unsigned int tries;		/* 1: it will not get better */
	const char *words;		/* NULL: libcurl's; these follow a colon at the end too */
};

static const struct outcome http_outcomes[] = {
	{ 401, 1, "wants a password" },
	{ 403, 1, "forbids it" },
	{ 404, 1, "not found" },
	{ 407, 1, "the proxy wants a password" },
	{ 408, MAX_TRIES, "request timed out" },
	{ 410, 1, "gone" },
	{ 429, MAX_TRIES, "too many requests" },
	{ 500, MAX_TRIES, "internal server error" },
	{ 502, MAX_TRIES, "bad gateway" },
	{ 503, MAX_TRIES, "service unavailable" },
	{ 504, MAX_TRIES, "gateway timed out" },
	{ 522, MAX_TRIES, "connection timed out behind the server" },
	{ 524, MAX_TRIES, "a timeout occurred behind the server" },
};

static const struct outcome curl_outcomes[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, 2, "host name not found" },
	{ CURLE_COULDNT_RESOLVE_PROXY, 2, "name of the proxy not found" },
	{ CURLE_COULDNT_CONNECT, 2, NULL },
	{ CURLE_SSL_CONNECT_ERROR, 2, NULL },
	{ CURLE_OPERATION_TIMEDOUT, MAX_TRIES, "stalled" },
	{ CURLE_PARTIAL_FILE, MAX_TRIES, "cut off" },
	{ CURLE_RECV_ERROR, MAX_TRIES, NULL },
	{ CURLE_SEND_ERROR, MAX_TRIES, NULL },
	{ CURLE_GOT_NOTHING, MAX_TRIES, "empty answer" },
	{ CURLE_FILE_COULDNT_READ_FILE, 1, "cannot be read" },
	{ CURLE_PEER_FAILED_VERIFICATION, 1, "certificate refused:" },
};

static const struct outcome *outcome_find(const struct outcome *v, size_t n, long code)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].code == code)
			return &v[i];
	return NULL;
}

static enum verdict judge_status(struct try *t, long status)
{
	const struct outcome *o = outcome_find(http_outcomes, ARRAY_SIZE(http_outcomes), status);
	curl_off_t after = 0;

	if (status == 416 && t->run->part.len)
		return fail(t, RESTART, "does not have the range it was asked for");
	sym_curl_easy_getinfo(t->run->curl, CURLINFO_RETRY_AFTER, &after);
	t->retry_after = after > 0 ? (unsigned int)(after < 86400 ? after : 86400) : 0;
	t->tries = o ? o->tries : 1;
	return fail(t, t->tries > 1 ? AGAIN : NEXT, "%s (status %ld)", o ? o->words : "refused",
		    status);
}

static enum verdict judge_code(struct try *t, CURLcode code)
{
	const struct outcome *o = outcome_find(curl_outcomes, ARRAY_SIZE(curl_outcomes),
					       (long)code);
	/* Some of libcurl's details quote an address of a proxy, password included. */
	const char *curls = *t->detail && !strchr(t->detail, '@') ? t->detail :
								    sym_curl_easy_strerror(code);
	const char *words = o && o->words ? o->words : curls;
	bool both = str_ends(words, ":");

	t->tries = o ? o->tries : 1;
	return fail(t, t->tries > 1 ? AGAIN : NEXT, "%s%s%s", words, both ? " " : "",
		    both ? curls : "");
}

static enum verdict judge(struct try *t, CURLcode code)
{
	long status = status_of(t->run);

	if (t->verdict != GOING_ON)
		return t->verdict;
	if (status >= 400 || status == 304)
		return judge_status(t, status);
	if (code != CURLE_OK)
		return judge_code(t, code);
	if (!t->began && begin_body(t) != GOING_ON)
		return t->verdict;
	return t->verdict = DONE;
}

/* --- one try --- */

static void set_url(struct run *r, const char *url)
{
	char *scheme CLEANUP(freep) = xstrndup(url, strcspn(url, ":"));

	sym_curl_easy_setopt(r->curl, CURLOPT_URL, url);
#if CURL_AT_LEAST_VERSION(7, 85, 0)
	sym_curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, scheme);
#else
	sym_curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS,
			 str_eq(scheme, "https") ? CURLPROTO_HTTPS :
			 str_eq(scheme, "http") ? CURLPROTO_HTTP : CURLPROTO_FILE);
#endif
}

static void set_trust(struct run *r)
{
	const struct download *d = r->d;

	sym_curl_easy_setopt(r->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	sym_curl_easy_setopt(r->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	sym_curl_easy_setopt(r->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (d->ca_file) {	/* those authorities and no others */
		sym_curl_easy_setopt(r->curl, CURLOPT_CAINFO, d->ca_file);
		sym_curl_easy_setopt(r->curl, CURLOPT_CAPATH, NULL);
		sym_curl_easy_setopt(r->curl, CURLOPT_PROXY_CAINFO, d->ca_file);
		sym_curl_easy_setopt(r->curl, CURLOPT_PROXY_CAPATH, NULL);
	}
	if (d->proxy)
		sym_curl_easy_setopt(r->curl, CURLOPT_PROXY, d->proxy);
}

/* Redirects are followed by us, so that each hop is judged by url_allowed. SIGPIPE is ignored
 * (sys/signals.h). */
static void set_options(struct try *t)
{
	struct run *r = t->run;
	CURL *c = r->curl;
	unsigned int stall = r->d->stall ? r->d->stall : STALL_DEFAULT;

	sym_curl_easy_reset(c);
	set_trust(r);
	sym_curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	sym_curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->detail);
	sym_curl_easy_setopt(c, CURLOPT_USERAGENT, "sysboxup/" SYSBOXUP_VERSION);
	sym_curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	sym_curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	sym_curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	sym_curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 64L * 1024);
	sym_curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT);
	sym_curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1024L);
	sym_curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)stall);
	sym_curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	sym_curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	sym_curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	sym_curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	sym_curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	sym_curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
	sym_curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
}

/* CURLOPT_RANGE and not CURLOPT_RESUME_FROM, which makes an error of a server that ignores the
 * range. */
static struct curl_slist *set_range(struct run *r, const char *url)
{
	struct curl_slist *list = NULL;
	char range[32];

	if (!r->part.len || str_starts(url, "file:"))
		return NULL;
	snprintf(range, sizeof(range), "%llu-", (unsigned long long)r->part.len);
	sym_curl_easy_setopt(r->curl, CURLOPT_RANGE, range);
	if (r->part.etag) {
		char *line CLEANUP(freep) = xasprintf("If-Range: %s", r->part.etag);

		list = sym_curl_slist_append(NULL, line);
	}
	sym_curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, list);
	return list;
}

static enum verdict refuse_url(struct try *t, const char *url, bool redirected)
{
	const char *why = str_starts(url, "http://") ?
				  "plain http, and not listed in 'catalog.plain_mirrors'" :
				  "not an https:// address";
	char shown[160];

	if (!redirected)
		return fail(t, NEXT, "%s", why);
	url_shown(url, shown, sizeof(shown));
	return fail(t, NEXT, "redirects to '%s': %s", shown, why);
}

static enum verdict follow(struct try *t, const char *first)
{
	struct run *r = t->run;
	char *url CLEANUP(freep) = xstrdup(first);

	for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
		char *next = NULL;
		CURLcode code;

		if (!url_allowed(url, r->d->plain_mirrors, hop > 0))
			return refuse_url(t, url, hop > 0);
		set_url(r, url);
		sym_curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)remaining_ms(r) + 1);
		code = sym_curl_easy_perform(r->curl);
		if (!is_redirect(status_of(r)))
			return judge(t, code);
		sym_curl_easy_getinfo(r->curl, CURLINFO_REDIRECT_URL, &next);
		if (!next)
			return fail(t, NEXT, "redirects to nowhere");
		str_replace(&url, next);
	}
	return fail(t, NEXT, "redirects more than %d times", MAX_REDIRECTS);
}

/* Size and hash of what is there. A wrong whole is not kept: its parts may be of two versions. */
static enum verdict check_whole(struct try *t)
{
	struct run *r = t->run;
	char hex[DIGEST_HEX + 1];
	bool resumed = r->part.resumed;

	if (r->d->size && r->part.len < r->d->size)
		return fail(t, AGAIN, "ended after %llu of %llu bytes",
			    (unsigned long long)r->part.len, (unsigned long long)r->d->size);
	if (!r->d->sha256)
		return DONE;
	part_digest(&r->part, hex);
	if (str_eq(hex, r->d->sha256))
		return DONE;
	if (part_restart(&r->part, r->err) < 0)
		return STOP;
	return fail(t, resumed ? RESTART : NEXT, "has the wrong SHA-256 %s", hex);
}

static enum verdict try_once(struct try *t, const char *url)
{
	struct run *r = t->run;
	struct curl_slist *headers;
	enum verdict v;

	if (!r->d->sha256 && r->part.len && part_restart(&r->part, r->err) < 0)
		return STOP;
	set_options(t);
	headers = set_range(r, url);
	v = follow(t, url);
	sym_curl_slist_free_all(headers);
	if (v == DONE || (v == AGAIN && r->d->size && r->part.len == r->d->size))
		v = check_whole(t);
	return v;
}

/* --- one mirror, all mirrors --- */

static void add_reason(struct run *r, const char *url, const char *reason)
{
	char shown[256];

	url_shown(url, shown, sizeof(shown));
	buf_addf(&r->reasons, "%s%s: %s", r->reasons.len ? "; " : "", shown, reason);
}

/* Cut short by a signal: the next transfer stops at once then. */
static void pause_ms(uint64_t ms)
{
	while (ms && !signals_pending()) {
		unsigned int slice = ms < 100 ? (unsigned int)ms : 100;

		clock_pause_ms(slice);
		ms -= slice;
	}
}

/* False if the pause would end after the budget. */
static bool pause_before_retry(struct run *r, const struct try *t, unsigned int tries)
{
	uint64_t ms = r->d->backoff_ms ? r->d->backoff_ms : 1000;

	for (unsigned int i = 1; i < tries && ms < MAX_PAUSE_MS; i++)
		ms *= 2;
	if (ms < t->retry_after * 1000ULL)
		ms = t->retry_after * 1000ULL;
	if (ms >= remaining_ms(r))
		return false;
	report_info(r->d->rep, "%s: %s; trying again in %llu.%llu s", r->d->what, t->reason,
		    (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000 / 100));
	pause_ms(ms);
	return true;
}

/* DONE, NEXT (the reason is noted) or STOP. */
static enum verdict mirror_run(struct run *r, const char *url)
{
	bool restarted = false;

	for (unsigned int tries = 0;;) {
		struct try t = { .run = r, .tries = MAX_TRIES };
		uint64_t before = r->part.len;
		enum verdict v = try_once(&t, url);

		if (v == DONE || v == STOP)
			return v;
		if (v == RESTART && !restarted) {
			restarted = true;
			if (part_restart(&r->part, r->err) < 0)
				return STOP;
			report_info(r->d->rep, "%s: %s; once more from the beginning", r->d->what,
				    t.reason);
			continue;
		}
		tries = r->part.len > before ? 1 : tries + 1;
		if (v == AGAIN && tries < t.tries && pause_before_retry(r, &t, tries))
			continue;
		add_reason(r, url, t.reason);
		return NEXT;
	}
}

static int give_up(struct run *r)
{
	if (!remaining_ms(r))
		buf_addf(&r->reasons, "%sgiven up after %u s", r->reasons.len ? "; " : "",
			 r->d->budget ? r->d->budget : BUDGET_DEFAULT);
	err_set(r->err, ERR_FAILED, "cannot download %s: %s", r->d->what, r->reasons.data);
	return r->d->remedy ? err_remedy(r->err, "%s", r->d->remedy) : -1;
}

/* An earlier run may have got all of it and died before the rename. */
static bool already_whole(struct run *r)
{
	struct try t = { .run = r };

	return r->d->size && r->d->sha256 && r->part.len == r->d->size && check_whole(&t) == DONE;
}

static enum verdict mirrors_run(struct run *r)
{
	enum verdict v = NEXT;

	if (r->part.len > limit(r->d) && part_restart(&r->part, r->err) < 0)
		return STOP;
	if (already_whole(r))
		return DONE;
	for (const char *const *url = r->d->urls; *url && v == NEXT && remaining_ms(r); url++)
		v = mirror_run(r, *url);
	return v;
}

/* What TLS has read and written goes back at once: whoever reads the file next wants memory too. */
static void run_release(struct run *r)
{
	sym_curl_easy_cleanup(r->curl);
	malloc_trim(0);
	part_release(&r->part);
	buf_release(&r->reasons);
}

int download_run(const struct download *d, int dirfd, int *ret_fd, struct err *err)
{
	struct run r CLEANUP(run_release) = {
		.d = d, .part = PART_INIT, .reasons = BUF_INIT, .err = err
	};
	const char *name = d->sha256 ? d->sha256 : d->name;
	enum verdict v;

	if (libcurl_load(err) < 0 || part_open(&r.part, dirfd, name, d->sha256 != NULL, err) < 0)
		return -1;
	r.curl = sym_curl_easy_init();
	if (!r.curl)
		return err_set(err, ERR_FAILED, "cannot download %s: libcurl does not start", d->what);
	r.deadline = clock_boot_ms() + 1000ULL * (d->budget ? d->budget : BUDGET_DEFAULT);
	v = mirrors_run(&r);
	if (v == DONE)
		return part_publish(&r.part, ret_fd, err);
	/* STOP without a signal is a disk that cannot take more: it gets its room back. */
	if (d->sha256 && (v != STOP || signals_pending()))
		part_keep(&r.part);
	else
		part_drop(&r.part);
	if (v == STOP)
		return signals_pending() ? -1 : err_prefix(err, "cannot download %s", d->what);
	return give_up(&r);
}
