/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd --root DIR --log FILE [--cert FILE --key FILE]: a server on loopback that misbehaves on
 * request. Without --cert it speaks plain http. It prints "port N" and dies with its parent. GET
 * and CONNECT, one answer per connection, Range and If-Range as in RFC 9110, ETag of size and
 * mtime. One line of log per request:
 *
 *	GET /cut-at-1000/x range=bytes=1000- if-range="..." 206
 *
 * The first part of the path says how it misbehaves; the rest is the file. "Once" is once per path.
 *
 *	/404/ /403/ ...		that status
 *	/flaky-500-2/		status 500 twice, then well (any status, any number)
 *	/busy-429-7/		status 429 with Retry-After: 7, once
 *	/cut-at-1000/		closes after 1000 bytes, once
 *	/stall-at-1000/		goes silent after 1000 bytes, once
 *	/no-range-1000/		cut as above; ignores Range for ever
 *	/bad-416-1000/		cut; then 416 for each Range
 *	/new-etag-1000/		cut; another ETag (and If-Range respected) afterwards
 *	/liar-1000/		cut; then 206 with another ETag and other bytes, also against
 *				If-Range
 *	/shifted-1000/		cut; then a 206 of another range than asked for
 *	/other-bytes/		the first byte is another one
 *	/short/			half of the file, as if it were all
 *	/chunked/		no length
 *	/chunked-more/		no length, and bytes without end
 *	/redirect-ok/ -http/ -file/ -loop/	302 to https here, plain http here, file:///, itself
 *
 * It is a proxy too: CONNECT to a port of loopback, whatever the host is called, logged as
 * "CONNECT localhost:1234 range= if-range= 200".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (256 * 1024)
#define PATHS_MAX 256

static struct {
	const char *root, *log, *cert, *key;
	int port;
	SSL_CTX *tls;
	pthread_mutex_t lock;
	struct {
		char path[512];
		unsigned int n;
	} seen[PATHS_MAX];
} server = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct conn {
	int fd;
	SSL *ssl;
	char method[16], path[512], range[64], if_range[256], host[128];
	unsigned int times;		/* how often this path was asked before */
	int status;
};

struct answer {
	char etag[96], more[256];
	uint64_t from, to, size;	/* [from, to) of size */
	uint64_t cut;			/* bytes of the body until something happens, UINT64_MAX = never */
	bool stall, chunked, endless, flip;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static bool put(struct conn *c, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, p, len > INT32_MAX ? INT32_MAX : (int)len)
				   : send(c->fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool putf(struct conn *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return put(c, text, (size_t)n);
}

static unsigned int count(const char *path)
{
	unsigned int n = 0;

	pthread_mutex_lock(&server.lock);
	for (size_t i = 0; i < PATHS_MAX; i++) {
		if (server.seen[i].path[0] && strcmp(server.seen[i].path, path))
			continue;
		snprintf(server.seen[i].path, sizeof(server.seen[i].path), "%s", path);
		n = server.seen[i].n++;
		break;
	}
	pthread_mutex_unlock(&server.lock);
	return n;
}

static void log_request(const struct conn *c)
{
	char line[1200];
	int fd = open(server.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	int n = snprintf(line, sizeof(line), "%s %s range=%s if-range=%s %d\n", c->method, c->path,
			 c->range, c->if_range, c->status);

	if (fd < 0 || write(fd, line, (size_t)n) != n)
		die(server.log);
	close(fd);
}

/* --- the request --- */

static void header(const char *head, const char *name, char *ret, size_t size)
{
	const char *p = strcasestr(head, name);

	ret[0] = '\0';
	if (!p)
		return;
	p += strlen(name);
	p += strspn(p, " ");
	snprintf(ret, size, "%.*s", (int)strcspn(p, "\r\n"), p);
}

static bool read_request(struct conn *c)
{
	char head[8192];
	size_t len = 0;

	do {
		ssize_t n = c->ssl ? SSL_read(c->ssl, head + len, (int)(sizeof(head) - 1 - len))
				   : recv(c->fd, head + len, sizeof(head) - 1 - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
		head[len] = '\0';
	} while (!strstr(head, "\r\n\r\n") && len < sizeof(head) - 1);
	if (sscanf(head, "%15s %511s HTTP/1.1", c->method, c->path) != 2)
		return false;
	header(head, "\r\nRange:", c->range, sizeof(c->range));
	header(head, "\r\nIf-Range:", c->if_range, sizeof(c->if_range));
	header(head, "\r\nHost:", c->host, sizeof(c->host));
	return true;
}

/* --- the answer --- */

static void answer_status(struct conn *c, int status, const char *more)
{
	c->status = status;
	log_request(c);
	putf(c, "HTTP/1.1 %d Whatever\r\nConnection: close\r\nContent-Length: 5\r\n%s\r\nsorry", status, more);
}

static void answer_redirect(struct conn *c, const char *to, const char *rest)
{
	char more[768];

	if (!strcmp(to, "ok"))
		snprintf(more, sizeof(more), "Location: https://%s%s\r\n", c->host, rest);
	else if (!strcmp(to, "http"))
		snprintf(more, sizeof(more), "Location: http://%s%s\r\n", c->host, rest);
	else if (!strcmp(to, "file"))
		snprintf(more, sizeof(more), "Location: file://%s%s\r\n", server.root, rest);
	else
		snprintf(more, sizeof(more), "Location: %s\r\n", c->path);
	answer_status(c, 302, more);
}

static void send_head(struct conn *c, const struct answer *a)
{
	c->status = a->from || c->status == 206 ? 206 : 200;
	log_request(c);
	putf(c, "HTTP/1.1 %d OK\r\nConnection: close\r\nAccept-Ranges: bytes\r\nETag: %s\r\n", c->status, a->etag);
	if (c->status == 206)
		putf(c, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)a->from,
		     (unsigned long long)a->to - 1, (unsigned long long)a->size);
	if (a->chunked)
		putf(c, "Transfer-Encoding: chunked\r\n\r\n");
	else
		putf(c, "Content-Length: %llu\r\n\r\n", (unsigned long long)(a->to - a->from));
}

static bool send_block(struct conn *c, const struct answer *a, const char *block, size_t n)
{
	if (!a->chunked)
		return put(c, block, n);
	return putf(c, "%zx\r\n", n) && put(c, block, n) && put(c, "\r\n", 2);
}

/* Nothing more is said until the other side goes. */
static void wait_gone(struct conn *c)
{
	char byte;

	while (recv(c->fd, &byte, 1, 0) > 0)
		;
}

static void send_body(struct conn *c, const struct answer *a, int fd)
{
	char *block = malloc(BLOCK);
	uint64_t sent = 0;

	for (uint64_t at = a->from; at < a->to && sent < a->cut;) {
		uint64_t want = a->to - at < a->cut - sent ? a->to - at : a->cut - sent;
		ssize_t n = pread(fd, block, want < BLOCK ? want : BLOCK, (off_t)at);

		if (n <= 0)
			break;
		if (a->flip && !sent)
			block[0] ^= 1;
		if (!send_block(c, a, block, (size_t)n))
			break;
		at += (uint64_t)n;
		sent += (uint64_t)n;
	}
	if (a->stall && sent == a->cut)
		wait_gone(c);
	memset(block, 'x', BLOCK);
	while (a->endless && send_block(c, a, block, BLOCK))
		;
	if (a->chunked)
		putf(c, "0\r\n\r\n");
	free(block);
}

/* The first `once` of a path is cut; what comes later depends on the kind. */
static void misbehave(struct conn *c, struct answer *a, const char *kind, uint64_t n)
{
	bool first = c->times == 0;

	if (!strcmp(kind, "cut-at") || !strcmp(kind, "no-range") || !strcmp(kind, "bad-416") ||
	    !strcmp(kind, "new-etag") || !strcmp(kind, "liar") || !strcmp(kind, "shifted") ||
	    !strcmp(kind, "stall-at"))
		a->cut = first ? n : UINT64_MAX;
	a->stall = first && !strcmp(kind, "stall-at");
	a->chunked = !strncmp(kind, "chunked", 7);
	a->endless = !strcmp(kind, "chunked-more");
	a->flip = !strcmp(kind, "other-bytes") || (!strcmp(kind, "liar") && !first);
	if (!strcmp(kind, "short"))
		a->size /= 2;
	if (!first && (!strcmp(kind, "new-etag") || !strcmp(kind, "liar")))
		snprintf(a->etag, sizeof(a->etag), "\"another\"");
}

/* False: answered already. */
static bool apply_range(struct conn *c, struct answer *a, const char *kind)
{
	unsigned long long from;

	a->to = a->size;
	if (!c->range[0] || !strcmp(kind, "no-range") ||
	    sscanf(c->range, "bytes=%llu-", &from) != 1)
		return true;
	if (c->if_range[0] && strcmp(c->if_range, a->etag) && strcmp(kind, "liar") != 0)
		return true;
	if (from >= a->size || !strcmp(kind, "bad-416")) {
		answer_status(c, 416, "");
		return false;
	}
	a->from = !strcmp(kind, "shifted") ? from - 1 : from;
	c->status = 206;
	return true;
}

static void serve_file(struct conn *c, const char *kind, uint64_t n, const char *rest)
{
	struct answer a = { .cut = UINT64_MAX };
	char path[1024];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s%.*s", server.root, (int)strcspn(rest, "?"), rest);
	fd = strstr(rest, "..") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		answer_status(c, 404, "");
	} else {
		a.size = (uint64_t)st.st_size;
		snprintf(a.etag, sizeof(a.etag), "\"%llx-%llx.%lx\"",
			 (unsigned long long)st.st_size, (unsigned long long)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec);
		misbehave(c, &a, kind, n);
		if (apply_range(c, &a, kind)) {
			send_head(c, &a);
			send_body(c, &a, fd);
		}
	}
	if (fd >= 0)
		close(fd);
}

static void answer(struct conn *c)
{
	const char *rest = strchr(c->path + 1, '/');
	char kind[64] = "", more[64];
	unsigned int status, n = 0;
	char *dash;

	if (rest)
		snprintf(kind, sizeof(kind), "%.*s", (int)(rest - c->path - 1), c->path + 1);
	c->times = count(c->path);
	if (sscanf(kind, "flaky-%u-%u", &status, &n) == 2 && c->times < n) {
		answer_status(c, (int)status, "");
	} else if (sscanf(kind, "busy-%u-%u", &status, &n) == 2 && !c->times) {
		snprintf(more, sizeof(more), "Retry-After: %u\r\n", n);
		answer_status(c, (int)status, more);
	} else if (!strncmp(kind, "redirect-", 9)) {
		answer_redirect(c, kind + 9, rest);
	} else if (sscanf(kind, "%u", &status) == 1 && status >= 400) {
		answer_status(c, (int)status, "");
	} else {
		dash = strrchr(kind, '-');
		n = 0;
		if (dash && sscanf(dash, "-%u", &n) == 1)
			*dash = '\0';
		serve_file(c, kind, n, rest ? rest : c->path);
	}
}

/* --- the proxy --- */

static int connect_loopback(const char *to)
{
	const char *colon = strrchr(to, ':');
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(colon ? (uint16_t)atoi(colon + 1) : 0),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool pass_on(int from, int to)
{
	char block[16384];
	ssize_t n = recv(from, block, sizeof(block), 0);

	return n > 0 && send(to, block, (size_t)n, MSG_NOSIGNAL) == n;
}

static void tunnel(struct conn *c)
{
	int far = connect_loopback(c->path);
	struct pollfd p[] = { { .fd = c->fd, .events = POLLIN }, { .fd = far, .events = POLLIN } };

	if (far < 0) {
		answer_status(c, 502, "");
		return;
	}
	c->status = 200;
	log_request(c);
	putf(c, "HTTP/1.1 200 Connected\r\n\r\n");
	while (poll(p, 2, -1) > 0)
		if ((p[0].revents && !pass_on(c->fd, far)) ||
		    (p[1].revents && !pass_on(far, c->fd)))
			break;
	close(far);
}

static void *serve(void *arg)
{
	struct conn c = { .fd = (int)(intptr_t)arg };

	if (server.tls) {
		c.ssl = SSL_new(server.tls);
		SSL_set_fd(c.ssl, c.fd);
	}
	if ((!c.ssl || SSL_accept(c.ssl) == 1) && read_request(&c)) {
		if (!strcmp(c.method, "CONNECT"))
			tunnel(&c);
		else
			answer(&c);
		if (c.ssl)
			SSL_shutdown(c.ssl);
	}
	SSL_free(c.ssl);
	shutdown(c.fd, SHUT_WR);
	close(c.fd);
	return NULL;
}

/* --- start --- */

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "root", 1, NULL, 'r' },
		{ "log", 1, NULL, 'l' },
		{ "cert", 1, NULL, 'c' },
		{ "key", 1, NULL, 'k' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'r': server.root = optarg; break;
		case 'l': server.log = optarg; break;
		case 'c': server.cert = optarg; break;
		case 'k': server.key = optarg; break;
		default: exit(2);
		}
	}
	if (!server.root || !server.log || !server.cert != !server.key) {
		fprintf(stderr, "usage: httpd --root DIR --log FILE [--cert FILE --key FILE]\n");
		exit(2);
	}
}

static void start_tls(void)
{
	if (!server.cert)
		return;
	server.tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(server.tls, TLS1_2_VERSION);
	SSL_CTX_set_options(server.tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (SSL_CTX_use_certificate_chain_file(server.tls, server.cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(server.tls, server.key, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
}

static int start_listening(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		die("listen");
	server.port = ntohs(addr.sin_port);
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	pid_t parent = getppid();
	int listener;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	read_options(argc, argv);
	start_tls();
	listener = start_listening();
	printf("port %d\n", server.port);
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			die("accept");
		if (fd >= 0 && (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) ||
				pthread_detach(thread)))
			die("thread");
	}
}
