/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/validate.h"

#include "docker/flags.h"
#include "sys/io.h"
#include "sys/memfile.h"
#include "sys/proc.h"

#define VALIDATE_TIMEOUT 30	/* seconds */
#define FIRST_VERSION "23"

bool docker_validate_available(const struct host *h)
{
	return h->running && h->docker.binary &&
	       (!h->docker.version ||
		version_compare_numeric(h->docker.version, FIRST_VERSION) >= 0);
}

/* The unit's own words without --config-file, which is ours here (descriptor 3). */
static void validate_argv(const struct host *h, struct strv *ret)
{
	const struct docker_flags *f = h->docker.flags;

	strv_add(ret, h->docker.binary);
	strv_add(ret, "--validate");
	strv_add(ret, "--config-file=/proc/self/fd/3");
	for (size_t i = 1; f && i < f->argv.n; i++) {
		if (str_eq(f->argv.v[i], "--config-file"))
			i++;
		else if (!str_starts(f->argv.v[i], "--config-file="))
			strv_add(ret, f->argv.v[i]);
	}
}

/* 0 and "" if it is content, or knows no --validate; 0 and its words if not. */
static int validate_run(const struct host *h, const char *text, size_t len, char **ret_words,
			struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct buf out CLEANUP(buf_release) = BUF_INIT, errout CLEANUP(buf_release) = BUF_INIT;
	int fd CLEANUP(closep) = memfile_new("daemon.json", text, len, err);
	int status = 0;

	if (fd < 0)
		return -1;
	validate_argv(h, &argv);
	const struct proc p = { .argv = (const char *const *)argv.v,
				.keep_fd = fd,
				.timeout = VALIDATE_TIMEOUT,
				.ret_out = &out,
				.ret_errout = &errout };
	if (proc_run(&p, &status, err))
		return -1;
	bool none = strstr(errout.data, "unknown flag: --validate");
	*ret_words = xstrdup(status && !none ? (errout.len ? errout.data : "no reason given") : "");
	return 0;
}

static bool same_as_today(const struct host *h, const struct json *current, const char *words)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char *today CLEANUP(freep) = NULL;
	struct err ignore = ERR_INIT;

	if (!current)
		return false;
	json_print(current, &text);
	return !validate_run(h, text.data, text.len, &today, &ignore) && str_eq(today, words);
}

static bool names_one_of(const char *words, const struct strv *paths)
{
	for (size_t i = 0; paths && i < paths->n; i++)
		if (strstr(words, paths->v[i]))
			return true;
	return false;
}

int docker_validate(const struct host *h, const struct json *current, const char *candidate,
		    size_t len, const struct strv *planned_paths, struct report *rep,
		    struct err *err)
{
	char *words CLEANUP(freep) = NULL;
	char quoted[768];

	if (!docker_validate_available(h))
		return 0;
	if (validate_run(h, candidate, len, &words, err))
		return err_prefix(err, "cannot let dockerd check the new daemon.json");
	if (!*words || names_one_of(words, planned_paths))
		return 0;
	bool old = same_as_today(h, current, words);
	err_quote(quoted, sizeof(quoted), str_trim(words));
	if (!old)
		return err_set(err, ERR_REFUSED, "dockerd --validate refuses the new daemon.json: %s", quoted);
	if (h->docker.main_pid > 0) {
		err_set(err, ERR_REFUSED, "Docker takes nothing up from the daemon.json of today: %s", quoted);
		return err_remedy(err, "correct that first");
	}
	report_warn(rep, NULL, "dockerd --validate refuses the daemon.json of today too: %s", quoted);
	return 0;
}
