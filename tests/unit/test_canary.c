/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/canary.h"
#include "scratch.h"
#include "sys/fault.h"
#include "sys/sandbox.h"

TEST(relative, "a configuration file whose place depends on a working directory is not tried")
{
	struct scratch s;
	struct err err = ERR_INIT;
	char *why CLEANUP(freep) = NULL;

	scratch_open(&s);
	CHECK_INT(fs_mkdir_path(&s.root, "/etc/systemd/system", 0755, &err), 0);
	CHECK_INT(fs_mkdir_path(&s.root, "/state", 0700, &err), 0);
	put(&s, "etc/systemd/system/docker.service", "[Service]\nExecStart=/bin/false --config-file daemon.json\n");
	struct host h = { .root = &s.root, .running = true, .docker = { .unit = (char *)"docker.service" } };
	CHECK_INT(docker_canary(&h, "{}", 2, "/state", 1, &why, &err), -1);
	CHECK(strstr(err.msg, "'daemon.json' is no absolute path") != NULL);
	CHECK_STR(why, NULL);
	CHECK(!root_exists(&s.root, "/state/canary"));
	scratch_close(&s);
}

TEST(long_subject, "an operation that fails is named, also if its path is long")
{
	char at[2048];
	struct err err = ERR_INIT;
	struct sandbox_run run CLEANUP(sandbox_stop) = { 0 };

	memset(at, 'x', sizeof(at) - 1);
	at[0] = '/';
	at[sizeof(at) - 1] = '\0';
	struct sandbox_op op = { .kind = SANDBOX_TMPFS, .at = at };
	const struct sandbox box = { .ops = &op, .ops_n = 1, .output = -1 };
	CHECK_INT(sandbox_start(&box, &run, &err), -1);
	CHECK(strstr(err.msg, "cannot cover '/xxx") != NULL);
}

static int start_true(const char *fault, struct err *err)
{
	static const char *const argv[] = { "/bin/true", NULL }, *const env[] = { NULL };
	struct sandbox_run run CLEANUP(sandbox_stop) = { 0 };
	struct sandbox_op ops[] = { { .kind = SANDBOX_TMPFS, .at = (char *)"/run" },
				    { .kind = SANDBOX_FILE, .at = (char *)"/run/x", .data = "x", .len = 1 } };
	struct sandbox_program program = { argv, env, -1, NULL };
	const struct sandbox box = { ops, ARRAY_SIZE(ops), &program, 1, -1 };

	fault_set(fault);
	int r = sandbox_start(&box, &run, err);
	fault_set(NULL);
	return r;
}

TEST(early_death, "an init that dies before its work is done is no start, and keeps nobody waiting")
{
	struct err err = ERR_INIT;

	CHECK_INT(start_true(NULL, &err), 0);
	CHECK_INT(start_true("die-before:1", &err), -1);
	CHECK(strstr(err.msg, "its init died") != NULL);
}

RUN_TESTS()
