/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/session.h"
#include "fetch/package.h"

static const struct option_spec fetch_options[] = {
	{ .name = "package",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "take the package from FILE instead of the network" },
	{ .name = NULL },
};

static void show_package(struct session *s, const struct catalog_entry *e, const struct package *p)
{
	char *path CLEANUP(freep) = root_outside(&s->root, p->cached);
	struct json *j = json_obj();

	json_set_str(j, "name", e->name);
	json_set_str(j, "version", e->version);
	json_set_str(j, "arch", e->arch);
	json_set_str(j, "sha256", e->sha256);
	json_set_str(j, "path", path);
	render_row(s->cli->out, "package", j, "%s %s (%s), verified: %s", e->name, e->version,
		   e->arch, path);
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct package package = { .fd = -1 };

	if (session_open(&s, cli, SESSION_PROFILE | SESSION_LOCK | SESSION_HOST | SESSION_PACKAGE,
			 err) < 0)
		return -1;
	if (!s.entry) {
		render_say(cli->out, PAINT_NONE, "Nothing to fetch: the profile wants no package.");
		return EXIT_DONE;
	}
	if (!s.catalog.embedded && catalog_remember(&s.catalog, &s.root, err) < 0)
		return -1;
	if (package_fetch(&package, &s.root, s.entry, &s.profile, s.package_file, s.rep, err) < 0)
		return -1;
	show_package(&s, s.entry, &package);
	package_release(&package);
	return EXIT_DONE;
}

const struct command cmd_fetch = {
	.name = "fetch",
	.usage = "[--package FILE]",
	.summary = "download and verify the package, install nothing",
	.about = "Gets the package that the profile wants into the cache, where apply finds it, and checks size, SHA-256 and the "
		 "package's own control data. An interrupted download is resumed.",
	.options = fetch_options,
	.flags = CMD_ROOT | CMD_STEADY,
	.run = run,
};
