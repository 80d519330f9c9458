/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "fetch/download.h"
#include "fetch/url.h"
#include "httpd_help.h"
#include "sys/signals.h"

#include <sys/file.h>
#include <sys/resource.h>

#define SIZE 300000

static struct httpd good, other, plain;
static struct err err;
static char *ca;
static char body[SIZE], sha[DIGEST_HEX + 1];
static int cache = -1;
static struct strv urls, plain_mirrors;
static uint64_t progress_done, progress_total;

static void on_report(struct report *r, const struct report_line *line)
{
	if (line->kind != REPORT_PROGRESS)
		return;
	progress_done = line->done;
	progress_total = line->total;
}

static struct report report = { .emit = on_report };

TEST(start, "servers with certificates of a private authority can be started")
{
	dir_make();
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 2654435761u >> 13);
	digest_hex(body, sizeof(body), sha);
	file_put("f", body, sizeof(body));
	CHECK_INT(fs_mkdir(test_dirfd, "cache", 0755, &err), 0);
	cache = openat(test_dirfd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lib_run("pki_make $1");
	good = httpd_start("server");
	other = httpd_start("other");
	plain = httpd_start(NULL);
	ca = in_dir("ca.pem");
}

/* What an earlier test left is taken away: each starts with an empty cache, an empty log. */
static void reset(void)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	fs_list_fd(cache, &names, NULL);
	for (size_t i = 0; i < names.n; i++)
		fs_unlink(cache, names.v[i], NULL);
	fs_unlink(test_dirfd, "requests", NULL);
	strv_release(&urls);
	strv_release(&plain_mirrors);
	err = (struct err)ERR_INIT;
	progress_done = progress_total = 0;
}

/* Each test's own name keeps the server's counters apart. */
static void add(const char *path)
{
	strv_addf(&urls, "https://localhost:%d%s", good.port, path);
}

static struct download want(void)
{
	return (struct download){
		.what = "thing 1.0",
		.urls = (const char *const *)urls.v,
		.sha256 = sha,
		.size = SIZE,
		.ca_file = ca,
		.plain_mirrors = &plain_mirrors,
		.stall = 60,
		.backoff_ms = 1,
		.rep = &report,
		.proxy = "",
	};
}

static void check_body(int fd)
{
	struct buf got CLEANUP(buf_release) = BUF_INIT;
	struct stat st;

	if (fs_read_fd(fd, SIZE, &got, &err) < 0)
		return;
	CHECK(got.len == SIZE && !memcmp(got.data, body, SIZE));
	CHECK(!fstat(fd, &st) && (st.st_mode & 07777) == 0644 && st.st_nlink == 1);
	CHECK_INT(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

/* It is in the cache under its hash, and nothing else is. */
static void check_cache(const char *name)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	fs_list_fd(cache, &names, NULL);
	CHECK_INT(names.n, 1);
	CHECK_STR(names.n ? names.v[0] : NULL, name);
}

static void check_fetched(const struct download *d)
{
	int fd CLEANUP(closep) = -1;

	CHECK_INT(download_run(d, cache, &fd, &err), 0);
	CHECK_STR(err.msg, "");
	if (fd < 0)
		return;
	check_body(fd);
	check_cache(d->sha256 ? d->sha256 : d->name);
}

static void check_failed(const struct download *d, const char *words)
{
	int fd = -7;

	CHECK_INT(download_run(d, cache, &fd, &err), -1);
	CHECK_INT(fd, -7);
	CHECK_INT(err.kind, ERR_FAILED);
	CHECK(strstr(err.msg, words) != NULL);
	if (!strstr(err.msg, words))
		printf("# got <%s>\n", err.msg);
	CHECK(faccessat(cache, sha, F_OK, 0) < 0);
}

static void check_log(const char *want_text)
{
	struct buf got CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT, cut CLEANUP(strv_release) = STRV_INIT;

	file_get("requests", &got);
	str_split(&lines, str_trim(got.data), '\n');
	for (size_t i = 0; i < lines.n; i++) {	/* the ETag holds a time */
		char *from = strstr(lines.v[i], "if-range=\""),
		     *to = from ? strchr(from, ' ') : NULL;

		if (to)
			strv_addf(&cut, "%.*sif-range=E%s", (int)(from - lines.v[i]), lines.v[i],
				  to);
		else
			strv_add(&cut, lines.v[i]);
	}
	char *joined CLEANUP(freep) = cut.n ? strv_join(&cut, "\n") : xstrdup("");

	CHECK_STR(joined, want_text);
}

TEST(plainly, "a file comes with its mode, read-only, and with progress")
{
	reset();
	add("/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /f range= if-range= 200");
	CHECK_INT(progress_done, SIZE);
	CHECK_INT(progress_total, SIZE);
}

TEST(no_size, "the size need not be known, nor announced")
{
	reset();
	add("/chunked/f");
	struct download d = want();

	d.size = 0;
	check_fetched(&d);
}

TEST(no_hash, "without a known hash the name is the caller's")
{
	reset();
	add("/f");
	struct download d = want();

	d.sha256 = NULL;
	d.name = "f.json";
	d.size = 0;
	d.max_size = SIZE;
	check_fetched(&d);
	d.max_size = SIZE - 1;
	d.name = "g.json";
	check_failed(&d, "has 300000 bytes, more than the 299999 allowed");
	check_cache("f.json");
}

TEST(local, "a file:// mirror is read; one that is not there is passed over")
{
	reset();
	strv_addf(&urls, "file://%s/none", test_dir);
	strv_addf(&urls, "file://%s/f", test_dir);
	struct download d = want();

	check_fetched(&d);
}

TEST(mirrors, "404 on the first mirror: the next one is asked")
{
	reset();
	add("/404/f");
	add("/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /404/f range= if-range= 404\nGET /f range= if-range= 200");
}

TEST(flaky, "500 twice, then 200: the same mirror is asked three times")
{
	reset();
	add("/flaky-500-2/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /flaky-500-2/f range= if-range= 500\nGET /flaky-500-2/f range= if-range= "
		"500\n"
		  "GET /flaky-500-2/f range= if-range= 200");
}

TEST(patience, "a mirror that stays broken is given up after four tries")
{
	reset();
	add("/flaky-503-9/f");
	add("/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /flaky-503-9/f range= if-range= 503\nGET /flaky-503-9/f range= if-range= "
		"503\n"
		  "GET /flaky-503-9/f range= if-range= 503\nGET /flaky-503-9/f range= if-range= "
		  "503\n"
		  "GET /f range= if-range= 200");
}

TEST(retry_after, "Retry-After is honoured: past the budget the next mirror is asked at once")
{
	reset();
	add("/busy-429-3600/f");
	add("/busy-429-0/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /busy-429-3600/f range= if-range= 429\nGET /busy-429-0/f range= if-range= "
		"429\n"
		  "GET /busy-429-0/f range= if-range= 200");
}

TEST(cut, "a cut in the middle is resumed with If-Range")
{
	reset();
	add("/cut-at-100000/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /cut-at-100000/f range= if-range= 200\nGET /cut-at-100000/f "
		"range=bytes=100000- if-range=E 206");
}

TEST(stall, "a stall ends the try, and the rest is resumed")
{
	reset();
	add("/stall-at-100000/f");
	struct download d = want();

	d.stall = 5;
	check_fetched(&d);
	check_log("GET /stall-at-100000/f range= if-range= 200\nGET /stall-at-100000/f "
		"range=bytes=100000- if-range=E 206");
}

TEST(other_mirror, "what one mirror began another one ends")
{
	reset();
	add("/short/f");
	add("/cut-at-100001/f");
	add("/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /short/f range= if-range= 200\nGET /cut-at-100001/f range= if-range= 200\n"
		  "GET /cut-at-100001/f range=bytes=100001- if-range=E 206");
}

TEST(no_range, "a server that ignores the range is read from the beginning")
{
	reset();
	add("/no-range-100000/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /no-range-100000/f range= if-range= 200\nGET /no-range-100000/f "
		"range=bytes=100000- if-range=E 200");
}

TEST(bad_range, "416 drops the part, once")
{
	reset();
	add("/bad-416-100000/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /bad-416-100000/f range= if-range= 200\nGET /bad-416-100000/f "
		"range=bytes=100000- if-range=E 416\n"
		  "GET /bad-416-100000/f range= if-range= 200");
}

TEST(new_etag, "another version of the file is read from the beginning")
{
	reset();
	add("/new-etag-100000/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /new-etag-100000/f range= if-range= 200\nGET /new-etag-100000/f "
		"range=bytes=100000- if-range=E 200");
}

TEST(shifted, "a range that was not asked for is not appended")
{
	reset();
	add("/shifted-100000/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /shifted-100000/f range= if-range= 200\nGET /shifted-100000/f "
		"range=bytes=100000- if-range=E 206\n"
		  "GET /shifted-100000/f range= if-range= 200");
}

TEST(left, "what an earlier run left is resumed, without a validator too")
{
	reset();
	add("/f");
	struct download d = want();
	char *part CLEANUP(freep) = xasprintf("%s.part", sha),
		   *meta CLEANUP(freep) = xasprintf("%s.meta", sha);

	CHECK_INT(fs_put(cache, part, 0600, body, 1234, &err), 0);
	CHECK_INT(fs_put(cache, meta, 0600, "\"old\"", 5, &err), 0);
	check_fetched(&d);
	check_log("GET /f range=bytes=1234- if-range=E 200");

	reset();
	add("/f");
	d = want();
	CHECK_INT(fs_put(cache, part, 0600, body, 1234, &err), 0);
	check_fetched(&d);
	check_log("GET /f range=bytes=1234- if-range= 206");
}

TEST(left_whole, "a whole part is taken up without asking anybody")
{
	reset();
	add("/f");
	struct download d = want();
	char *part CLEANUP(freep) = xasprintf("%s.part", sha);

	CHECK_INT(fs_put(cache, part, 0600, body, SIZE, &err), 0);
	check_fetched(&d);
	CHECK(!file_exists("requests"));
}

TEST(left_wrong, "a damaged part is found out by the hash, and the file fetched once more from "
	"the beginning")
{
	reset();
	add("/f");
	struct download d = want();
	char *part CLEANUP(freep) = xasprintf("%s.part", sha);

	CHECK_INT(fs_put(cache, part, 0600, "damaged", 7, &err), 0);
	check_fetched(&d);
	check_log("GET /f range=bytes=7- if-range= 206\nGET /f range= if-range= 200");
}

TEST(left_link, "a part that is a link is not written through")
{
	reset();
	add("/f");
	struct download d = want();
	char *part CLEANUP(freep) = xasprintf("%s.part", sha);
	struct buf got CLEANUP(buf_release) = BUF_INIT;

	file_put("victim", "mine", 4);
	CHECK_INT(symlinkat("../victim", cache, part), 0);
	check_fetched(&d);
	file_get("victim", &got);
	CHECK_STR(got.data, "mine");
}

TEST(kept, "what a failed run got is kept for the next one, with its ETag")
{
	reset();
	add("/cut-at-100002/f");
	struct download d = want();
	char *meta CLEANUP(freep) = xasprintf("%s.meta", sha);

	d.backoff_ms = 10000;
	d.budget = 3;
	check_failed(&d, ": cut off");
	CHECK(faccessat(cache, meta, F_OK, 0) == 0);
	err = (struct err)ERR_INIT;
	check_fetched(&d);
	check_log("GET /cut-at-100002/f range= if-range= 200\nGET /cut-at-100002/f "
		"range=bytes=100002- if-range=E 206");
}

TEST(wrong_hash, "wrong bytes are refused, not kept, and the next mirror asked")
{
	reset();
	add("/other-bytes/f");
	struct download d = want();

	check_failed(&d, "has the wrong SHA-256 ");
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	fs_list_fd(cache, &names, NULL);
	CHECK_INT(names.n, 0);
	err = (struct err)ERR_INIT;
	add("/f");
	d = want();
	check_fetched(&d);
}

TEST(liar, "a server that goes on with another file is found out, and read from the beginning once")
{
	reset();
	add("/liar-100000/f");
	add("/f");
	struct download d = want();

	check_fetched(&d);
	check_log("GET /liar-100000/f range= if-range= 200\nGET /liar-100000/f "
		"range=bytes=100000- if-range=E 206\n"
		  "GET /liar-100000/f range= if-range= 200\nGET /f range= if-range= 200");
}

TEST(more, "more bytes than announced end the transfer at the size, chunked or not")
{
	reset();
	add("/chunked-more/f");
	struct download d = want();

	check_failed(&d, "sends more than 300000 bytes");
	d.size = 0;
	d.max_size = SIZE + 1000;
	check_failed(&d, "sends more than 301000 bytes");
	reset();
	add("/f");
	d = want();
	d.size = SIZE - 1;
	check_failed(&d, "has 300000 bytes instead of 299999");
	d.size = SIZE + 1;
	check_failed(&d, "has 300000 bytes instead of 300001");
}

TEST(redirects, "redirects are followed to https, never to plain http, a local file or for ever")
{
	reset();
	add("/redirect-ok/f");
	struct download d = want();

	check_fetched(&d);
	reset();
	add("/redirect-http/f");
	d = want();
	check_failed(&d, "redirects to 'http://localhost:");
	check_log("GET /redirect-http/f range= if-range= 302");
	reset();
	add("/redirect-file/f");
	d = want();
	check_failed(&d, "redirects to 'file:///");
	reset();
	add("/redirect-loop/f");
	d = want();
	check_failed(&d, "redirects more than 5 times");
}

TEST(plain_http, "plain http is refused unless the profile lists the mirror, also as a "
	"redirect's target")
{
	reset();
	strv_addf(&urls, "http://localhost:%d/f", plain.port);
	struct download d = want();

	check_failed(&d, "f: plain http, and not listed in");
	CHECK(!file_exists("requests"));
	strv_addf(&plain_mirrors, "http://localhost:%d/", plain.port);
	err = (struct err)ERR_INIT;
	check_fetched(&d);
	reset();
	strv_addf(&plain_mirrors, "http://localhost:%d/redirect-http/", plain.port);
	strv_addf(&urls, "http://localhost:%d/redirect-http/f", plain.port);
	d = want();
	check_failed(&d, "redirects to 'http://localhost:");
}

TEST(names, "a certificate of another name or of an unknown authority is refused, without a "
	"second try")
{
	reset();
	strv_addf(&urls, "https://localhost:%d/f", other.port);
	struct download d = want();

	check_failed(&d, "certificate refused: ");
	reset();
	add("/f");
	d = want();
	d.ca_file = NULL;
	check_failed(&d, "certificate refused: ");
	CHECK(!file_exists("requests"));
}

TEST(all_bad, "when no mirror helps, one line names each with its reason")
{
	reset();
	strv_addf(&urls, "https://user:secret@localhost:%d/404/f?token=secret", good.port);
	add("/403/f");
	add("/flaky-500-9/f");
	struct download d = want();
	char *want_msg CLEANUP(freep) = xasprintf(
		"cannot download thing 1.0: https://localhost:%d/404/f: not found (status 404); "
		"https://localhost:%d/403/f: "
		"forbids it (status 403); https://localhost:%d/flaky-500-9/f: internal server "
		"error (status 500)",
		good.port, good.port, good.port);

	check_failed(&d, "cannot download");
	CHECK_STR(err.msg, want_msg);
	CHECK(!strstr(err.msg, "secret"));
}

TEST(full, "a disk that is full stops it, whatever the mirrors, and gets its room back")
{
	reset();
	add("/f");
	add("/f");
	struct download d = want();
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct rlimit old, low = { 100000, RLIM_INFINITY };

	CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &low), 0);
	check_failed(&d, "cannot write '");
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	fs_list_fd(cache, &names, NULL);
	CHECK_INT(names.n, 0);
	check_log("GET /f range= if-range= 200");
}

static void on_bytes(struct report *r, const struct report_line *line)
{
	if (line->kind == REPORT_PROGRESS)
		raise(SIGTERM);
}

TEST(interrupted, "a signal ends it; what came is kept")
{
	struct report raising = { .emit = on_bytes };
	int fd = -1, status = 0;

	reset();
	add("/f");
	fflush(stdout);
	pid_t child = fork();	/* the note of a signal cannot be taken back */

	if (!child) {
		struct download d = want();

		d.rep = &raising;
		signals_init();
		status = download_run(&d, cache, &fd, &err) == -1 &&
			 str_eq(err.msg, "the download of thing 1.0 was stopped by SIGTERM");
		_exit(status ? 0 : 1);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
	char *part CLEANUP(freep) = xasprintf("%s.part", sha);

	CHECK(faccessat(cache, part, F_OK, 0) == 0);
	struct download d = want();

	check_fetched(&d);
}

TEST(locked, "two processes do not write one part")
{
	reset();
	add("/f");
	struct download d = want();
	char *part CLEANUP(freep) = xasprintf("%s.part", sha);
	int fd CLEANUP(closep) = io_openat(cache, part, O_RDWR | O_CREAT, 0600), got = -1;

	CHECK_INT(flock(fd, LOCK_EX), 0);
	CHECK_INT(download_run(&d, cache, &got, &err), -1);
	CHECK_INT(err.kind, ERR_LOCKED);
}

TEST(shown, "addresses are shown without passwords, queries and escapes")
{
	char buf[128];

	url_shown("https://u:p@host/a@b?q", buf, sizeof(buf));
	CHECK_STR(buf, "https://host/a@b");
	url_shown("https://host/\033[2J", buf, sizeof(buf));
	CHECK_STR(buf, "https://host/\\x1b[2J");
	url_shown("nonsense#x", buf, sizeof(buf));
	CHECK_STR(buf, "nonsense");
}

TEST(end, "nothing is left behind")
{
	reset();
	httpd_stop(&good);
	httpd_stop(&other);
	httpd_stop(&plain);
	closep(&cache);
	free(ca);
	dir_remove();
	CHECK(access(test_dir, F_OK) < 0);
}

RUN_TESTS()
