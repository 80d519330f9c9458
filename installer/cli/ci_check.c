/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ci_check.h"

#include "ci/inside.h"
#include "ci/words.h"
#include "docker/tlsprobe.h"
#include "sys/fs.h"
#include "sys/sock.h"

#include <stdlib.h>

enum { TEXT_MAX = 4 * 1024 * 1024, PEM_MAX = 64 * 1024, ASK_MS = 10000 };

static const char user_words[] = "root in here is nobody outside only in a user namespace of its own";
static const char socket_words[] = "whoever can speak to it is root on that host";
static const char privileged_words[] = "with the host's users, CAP_SYS_ADMIN is the host";

static int read_text(const char *path, size_t max, struct buf *ret, struct err *err)
{
	int r = fs_read_at(AT_FDCWD, path, max, ret, err);

	return r > 0 ? err_set(err, ERR_FAILED, "there is no '%s'", path) : r;
}

/* ---- the container ---- */

static int check_users(struct report *rep, bool tls, bool *ret_own, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char shown[200];

	if (read_text("/proc/self/uid_map", TEXT_MAX, &text, err) < 0)
		return -1;
	*ret_own = inside_own_users(text.data);
	text.data[strcspn(text.data, "\n")] = '\0';
	err_quote(shown, sizeof(shown), str_trim(text.data));
	report_check(rep, "user-namespace",
		     *ret_own ? STATE_OK :
		     tls      ? STATE_NONE :
				STATE_BAD,
		     user_words, tls ? NULL : "let the job run with the runtime sysbox-runc", "uid_map: %s", shown);
	return 0;
}

static int check_privileges(struct report *rep, bool own, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	bool may;

	if (read_text("/proc/self/status", TEXT_MAX, &text, err) < 0)
		return -1;
	may = inside_may_admin(text.data);
	report_check(rep, "privileged", may && !own ? STATE_BAD : STATE_OK, privileged_words,
		     "take privileged and cap_add from the job", "%s",
		     !may ? "no" :
		     own  ? "only over its own user namespace" :
			    "CAP_SYS_ADMIN is within reach, over the host's users");
	return 0;
}

static bool is_there(const char *path, int *ret_fd)
{
	struct stat st;

	*ret_fd = io_open_existing(AT_FDCWD, path, O_PATH);
	return *ret_fd >= 0 && !fstat(*ret_fd, &st) && S_ISSOCK(st.st_mode);
}

/* Not one of a Docker inside of this container: that one has our users and our processes. */
static bool is_foreign(int fd, bool own)
{
	static const char ping[] = "GET /_ping HTTP/1.0\r\n\r\n";
	struct buf answer CLEANUP(buf_release) = BUF_INIT;
	pid_t peer = 0;

	return !sock_ask(fd, ping, "\r\n", ASK_MS, &answer, &peer) && (!own || !peer);
}

static void look_at(struct report *rep, const char *path, bool mounted, bool own, bool *found)
{
	int fd CLEANUP(closep) = -1;

	if (!is_there(path, &fd) || (!mounted && !is_foreign(fd, own)))
		return;
	*found = true;
	report_check(rep, "host-socket", STATE_BAD, socket_words,
		     "take it out of the job's volumes", "'%s' is %s", path,
		     mounted ? "mounted into this job" : "answered from outside of this job");
}

static int check_sockets(struct report *rep, bool own, struct err *err)
{
	static const char *const usual[] = { "/run/docker.sock", "/run/containerd/containerd.sock",
					     "/run/podman/podman.sock" };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv mounted CLEANUP(strv_release) = STRV_INIT;
	bool found = false;

	if (read_text("/proc/self/mountinfo", TEXT_MAX, &text, err) < 0)
		return -1;
	inside_sockets(text.data, &mounted);
	for (size_t i = 0; i < mounted.n; i++)
		look_at(rep, mounted.v[i], true, own, &found);
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (!strv_has(&mounted, usual[i]))
			look_at(rep, usual[i], false, own, &found);
	if (!found)
		report_check(rep, "host-socket", STATE_OK, NULL, NULL,
			     "none is mounted, and nobody outside answers");
	return 0;
}

/* ---- TLS ---- */

struct pems {
	struct buf ca, cert, key;
};

static void pems_release(struct pems *p)
{
	buf_release(&p->ca);
	memset(p->key.data, 0, p->key.len);
	buf_release(&p->key);
	buf_release(&p->cert);
}

static int read_pem(const char *dir, const char *name, struct buf *ret, struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("%s/%s", dir, name);

	return read_text(path, PEM_MAX, ret, err);
}

/* -1: said already. */
static int check_files(struct report *rep, const char *dir, struct pems *ret)
{
	struct err why = ERR_INIT;

	if (str_empty(dir))
		err_set(&why, ERR_FAILED, "DOCKER_CERT_PATH is not set");
	else if (!read_pem(dir, "ca.pem", &ret->ca, &why) &&
		 !read_pem(dir, "cert.pem", &ret->cert, &why) &&
		 !read_pem(dir, "key.pem", &ret->key, &why)) {
		report_check(rep, "certificate", STATE_OK, NULL, NULL,
			     "ca.pem, cert.pem and key.pem are in '%s'", dir);
		return 0;
	}
	report_check(rep, "certificate", STATE_BAD, "without one the daemon serves nobody",
		     "mount what `sysboxup cert export NAME` makes", "%s", why.msg);
	return -1;
}

static int check_variables(struct report *rep, const char *host)
{
	const char *verify = getenv("DOCKER_TLS_VERIFY");
	bool good = word_is_host(host) && !str_empty(verify);
	char shown[200];

	err_quote(shown, sizeof(shown), host ? host : "");
	report_check(rep, "docker-host", good ? STATE_OK : STATE_BAD,
		     "without DOCKER_TLS_VERIFY the client believes any server, or speaks in clear",
		     "sysboxup ci --for env prints the three variables", "DOCKER_HOST is '%s', DOCKER_TLS_VERIFY is %s", shown,
		     str_empty(verify) ? "not set" : "set");
	return good ? 0 : -1;
}

static char *name_of(const char *address)
{
	const char *colon = strrchr(address, ':');

	return xstrndup(address, (size_t)(colon - address));
}

static void check_served(struct report *rep, const char *host, const struct pems *pems)
{
	const char *address = host + strlen("tcp://");
	char *name CLEANUP(freep) = name_of(address), *words CLEANUP(freep) = NULL;
	struct tls_probe p = { .address = address, .name = name, .ca = &pems->ca,
			       .cert = &pems->cert, .key = &pems->key };
	enum tls_probe_result r = tls_probe(&p, &words);

	report_check(rep, "served", r == PROBE_SERVED ? STATE_OK : STATE_BAD,
		     "the variables alone do not say that the daemon takes this certificate",
		     "sysboxup cert list, on the daemon's host, says which ones are valid", "%s: %s", address, words);
}

static void check_tls(struct report *rep)
{
	struct pems pems CLEANUP(pems_release) = { BUF_INIT, BUF_INIT, BUF_INIT };
	const char *host = getenv("DOCKER_HOST");
	int bad = check_variables(rep, host);

	if (!check_files(rep, getenv("DOCKER_CERT_PATH"), &pems) && !bad)
		check_served(rep, host, &pems);
}

int ci_check(struct report *rep, const char *way, struct err *err)
{
	const char *host = getenv("DOCKER_HOST");
	bool tls = way ? str_eq(way, "tls") : host && str_starts(host, "tcp://"), own = false;
	unsigned int before = rep->bad;

	if (check_users(rep, tls, &own, err) < 0 || check_sockets(rep, own, err) < 0 ||
	    check_privileges(rep, own, err) < 0)
		return -1;
	if (tls)
		check_tls(rep);
	if (rep->bad == before)
		return 0;
	err_set(err, ERR_DRIFT, "this job does not use %s, or not that alone: %u of these are wrong",
		tls ? "the Docker API behind TLS" : "Sysbox", rep->bad - before);
	return err_remedy(err, "do what the lines above say");
}
