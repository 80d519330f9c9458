/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker/ by hand, for tests/docker.bats inside a guest: facts by host_gather, then one of
 *
 *	flags				the next start's flags with their places
 *	check FILE			docker_config_check against what is in place
 *	canary FILE			"good", or "bad: " and dockerd's words
 *	go FILE|absent [keep]		from what is in place to FILE, stage by stage
 *	restart
 *	probe [RUNTIME]
 */
#include "docker/canary.h"
#include "docker/daemon.h"
#include "docker/probe.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct root root = ROOT_INIT;
static struct host h;
static struct err err = ERR_INIT;

static int fail(void)
{
	printf("error %d: %s\n", err.kind, err.msg);
	return 1;
}

static void slurp(const char *path, struct buf *ret)
{
	char data[4096];
	FILE *f = fopen(path, "r");

	for (size_t n; f && (n = fread(data, 1, sizeof(data), f)) > 0;)
		buf_add(ret, data, n);
	if (f)
		fclose(f);
}

static int put(const struct docker_stage *s)
{
	if (s->absent)
		return unlink(h.docker.config_file);
	mkdir("/etc/docker", 0755);
	FILE *f = fopen(h.docker.config_file, "w");
	return !f || fwrite(s->text.data, 1, s->text.len, f) != s->text.len || fclose(f) ? -1 : 0;
}

static int flags(void)
{
	const struct docker_flags *f = h.docker.flags;

	for (size_t i = 0; f && i < f->n; i++)
		printf("%s=%s %s %u\n", f->v[i].name, f->v[i].value, f->v[i].file, f->v[i].line);
	return 0;
}

static int check(const char *file)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT, now CLEANUP(buf_release) = BUF_INIT;
	struct json *current CLEANUP(json_freep) = NULL;
	struct report rep = { 0 };

	slurp(file, &text);
	slurp(h.docker.config_file, &now);
	if (now.len && json_parse(now.data, now.len, JSON_STRICT, "daemon.json", &current, &err))
		return fail();
	if (docker_config_check(&h, current, text.data, text.len, NULL, &rep, &err))
		return fail();
	printf("ok, %u warnings\n", rep.warnings);
	return 0;
}

static int canary(const char *file)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char *why CLEANUP(freep) = NULL;

	slurp(file, &text);
	mkdir("/var/lib/drive", 0700);
	int r = docker_canary(&h, text.data, text.len, "/var/lib/drive", DOCKER_CANARY_TIMEOUT,
			      &why, &err);
	rmdir("/var/lib/drive");
	if (r < 0)
		return fail();
	printf("%s%s\n", r ? "bad: " : "good", r ? why : "");
	return 0;
}

static int go(const char *file, bool keep)
{
	static const char *const names[] = {
		[TAKEUP_NONE] = "none", [TAKEUP_RELOAD] = "reload", [TAKEUP_RESTART] = "restart"
	};
	struct buf from CLEANUP(buf_release) = BUF_INIT, to CLEANUP(buf_release) = BUF_INIT;
	bool from_absent = access(h.docker.config_file, F_OK), to_absent = str_eq(file, "absent");
	struct docker_stage *s = NULL;
	size_t n = 0;

	struct docker_way way = { .flags = h.docker.flags, .keep_containers = keep };

	slurp(h.docker.config_file, &from);
	slurp(file, &to);
	if (docker_config_stages(&way, from_absent ? NULL : &from, to_absent ? NULL : &to, &s, &n,
				 &err))
		return fail();
	for (size_t i = 0; i < n; i++) {
		if (put(&s[i]) || docker_stage_takeup(&h, &s[i], NULL, &err))
			return fail();
		printf("%s\n", names[s[i].takeup]);
	}
	docker_stages_free(s, n);
	return 0;
}

static int restart(const char *timeout)
{
	uint64_t seconds = 60;

	if (timeout)
		str_to_u64(timeout, 600, &seconds);
	if (docker_restart(&h, NULL, (unsigned int)seconds, NULL, &err))
		return fail();
	printf("up\n");
	return 0;
}

static int probe(const char *runtime)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct docker_probe p = { 0 };

	if (docker_api_open(&api, h.docker.socket, &err) ||
	    docker_probe_runtime(api, runtime, &p, NULL, &err))
		return fail();
	printf("ran, uid 0 is %u, %u ids\n", p.uid_start, p.uid_count);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : NULL;

	if (root_open(&root, "/", &err) || host_gather(&h, &root, &err))
		return fail();
	if (str_eq(verb, "flags"))
		return flags();
	if (str_eq(verb, "check") && arg)
		return check(arg);
	if (str_eq(verb, "canary") && arg)
		return canary(arg);
	if (str_eq(verb, "go") && arg)
		return go(arg, argc > 3);
	if (str_eq(verb, "restart"))
		return restart(arg);
	if (str_eq(verb, "probe"))
		return probe(arg);
	return 2;
}
