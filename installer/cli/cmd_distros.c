/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/session.h"

static char *release_names(const struct distro *d)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->releases_n; i++)
		strv_addf(&names, "%s (%s)", d->releases[i].version_id,
			  d->releases[i].tier ? d->releases[i].tier : d->tier);
	return strv_join(&names, ", ");
}

static void show_distro(struct cli *cli, const struct distro *d)
{
	char *releases CLEANUP(freep) = release_names(d);
	struct json *j = json_obj(), *list = json_arr();

	for (size_t i = 0; i < d->releases_n; i++) {
		struct json *one = json_obj();

		json_set_str(one, "version_id", d->releases[i].version_id);
		json_set_str(one, "tier", d->releases[i].tier ? d->releases[i].tier : d->tier);
		json_add(list, one);
	}
	json_set_str(j, "id", d->id);
	json_set_str(j, "name", d->name);
	json_set_str(j, "tier", d->tier);
	json_set_str(j, "file", d->file);
	json_set(j, "releases", list);
	render_row(cli->out, "distro", j, "  %-10s %-12s %s", d->id, d->tier ? d->tier : "",
		   releases);
}

static void show_host(struct session *s)
{
	const struct host *h = &s->host;
	const struct distro *d = h->distro;
	const struct distro_release *r = d ? distro_release_find(d, h->os.version_id) : NULL;
	const char *tier = r && r->tier ? r->tier : d ? d->tier : "unknown";
	const char *name = *h->os.pretty_name ? h->os.pretty_name : "a system without os-release";
	struct json *j = json_obj();

	json_set_str(j, "name", name);
	json_set_str(j, "id", h->os.id);
	json_set_str(j, "version_id", h->os.version_id);
	json_set_str(j, "distro", d ? d->id : NULL);
	json_set_str(j, "by", h->distro_by);
	json_set_str(j, "tier", tier);
	json_set_str(j, "arch", h->arch);
	if (d)
		render_row(s->cli->out, "host", j,
			   "This host: %s, recognised as %s by %s, tier: %s%s", name, d->id,
			   h->distro_by, tier, r ? "" : " (release not listed)");
	else
		render_row(s->cli->out, "host", j, "This host: %s, not recognised", name);
	if (r && r->notes)
		render_say(s->cli->out, PAINT_NONE, "  %s", r->notes);
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;

	if (session_open(&s, cli, SESSION_HOST, err) < 0)
		return -1;
	show_host(&s);
	render_say(cli->out, PAINT_NONE, "%s", "");
	render_say(cli->out, PAINT_STRONG, "  %-10s %-12s %s", "ID", "TIER", "RELEASES");
	for (size_t i = 0; i < s.host.distros.n; i++)
		show_distro(cli, &s.host.distros.v[i]);
	return EXIT_DONE;
}

const struct command cmd_distros = {
	.name = "distros",
	.usage = "",
	.summary = "what is known, and how this host was recognised",
	.about =
		"Lists the distributions and releases that sysboxup knows. \"proven\" means that the tests install and roll back "
		"on it; \"recognised\" that it should work. "
		"Further ones go into /etc/sysboxup/distros.d/.",
	.options = no_options,
	.run = run,
};
