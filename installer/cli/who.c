/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/who.h"

#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/stamp.h"

#include <stdio.h>
#include <unistd.h>

#define NO_LOGIN 4294967295LL

const char *who_run_id(void)
{
	static char id[64];

	if (!*id)
		snprintf(id, sizeof(id), "%.8s-%ld-%llu", clock_boot_id(), (long)getpid(),
			 (unsigned long long)clock_boot_ms());
	return id;
}

static void set_login(struct json *j)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	int64_t uid;

	if (fs_read_at(AT_FDCWD, "/proc/self/loginuid", 64, &text, &ignored))
		return;
	if (str_to_i64(text.data, 0, NO_LOGIN - 1, &uid) == 0)
		json_set_i64(j, "login_uid", uid);
}

static struct json *arguments(char *const *argv)
{
	struct json *j = json_arr();

	for (; *argv; argv++)
		json_add_str(j, *argv);
	return j;
}

static struct json *profile_object(const struct profile *p)
{
	struct json *j = json_obj();

	if (!stamp_sealed())	/* a path of the builder's */
		json_set_str(j, "source", p->source);
	json_set_str(j, "digest", p->digest);
	json_set_str(j, "text", p->text.data);
	return j;
}

/* Nobody of the machine that an image becomes. */
static void set_person(struct json *j, const struct session *s)
{
	const char *sudo = getenv("SUDO_USER");

	json_set(j, "argv", arguments(s->cli->argv));
	json_set_str(j, "run", who_run_id());
	json_set_i64(j, "uid", getuid());
	set_login(j);
	if (!str_empty(sudo))
		json_set_str(j, "sudo_user", sudo);
}

struct json *who_begin(const struct session *s, const char *class)
{
	struct json *j = json_obj();
	char now[32];

	clock_iso(stamp_now(), now);
	json_set_str(j, "class", class);
	json_set_str(j, "command", s->cli->cmd->name);
	json_set_str(j, "time", now);
	json_set_str(j, "program", SYSBOXUP_VERSION);
	if (s->profile.source)
		json_set(j, "profile", profile_object(&s->profile));
	if (stamp_sealed())
		json_set_bool(j, "image", true);
	else
		set_person(j, s);
	return j;
}

char *who_words(const struct json *begin)
{
	const char *sudo = json_get_str(begin, "sudo_user");
	int64_t uid = json_get_i64(begin, "login_uid", json_get_i64(begin, "uid", 0));

	if (json_get_bool(begin, "image", false))
		return xstrdup("the image's builder");
	if (sudo)
		return xstrdup(sudo);
	return uid ? xasprintf("uid %lld", (long long)uid) : xstrdup("root");
}
