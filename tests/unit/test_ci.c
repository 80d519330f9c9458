/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of others' YAML, what is found in a compose file, and what a job tells of itself. */
#include "ci/compose.h"
#include "ci/inside.h"
#include "ci/words.h"
#include "ci/yaml.h"
#include "test.h"

static char *parsed(const char *text, struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;
	struct buf b = BUF_INIT;

	if (yaml_parse(text, strlen(text), "x", &j, err))
		return NULL;
	json_print(j, &b);
	return buf_detach(&b);
}

static void check_yaml(const char *text, const char *want)
{
	struct err err = ERR_INIT;
	char *got CLEANUP(freep) = parsed(text, &err);

	CHECK_STR(err.msg, "");
	CHECK_STR(got, want);
}

static void check_refused(const char *text, const char *words)
{
	struct err err = ERR_INIT;
	char *got CLEANUP(freep) = parsed(text, &err);

	CHECK(!got);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK_STR(err.msg, words);
}

TEST(yaml, "scalars stay text, aliases and merges are what they stand for")
{
	check_yaml("", "{}");
	check_yaml("a: true\nb: 3.8\nc:\nd: '~'\ne: [1, ~]\n",
		   "{\"a\":\"true\",\"b\":\"3.8\",\"c\":null,\"d\":\"~\",\"e\":[\"1\",null]}");
	check_yaml("x: &x {a: 1, b: 2}\ny: *x\n", "{\"x\":{\"a\":\"1\",\"b\":\"2\"},\"y\":{\"a\":\"1\",\"b\":\"2\"}}");
	check_yaml("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n",
		   "{\"x\":{\"a\":\"1\",\"b\":\"2\"},\"y\":{\"b\":\"3\",\"a\":\"1\"}}");
	check_yaml("a: &a {k: 1}\nb: &b {k: 2, l: 3}\nc: {<<: [*a, *b]}\n",
		   "{\"a\":{\"k\":\"1\"},\"b\":{\"k\":\"2\",\"l\":\"3\"},\"c\":{\"k\":\"1\",\"l\":\"3\"}}");
}

TEST(yaml_refused, "what is no YAML, is ambiguous, or would never end is refused with its place")
{
	check_refused("a: [1\n", "x, line 2, column 1: did not find expected ',' or ']'");
	check_refused("a: 1\nb: 2\na: 3\n", "x, line 3, column 1: a key that is there already");
	check_refused("[a]: 1\n", "x, line 1, column 1: a key that is no word");
	check_refused("a: 1\n---\nb: 2\n", "x: more than one document");
	check_refused("a: &a {b: *a}\n", "x, line 1, column 4: nested too deep");
	check_refused("y: {<<: 1}\n", "x, line 1, column 5: what is merged is no mapping");
}

TEST(yaml_bomb, "aliases of aliases of aliases are too much, and are told before memory is")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_adds(&b, "a0: &a0 x\n");
	for (int i = 1; i < 12; i++) {
		buf_addf(&b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&b, "%s*a%d", k ? "," : "", i - 1);
		buf_adds(&b, "]\n");
	}
	char *got CLEANUP(freep) = parsed(b.data, &err);
	CHECK(!got);
	CHECK(strstr(err.msg, "too much of it"));
}

/* "name:socket,socket!" of each service found, ! privileged. */
static char *found(const char *text, struct err *err)
{
	struct compose c CLEANUP(compose_release) = { 0 };
	struct buf b = BUF_INIT;

	if (compose_read(&c, text, strlen(text), "x", err))
		return NULL;
	for (size_t i = 0; i < c.n; i++) {
		char *at CLEANUP(freep) = strv_join(&c.v[i].sockets, ",");
		buf_addf(&b, "%s:%s%s;", c.v[i].name, at, c.v[i].privileged ? "!" : "");
	}
	return buf_detach(&b);
}

#define SERVICE(what) "services:\n  a:\n    image: i\n" what

static void check_found(const char *text, const char *want)
{
	struct err err = ERR_INIT;
	char *got CLEANUP(freep) = found(text, &err);

	CHECK_STR(err.msg, "");
	CHECK_STR(got, want);
}

TEST(sockets, "a mount of the host's Docker is found in each way to write it, and nothing else is")
{
	check_found(SERVICE("    volumes: [ '/var/run/docker.sock:/var/run/docker.sock' ]\n"), "a:/var/run/docker.sock;");
	check_found(SERVICE("    volumes: [ '/run/docker.sock:/s/d.sock:ro' ]\n"), "a:/s/d.sock;");
	check_found(SERVICE("    volumes: [ '${SOCK:-/var/run/docker.sock}:/d.sock' ]\n"), "a:/d.sock;");
	check_found(SERVICE("    volumes:\n      - type: bind\n        source: /run/podman/podman.sock\n        target: /p.sock\n"), "a:/p.sock;");
	check_found("x: &x\n  volumes: [ '/run/docker.sock:/d.sock' ]\nservices:\n  a:\n    <<: *x\n  b: *x\n", "a:/d.sock;b:/d.sock;");
	check_found(SERVICE("    privileged: true\n"), "a:!;");
	check_found(SERVICE("    privileged: false\n    volumes: [ 'data:/var/run', '/srv:/srv', 'docker.sock' ]\n"), "");
	check_found("services:\n  a:\n", "");
}

TEST(compose_refused, "what is no compose file, or would write something else into the override, is refused")
{
	static const struct { const char *text, *words; } bad[] = {
		{ "a: 1\n", "x: no compose file: it has no services" },
		{ "services: [a]\n", "x: no compose file: it has no services" },
		{ "version: 'a b'\nservices: {}\n", "x: 'version' is none" },
		{ "services:\n  'a: {}':\n    privileged: true\n", "x: 'a: {}' is no name of a service" },
		{ "services:\n  sysboxup-docker:\n    privileged: true\n",
		  "x: service sysboxup-docker is called like the one of the override" },
		{ SERVICE("    volumes: [ '/run/docker.sock:/d#.sock' ]\n"),
		  "x: service a mounts a socket at '/d#.sock', which is no plain path" },
		{ SERVICE("    volumes: [ \"/run/docker.sock:/d\\n  b\" ]\n"),
		  "x: service a mounts a socket at '/d\\x0a  b', which is no plain path" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;
		char *got CLEANUP(freep) = found(bad[i].text, &err);

		CHECK(!got);
		CHECK_STR(err.msg, bad[i].words);
	}
}

/* The override is a compose file again, and read on top of the first has nothing left. */
static void check_override(bool tls)
{
	static const char text[] = "version: '3'\nservices:\n  a:\n    privileged: true\n    volumes: [ '/run/docker.sock:/d.sock' ]\n"
				   "  b:\n    privileged: true\n";
	const struct compose_way way = { tls, "tcp://h:2376", "/c" };
	struct compose c CLEANUP(compose_release) = { 0 }, left CLEANUP(compose_release) = { 0 };
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct json *j CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(compose_read(&c, text, strlen(text), "x", &err), 0);
	CHECK_INT(compose_override(&c, &way, "x", &out, &err), 0);
	CHECK_INT(compose_read(&left, out.data, out.len, "y", &err), 0);
	CHECK_INT(yaml_parse(out.data, out.len, "y", &j, &err), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(left.n, 0);
	CHECK_STR(left.version, "3");
	const struct json *a = json_get(json_get(j, "services"), "a");
	CHECK_STR(json_get_str(a, "privileged"), "false");
	CHECK_STR(json_get_str(json_get(a, "environment"), "DOCKER_HOST"),
		  tls ? "tcp://h:2376" : "unix:///run/sysboxup-docker/docker.sock");
	CHECK_STR(json_get_str(json_get(json_get(j, "services"), "b"), "runtime"), tls ? NULL : "sysbox-runc");
}

TEST(override, "the override ends what was found, for either way")
{
	check_override(false);
	check_override(true);
}

TEST(words, "only words that need no quotes anywhere are taken")
{
	CHECK(word_is_name("ci-1.b_C"));
	CHECK(!word_is_name("") && !word_is_name("a b") && !word_is_name("a\"") && !word_is_name(NULL));
	CHECK(word_is_path("/certs/client"));
	CHECK(!word_is_path("certs") && !word_is_path("/a b") && !word_is_path("/a\n") && !word_is_path("/$x"));
	CHECK(word_is_host("tcp://ci.example:2376") && word_is_host("tcp://[fd00::5]:2376") && word_is_host("tcp://10.0.0.5:1"));
	CHECK(!word_is_host("tcp://:2376") && !word_is_host("tcp://a") && !word_is_host("tcp://a:0") && !word_is_host(NULL));
	CHECK(!word_is_host("unix:///x") && !word_is_host("tcp://a b:1") && !word_is_host("tcp://[]:1x") && !word_is_host("tcp://[x]:1"));
}

TEST(inside, "what /proc says of a container")
{
	struct strv at CLEANUP(strv_release) = STRV_INIT;

	CHECK(!inside_own_users("         0          0 4294967295\n"));
	CHECK(inside_own_users("         0     165536      65536\n"));
	CHECK(!inside_own_users("") && !inside_own_users("x y z"));
	CHECK(inside_may_admin("Name:\tx\nCapBnd:\t000001ffffffffff\n"));
	CHECK(!inside_may_admin("Name:\tx\nCapBnd:\t00000000a80425fb\n") && !inside_may_admin("Name:\tx\n"));
	inside_sockets("36 35 0:5 / / rw - overlay o rw\n"
		       "37 36 0:6 /docker.sock /run/docker.sock rw - tmpfs t rw\n"
		       "38 36 0:6 /null /dev/null rw - tmpfs t rw\n", &at);
	CHECK_INT(at.n, 1);
	CHECK_STR(at.v[0], "/run/docker.sock");
}

RUN_TESTS()
