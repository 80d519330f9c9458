/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker/unitfile.h and docker/flags.h: the input is a unit, a drop-in and an EnvironmentFile. The
 * command line that was understood, written as one ExecStart= with everything quoted, is understood
 * the same; every flag is where it says; and the flags of that line read as arguments are the same.
 */
#include "docker/flags.h"
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIT_DIR "/etc/systemd/system"

static struct root root = ROOT_INIT;
static char *dir;
static const char *const files[] = { UNIT_DIR "/d.service", UNIT_DIR "/d.service.d/x.conf",
				     "/etc/default/d", UNIT_DIR "/again.service" };
static const char *const dirs[] = { UNIT_DIR "/d.service.d", UNIT_DIR, "/etc/systemd",
				    "/etc/default", "/etc", "" };
static int fds[ARRAY_SIZE(files)];

static char *inside(const char *path)
{
	return xasprintf("%s%s", dir, path);
}

static void tidy(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(files) + ARRAY_SIZE(dirs); i++) {
		char *path CLEANUP(freep) = inside(i < ARRAY_SIZE(files) ?
							   files[i] :
							   dirs[i - ARRAY_SIZE(files)]);

		(void)remove(path);
	}
}

static void prepare(void)
{
	dir = xasprintf("%s/fuzz-unit-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	must(mkdtemp(dir));
	must(!atexit(tidy));
	for (size_t i = ARRAY_SIZE(dirs) - 1; i-- > 0;) {
		char *path CLEANUP(freep) = inside(dirs[i]);
		must(!mkdir(path, 0755));
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *path CLEANUP(freep) = inside(files[i]);
		fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		must(fds[i] >= 0);
	}
	must(!root_open(&root, dir, NULL));
}

static void put(size_t i, const struct buf *b)
{
	must(!ftruncate(fds[i], 0) && pwrite(fds[i], b->data, b->len, 0) == (ssize_t)b->len);
}

/* Letters as they are, everything else as \xNN. */
static void quote(struct buf *b, const char *word)
{
	buf_adds(b, " \"");
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;
		if (c == '$' || c == '%')
			buf_addf(b, "%c%c", c, c);
		else if ((c | 32) >= 'a' && (c | 32) <= 'z')
			buf_addc(b, (char)c);
		else
			buf_addf(b, "\\x%02x", c);
	}
	buf_addc(b, '"');
}

static void same(const struct docker_flags *a, const struct docker_flags *b)
{
	must(a->argv.n == b->argv.n && a->n == b->n && str_eq(a->binary, b->binary));
	for (size_t i = 0; i < a->argv.n; i++)
		must(str_eq(a->argv.v[i], b->argv.v[i]));
	for (size_t i = 0; i < a->n; i++)
		must(str_eq(a->v[i].name, b->v[i].name) && str_eq(a->v[i].value, b->v[i].value));
}

static void check_places(const struct docker_flags *f)
{
	for (size_t i = 0; i < f->n; i++)
		must(!*f->v[i].file || f->v[i].line);
}

/* A first word that begins with a prefix character cannot be written. */
static void check_again(const struct docker_flags *f)
{
	struct docker_flags argv CLEANUP(docker_flags_release) = { 0 },
				 again CLEANUP(docker_flags_release) = { 0 };
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	must(!docker_flags_from_argv(&argv, &f->argv, "x", NULL));
	same(f, &argv);
	if (!*f->binary || strchr("-@:+!|", *f->binary))
		return;
	buf_adds(&text, "[Service]\nExecStart=");
	for (size_t i = 0; i < f->argv.n; i++)
		quote(&text, f->argv.v[i]);
	buf_addc(&text, '\n');
	put(3, &text);
	must(!docker_flags_from_unit(&again, &root, "again.service", NULL));
	same(f, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct docker_flags f CLEANUP(docker_flags_release) = { 0 };
	struct err err = ERR_INIT;
	struct buf in[3];

	if (root.fd < 0)
		prepare();
	fuzz_texts(in, 3, data, size);
	for (size_t i = 0; i < 3; i++)
		put(i, &in[i]);
	fuzz_texts_release(in, 3);
	int rc = docker_flags_from_unit(&f, &root, "d.service", &err);
	if (rc < 0)
		must_be_said(&err);
	if (rc)
		return 0;
	check_places(&f);
	check_again(&f);
	return 0;
}
