/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/checks.h"

#include "backends/pkg/deps.h"
#include "backends/pkg/dpkgdb.h"
#include "backends/pkg/pkg.h"
#include "host/dpkg.h"

#include <stdio.h>

#define SMALL_FILE (1024 * 1024)	/* bytes */
#define FUSERMOUNT_PROFILE "/etc/apparmor.d/fusermount3"
#define FUSERMOUNT_LOCAL "/etc/apparmor.d/local/fusermount3"

enum report_state check_method(CHECK_ARGS)
{
	if (p->sysbox.method != METHOD_DEB || (h->running && pkg_backend(h)))
		return finding(f, STATE_OK, "installed %s",
			       ctx->method == METHOD_DEB ? "by dpkg" : "file by file");
	return finding(f, STATE_BAD,
		       h->running ? "there are no dpkg and apt here" :
				    "an image has no dpkg that runs");
}

/* What brings them is asked of the distribution's data, each package once. */
static enum report_state missing(CHECK_ARGS, const struct strv *tools)
{
	char *names CLEANUP(freep) = strv_join(tools, ", ");
	struct strv packages CLEANUP(strv_release) = STRV_INIT;

	if (!tools->n)
		return finding(f, STATE_OK, "all there");
	for (size_t i = 0; i < tools->n; i++)
		if (!strv_has(&packages, distro_package(h->distro, tools->v[i])))
			strv_add(&packages, distro_package(h->distro, tools->v[i]));
	if (ctx->method == METHOD_DEB) {
		char *list CLEANUP(freep) = strv_join(&packages, ", ");
		return finding(f, STATE_NONE, "%s not there yet: apt will install %s", names, list);
	}
	if (dep_backend(h)) {
		char *list CLEANUP(freep) = strv_join(&packages, ", ");
		return finding(f, STATE_NONE, "%s not there yet: %s will install %s", names,
			       dep_backend(h)->name, list);
	}
	char *command CLEANUP(freep) = distro_install_command(h->distro, &packages);
	buf_adds(&f->remedy, command);
	return finding(f, STATE_BAD, "not there: %s", names);
}

enum report_state check_fusermount(CHECK_ARGS)
{
	const char *name = host_fusermount_name(ctx->sysbox_version);
	char *path CLEANUP(freep) = host_find_program(h->root, name);
	struct strv tools CLEANUP(strv_release) = STRV_INIT;

	if (path)
		return finding(f, STATE_OK, "%s", path);
	strv_add(&tools, name);
	return missing(h, p, ctx, f, &tools);
}

enum report_state check_tools(CHECK_ARGS)
{
	struct strv all CLEANUP(strv_release) = STRV_INIT, tools CLEANUP(strv_release) = STRV_INIT;

	host_missing_tools(h, ctx->sysbox_version, &all);
	for (size_t i = 0; i < all.n; i++)
		if (!str_starts(all.v[i], "fusermount"))
			strv_add(&tools, all.v[i]);
	return missing(h, p, ctx, f, &tools);
}

static bool mentions(const struct host *h, const char *path, const char *what)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	return root_read_optional(h->root, path, SMALL_FILE, &text, &ignored) == 0 &&
	       strstr(text.data, what);
}

/* The rule is a step of ours (steps/apparmor.c); it goes into the local file, which the profile
 * must include. */
enum report_state check_apparmor_fusermount3(CHECK_ARGS)
{
	if (!h->apparmor_fusermount3 || (h->running && !h->apparmor_enabled))
		return finding(f, STATE_OK, "no profile in force");
	if (mentions(h, FUSERMOUNT_PROFILE, "/var/lib/sysboxfs") ||
	    mentions(h, FUSERMOUNT_LOCAL, "/var/lib/sysboxfs"))
		return finding(f, STATE_OK, "there is a rule for /var/lib/sysboxfs");
	if (mentions(h, FUSERMOUNT_PROFILE, "local/fusermount3"))
		return finding(f, STATE_NONE, "'%s' gets a rule for /var/lib/sysboxfs",
			       FUSERMOUNT_LOCAL);
	return finding(f, STATE_BAD, "'%s' has no rule for /var/lib/sysboxfs and includes no local file", FUSERMOUNT_PROFILE);
}

enum report_state check_sysbox_ee(CHECK_ARGS)
{
	struct dpkg_status status CLEANUP(dpkg_status_release) = { BUF_INIT };
	struct err err = ERR_INIT;

	if (dpkg_status_read(&status, h->root, &err) < 0)
		return finding(f, STATE_UNKNOWN, "%s", err.msg);
	char *version CLEANUP(freep) = dpkg_version(&status, "sysbox-ee");
	if (!version)
		return finding(f, STATE_OK, "not installed");
	return finding(f, STATE_BAD, "sysbox-ee %s is installed", version);
}

struct range {
	size_t lines;
	char start[24];
	char count[24];
};

static void read_range(const struct host *h, const char *path, struct range *ret)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	*ret = (struct range){ 0 };
	if (root_read_optional(h->root, path, SMALL_FILE, &text, &ignored) != 0)
		return;
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		struct strv part CLEANUP(strv_release) = STRV_INIT;
		if (!str_starts(lines.v[i], "sysbox:"))
			continue;
		str_split(&part, lines.v[i], ':');
		ret->lines++;
		snprintf(ret->start, sizeof(ret->start), "%s", part.n > 1 ? part.v[1] : "");
		snprintf(ret->count, sizeof(ret->count), "%s",
			 part.n > 2 ? str_trim(part.v[2]) : "");
	}
}

enum report_state check_subids(CHECK_ARGS)
{
	struct range uid, gid;

	read_range(h, "/etc/subuid", &uid);
	read_range(h, "/etc/subgid", &gid);
	if (!uid.lines && !gid.lines)
		return finding(f, STATE_OK, "none yet");
	if (uid.lines > 1 || gid.lines > 1)
		return finding(f, STATE_BAD, "several lines for sysbox in /etc/%s",
			       uid.lines > 1 ? "subuid" : "subgid");
	if (!uid.lines || !gid.lines)
		return finding(f, STATE_BAD, "a line for sysbox in /etc/%s only",
			       uid.lines ? "subuid" : "subgid");
	if (!str_eq(uid.start, gid.start) || !str_eq(uid.count, "65536") ||
	    !str_eq(gid.count, "65536"))
		return finding(f, STATE_BAD, "sysbox has %s:%s in /etc/subuid and %s:%s in /etc/subgid", uid.start,
			       uid.count, gid.start, gid.count);
	return finding(f, STATE_OK, "%s:%s", uid.start, uid.count);
}

enum report_state check_dpkg_state(CHECK_ARGS)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct strv broken CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;
	size_t updates;

	if (dpkgdb_read(h->root, &status, &err) || dpkgdb_updates(h->root, &updates, &err))
		return finding(f, STATE_UNKNOWN, "%s", err.msg);
	dpkgdb_unsettled(&status, &broken);
	char *names CLEANUP(freep) = strv_join(&broken, ", ");
	if (broken.n)
		return finding(f, STATE_BAD, "unfinished: %s", names);
	if (updates)
		return finding(f, STATE_BAD, "dpkg was interrupted: %zu entries in /var/lib/dpkg/updates", updates);
	return finding(f, STATE_OK, "nothing is unfinished");
}
