/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-in for sysbox-runc: the distribution's runc, but `create` and `run` put the container
 * into a user namespace that maps 0 to the range of user "sysbox" in /etc/subuid and /etc/subgid.
 *
 * Two things are done for it. The bundle's config.json gets the namespace, the mappings and
 * another root path; and in a mount namespace of our own (it dies with the container) the root
 * file system is bound over /var/lib/sysboxfs, because the mapped root may not walk through
 * Docker's data directory (mode 0710).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "standin.h"

static const char *log_path;

/* On stderr, and where containerd looks for a runtime's last words. */
static void die(const char *message, const char *subject)
{
	FILE *log = log_path ? fopen(log_path, "ae") : NULL;

	if (log) {
		fprintf(log, "{\"level\":\"error\",\"msg\":\"%s %s\",", message, subject);
		fputs("\"time\":\"1970-01-01T00:00:00Z\"}\n", log);
		fclose(log);
	}
	fprintf(stderr, "%s %s\n", message, subject);
	exit(1);
}

static char *file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t len = 0, room = 1 << 16;
	char *text = malloc(room);

	if (!file || !text)
		die("stand-in: cannot read", path);
	for (size_t got; (got = fread(text + len, 1, room - len - 1, file)) > 0;) {
		len += got;
		if (len + 1 == room && !(text = realloc(text, room *= 2)))
			die("stand-in: out of memory for", path);
	}
	text[len] = '\0';
	fclose(file);
	return text;
}

/* The daemon behind path must accept and answer; the words are the real one's. */
static void need_daemon(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char answer[8];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die(errno == ENOENT ?
			    "failed to register with sysbox-mgr: connect: no such file or directory:" :
			    "failed to register with sysbox-mgr: connect: connection refused:",
		    path);
	if (read(fd, answer, sizeof(answer)) <= 0)
		die("failed to register with sysbox-mgr: no answer:", path);
	close(fd);
}

/* Start of the one range of 65536 ids that user "sysbox" has in /etc/subuid or /etc/subgid. */
static unsigned long range_start(const char *path)
{
	char *text = file_read(path);
	unsigned long start, count, found = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "sysbox:%lu:%lu", &start, &count) != 2 || count != 65536)
			continue;
		if (found)
			die("sysbox-runc requires user namespace uid mapping array have one element:",
			    path);
		found = start;
	}
	free(text);
	return found;
}

/*
 * The value after "key": in text, or NULL. A quote inside a JSON string is escaped, so key
 * cannot be data.
 */
static char *value_of(char *text, const char *key)
{
	char quoted[64];
	size_t len = (size_t)snprintf(quoted, sizeof(quoted), "\"%s\"", key);

	for (char *at = strstr(text, quoted); at; at = strstr(at + 1, quoted)) {
		char *value = at + len + strspn(at + len, " \t\n");

		if (*value == ':')
			return value + 1 + strspn(value + 1, " \t\n");
	}
	return NULL;
}

/* The root path, taken out of config.json: the text is cut in two around it. */
static char *cut_root_path(char *text, char **ret_rest)
{
	char *root = value_of(text, "root");
	char *path = root ? value_of(root, "path") : NULL;
	char *end = path && *path == '"' ? strchr(path + 1, '"') : NULL;

	if (!end)
		die("stand-in: no root path in", "config.json");
	char *copy = strndup(path + 1, (size_t)(end - path - 1));
	*path = '\0';
	*ret_rest = end + 1;
	return copy;
}

/*
 * Docker lets all groups ping; in a user namespace the kernel takes mapped groups only. Same
 * length, in place.
 */
static void ping_groups_limit(char *text)
{
	char *value = value_of(text, "net.ipv4.ping_group_range");

	if (value && !strncmp(value, "\"0 2147483647\"", 14))
		memcpy(value, "\"0      65535\"", 14);
}

static void config_write(const char *path, const char *head, char *rest, unsigned long start)
{
	char *namespaces = value_of(rest, "namespaces");
	bool present = namespaces && strstr(namespaces, "\"user\"");
	ping_groups_limit(rest);
	FILE *file = namespaces && *namespaces == '[' && !present ? fopen(path, "we") : NULL;

	if (!file)
		die("stand-in: cannot add a user namespace in", path);
	*namespaces = '\0';
	char *key = strrchr(rest, '"');
	for (*key-- = '\0'; *key != '"'; key--)
		;
	*key = '\0';
	fprintf(file, "%s\"" STANDIN_MOUNT "\"%s", head, rest);
	for (int i = 0; i < 2; i++)
		fprintf(file,
			"\"%cidMappings\":[{\"containerID\":0,\"hostID\":%lu,\"size\":65536}],",
			"ug"[i], start);
	fprintf(file, "\"namespaces\":[{\"type\":\"user\"},%s", namespaces + 1);
	if (fclose(file))
		die("stand-in: cannot write", path);
}

/* Slave: what Docker unmounts outside must not stay pinned in here. */
static void root_bind(const char *bundle, const char *root)
{
	char path[8192];

	snprintf(path, sizeof(path), *root == '/' ? "%.0s%s" : "%s/%s", bundle, root);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount(path, STANDIN_MOUNT, NULL, MS_BIND | MS_REC, NULL))
		die("stand-in: cannot bind root file system", path);
}

static void container_prepare(const char *bundle)
{
	char path[4096], *rest;

	if (standin_mode("no-run"))
		die("stand-in:", "built not to run");
	need_daemon(STANDIN_MGR_SOCKET);
	need_daemon(STANDIN_FS_SOCKET);
	unsigned long start = range_start("/etc/subuid");
	if (!start || range_start("/etc/subgid") != start)
		die("could not find matching subuid and subgids range for user", "sysbox");
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	char *text = file_read(path);
	char *root = cut_root_path(text, &rest);
	config_write(path, text, rest, start);
	root_bind(bundle, root);
	free(root);
	free(text);
}

static const char *option_of(int argc, char **argv, const char *name, const char *fallback)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name) && i + 1 < argc)
			return argv[i + 1];
		if (!strncmp(argv[i], name, len) && argv[i][len] == '=')
			return argv[i] + len + 1;
	}
	return fallback;
}

int main(int argc, char **argv)
{
	static const char *const runc[] = { "/usr/sbin/runc", "/usr/bin/runc", "/sbin/runc" };

	log_path = option_of(argc, argv, "--log", NULL);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-v")) {
			standin_print_version("sysbox-runc", "1.1.0+dev");
			return 0;
		}
		if (!strcmp(argv[i], "create") || !strcmp(argv[i], "run")) {
			container_prepare(option_of(argc, argv, "--bundle", "."));
			break;
		}
	}
	for (size_t i = 0; i < sizeof(runc) / sizeof(*runc); i++)
		execv(runc[i], argv);
	die("stand-in: the distribution's runc is not installed:", strerror(errno));
}
