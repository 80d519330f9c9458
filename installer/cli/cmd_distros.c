/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/session.h"

/* The tier of a release is said where it is another one than the distribution's. */
static char *release_names(const struct distro *d)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->releases_n; i++) {
		const struct distro_release *r = &d->releases[i];

		if (str_eq(r->tier, d->tier))
			strv_add(&names, r->version_id);
		else
			strv_addf(&names, "%s (%s)", r->version_id, r->tier);
	}
	if (d->refuse.why)
		return xstrdup(d->refuse.why);
	return names.n ? strv_join(&names, ", ") : xstrdup("rolling");
}

/* All that its data says, for those who plan for a fleet. */
static void describe_distro(const struct distro *d, struct json *j)
{
	json_set_str(j, "id", d->id);
	json_set_str(j, "name", d->name);
	json_set_str(j, "tier", d->tier);
	json_set_str(j, "file", d->file);
	json_set_str(j, "package_manager", d->package_manager);
	json_set_str(j, "kernel_min", d->kernel_min);
	json_set_str(j, "docker_unit", d->docker.unit);
	json_set_str(j, "docker_config", d->docker.config);
	json_set(j, "docker_options", strv_json(&d->docker.env_files));
	json_set(j, "docker_package", json_str(d->docker.package));
	json_set(j, "firewall", json_str(d->firewall));
	json_set(j, "packages", d->packages ? json_dup(d->packages) : json_obj());
	json_set(j, "remedies", d->remedies ? json_dup(d->remedies) : json_obj());
	if (d->refuse.why) {
		json_set_str(j, "refused", d->refuse.why);
		json_set_str(j, "instead", d->refuse.instead);
	}
}

static void show_distro(struct cli *cli, const struct distro *d)
{
	char *releases CLEANUP(freep) = release_names(d);
	struct json *j = json_obj(), *list = json_arr();

	for (size_t i = 0; i < d->releases_n; i++) {
		struct json *one = json_obj();

		json_set_str(one, "version_id", d->releases[i].version_id);
		json_set_str(one, "tier", d->releases[i].tier);
		json_add(list, one);
	}
	describe_distro(d, j);
	json_set(j, "releases", list);
	render_row(cli->out, "distro", j, "  %-20s %-12s %s", d->id, d->tier,
		   releases);
}

/* What is like a proven system is not proven, nor is a release of it that is not listed. */
static const char *tier_of(const struct host *h, const struct distro_release *r)
{
	if (!h->distro)
		return "unknown";
	if (h->distro->refuse.why)
		return h->distro->tier;
	return r && str_eq(h->distro_by, "id") ? r->tier : "recognised";
}

/* What is looked for, and where, on a host of this kind. */
static void show_places(struct cli *cli, const struct distro *d)
{
	char *options CLEANUP(freep) = strv_join(&d->docker.env_files, ", ");

	render_say(cli->out, PAINT_NONE,
		   "  package manager %s; Docker is %s, its options in %s%s%s; kernel from %s on; firewall %s",
		   d->package_manager, d->docker.unit, d->docker.config, *options ? ", " : "",
		   options, d->kernel_min, d->firewall ? d->firewall : "not known");
	if (d->refuse.why)
		render_say(cli->out, PAINT_NONE, "  refused: %s; instead: %s", d->refuse.why,
			   d->refuse.instead);
}

static void show_host(struct session *s)
{
	const struct host *h = &s->host;
	const struct distro *d = h->distro;
	const struct distro_release *r = d ? distro_release_find(d, h->os.version_id) : NULL;
	const char *tier = tier_of(h, r);
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
			   h->distro_by, tier, r || !d->releases_n ? "" : " (release not listed)");
	else
		render_row(s->cli->out, "host", j, "This host: %s, not recognised", name);
	if (r && r->notes)
		render_say(s->cli->out, PAINT_NONE, "  %s", r->notes);
	if (d)
		show_places(s->cli, d);
}

static int run(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	struct distro_list all CLEANUP(distro_list_release) = { 0 };

	if (session_open(&s, cli, SESSION_HOST, err) < 0 ||
	    distro_list_load(&all, &s.root, NULL, err) < 0)
		return -1;
	show_host(&s);
	render_say(cli->out, PAINT_NONE, "%s", "");
	render_say(cli->out, PAINT_STRONG, "  %-20s %-12s %s", "ID", "TIER", "RELEASES");
	for (size_t i = 0; i < all.n; i++)
		show_distro(cli, &all.v[i]);
	return EXIT_DONE;
}

const struct command cmd_distros = {
	.name = "distros",
	.usage = "",
	.summary = "what is known, and how this host was recognised",
	.about =
		"Lists the distributions and releases that sysboxup knows. \"proven\" means that the tests "
		"install and roll back on it; \"recognised\" that it should work; \"refused\" that "
		"Sysbox cannot, and why. Further ones go into /etc/sysboxup/distros.d/.",
	.options = no_options,
	.run = run,
};
