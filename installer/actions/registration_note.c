/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/registration.h"

#include "actions/stage.h"
#include "backends/pkg/depends.h"
#include "fetch/control.h"
#include "sys/fs.h"
#include "sys/stamp.h"

#include <errno.h>
#include <unistd.h>

enum { CONTROL_FILE_MAX = 1024 * 1024, CHUNK = 64 * 1024 };

static int hash_member(const struct action_ctx *ctx, const char *member, struct digest *hash,
		       struct err *err)
{
	char *chunk CLEANUP(freep) = xmalloc(CHUNK);
	int fd CLEANUP(closep) = -1;
	ssize_t n;

	if (stage_open(ctx, member, &fd, err))
		return -1;
	while ((n = read(fd, chunk, CHUNK)) != 0) {
		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "cannot read '%s' of the package", member);
		if (n > 0)
			digest_add(hash, chunk, (size_t)n);
	}
	return 0;
}

static int add_sum(const struct action_ctx *ctx, const struct registered_file *l, struct buf *sums,
		   struct err *err)
{
	struct digest *hash CLEANUP(digest_freep) = digest_new_md5();
	char md5[DIGEST_HEX + 1];

	if (!hash)
		return err_set(err, ERR_REFUSED, "this host's libcrypto has no MD5, which dpkg's checksums are");
	if (l->member && hash_member(ctx, l->member, hash, err))
		return -1;
	digest_add(hash, l->text.data, l->text.len);
	digest_end(STEAL(hash), md5);
	buf_addf(sums, "%s  %s\n", md5, l->path + 1);
	return 0;
}

/* With the directories that lead there, each once; dpkg calls the first one "/.". */
static void add_path(struct strv *list, const char *path)
{
	char *dir CLEANUP(freep) = path_dirname(path);

	if (strv_has(list, path))
		return;
	if (!str_eq(dir, "/"))
		add_path(list, dir);
	strv_add(list, path);
}

static int note_content(struct registration *d, const struct action_ctx *ctx, struct err *err)
{
	struct buf list CLEANUP(buf_release) = BUF_INIT, sums CLEANUP(buf_release) = BUF_INIT;
	struct strv paths CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->n; i++) {
		add_path(&paths, d->v[i].path);
		if (add_sum(ctx, &d->v[i], &sums, err))
			return -1;
	}
	buf_adds(&list, "/.\n");
	for (size_t i = 0; i < paths.n; i++)
		buf_addf(&list, "%s\n", paths.v[i]);
	note_set_file(d->to, "list", 0644, stamp_now(), &list);
	note_set_file(d->to, "md5sums", 0644, stamp_now(), &sums);
	return 0;
}

static void note_paragraph(struct registration *d, const struct buf *control)
{
	struct buf paragraph CLEANUP(buf_release) = BUF_INIT;
	const char *at = control->data;
	struct stanza s;

	if (!stanza_next(&at, control->data + control->len, &s))
		return;
	buf_add(&paragraph, s.text, s.len);
	if (!str_ends(paragraph.data, "\n"))
		buf_addc(&paragraph, '\n');
	buf_splice(&paragraph, strcspn(paragraph.data, "\n") + 1, 0,
		   "Status: install ok installed\n", strlen("Status: install ok installed\n"));
	note_set_paragraph(d->to, &paragraph);
}

static int refuse_package(const struct registration *d, const char *why, struct err *err)
{
	err_set(err, ERR_REFUSED, "package '%s' %s: only dpkg itself can install that", d->package, why);
	return err_remedy(err, "take \"register\" out of the profile");
}

static int refuse_unmet(const struct strv *unmet, const char *package, struct err *err)
{
	char *list CLEANUP(freep) = strv_join(unmet, ", ");

	err_set(err, ERR_REFUSED, "package '%s' depends on what dpkg does not have here: %s", package,
		list);
	return err_remedy(err, "install that first; or take \"register\" out of the profile");
}

/* What dpkg has to weigh itself, or notes itself. */
static int check_fields(const struct registration *d, const struct buf *control, struct err *err)
{
	static const char *const fields[] = { "Conflicts", "Breaks", "Status", "Conffiles",
					      "Config-Version", "Triggers-Pending",
					      "Triggers-Awaited" };
	const struct stanza s = { control->data, control->len };
	char *multi CLEANUP(freep) = stanza_field(&s, "Multi-Arch");

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		char *value CLEANUP(freep) = stanza_field(&s, fields[i]),
		     *why CLEANUP(freep) = xasprintf("has a field '%s'", fields[i]);
		if (value)
			return refuse_package(d, why, err);
	}
	return str_eq(multi, "same") ? refuse_package(d, "is one of several architectures", err) :
				       0;
}

static int check_depends(const struct registration *d, const struct buf *control,
			 const struct action_ctx *ctx, struct err *err)
{
	struct deb_control c CLEANUP(control_release) = { 0 };
	struct strv unmet CLEANUP(strv_release) = STRV_INIT;
	struct buf status CLEANUP(buf_release) = BUF_INIT;

	if (control_parse(&c, control->data, control->len, "the package", err) ||
	    dpkgdb_read(ctx->root, &status, err))
		return -1;
	depends_unmet(&status, c.pre_depends, &unmet);
	depends_unmet(&status, c.depends, &unmet);
	return unmet.n ? refuse_unmet(&unmet, d->package, err) : 0;
}

static bool is_listed(const struct registration *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->v[i].path, path))
			return true;
	return false;
}

/* Those that were not put here are none of the package as it is here. */
static int check_conffiles(const struct registration *d, const struct buf *text, struct err *err)
{
	struct strv paths CLEANUP(strv_release) = STRV_INIT;

	if (conffiles_parse(&paths, text->data, text->len, "the package", err))
		return -1;
	for (size_t i = 0; i < paths.n; i++)
		if (is_listed(d, paths.v[i]))
			return refuse_package(d, "calls a program or unit of it a conffile", err);
	return 0;
}

/* "interest-noawait /usr/lib/x"; what it activates in others is nobody's business here. */
static int check_triggers(const struct registration *d, const struct buf *text, struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, text->data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (str_starts(str_trim(lines.v[i]), "interest"))
			return refuse_package(d, "is interested in triggers", err);
	return 0;
}

static int take_control_file(struct registration *d, const char *name, mode_t mode,
			     const struct buf *text, const struct action_ctx *ctx, struct err *err)
{
	if (str_eq(name, "control")) {
		note_paragraph(d, text);
		return check_fields(d, text, err) || check_depends(d, text, ctx, err) ? -1 : 0;
	}
	if (strpbrk(name, ".%"))
		return refuse_package(d, "has a control file with an unusual name", err);
	if (str_eq(name, "conffiles"))
		return check_conffiles(d, text, err);
	if (str_eq(name, "triggers") && check_triggers(d, text, err))
		return -1;
	if (!str_eq(name, "md5sums") && !str_eq(name, "list"))
		note_set_file(d->to, name, mode, stamp_now(), text);
	return 0;
}

/* stage/ has the control part beside the members, with their modes (action_unpack). */
static int note_control(struct registration *d, const struct action_ctx *ctx, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	int dir CLEANUP(closep) = -1;

	if (txnlog_stage(ctx->log, &dir, err) || fs_list_fd(dir, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		struct stat st;

		if (!str_starts(names.v[i], STAGE_CONTROL))
			continue;
		if (fstatat(dir, names.v[i], &st, AT_SYMLINK_NOFOLLOW))
			return err_errno(err, errno, "cannot look at '%s'", names.v[i]);
		if (fs_read_at(dir, names.v[i], CONTROL_FILE_MAX, &text, err) ||
		    take_control_file(d, names.v[i] + strlen(STAGE_CONTROL), st.st_mode & 0777,
				      &text, ctx, err))
			return -1;
	}
	return 0;
}

int registration_note(struct registration *d, const struct action_ctx *ctx, struct err *err)
{
	d->to = note_new();
	return note_control(d, ctx, err) || note_content(d, ctx, err) ? -1 : 0;
}
