/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/checks.h"

#include "steps/firstboot.h"

#define KERNEL_MIN "5.5"	/* what sysbox-runc asks for on anything but Ubuntu: facts/sysbox.md 1.3 */
#define OSTREE_INSTEAD \
	"put the programs of Sysbox into the image that it is made of, and say the rest in its Butane file: " \
	"storage: { files: [ { path: /etc/docker/daemon.json, contents: { inline: " \
	"'{ \"runtimes\": { \"sysbox-runc\": { \"path\": \"/usr/bin/sysbox-runc\" } } }' } } ] }"
#define NOT_PROVEN "%s is known from others' reports, not proven by our tests%s%s"

static const char *kernel_min(const struct host *h)
{
	const struct distro_release *r = h->distro ?
						 distro_release_find(h->distro, h->os.version_id) :
						 NULL;

	/* a release number means something for the distribution itself, not for one that is like
	 * it */
	if (r && r->kernel_min && str_eq(h->distro->id, h->os.id))
		return r->kernel_min;
	return h->distro ? h->distro->kernel_min : KERNEL_MIN;
}

enum report_state check_kernel_version(CHECK_ARGS)
{
	bool ok = version_compare_numeric(h->kernel, kernel_min(h)) >= 0;

	if (str_empty(h->kernel))
		return finding(f, STATE_UNKNOWN, "the kernel does not say its version");
	return finding(f, ok ? STATE_OK : STATE_BAD, "kernel %s, needed is %s", h->kernel,
		       kernel_min(h));
}

enum report_state check_arch(CHECK_ARGS)
{
	if (str_empty(h->machine))
		return finding(f, STATE_UNKNOWN, "no program says what processor this image is for");
	return finding(f, *host_arch_of_machine(h->machine) ? STATE_OK : STATE_BAD,
		       "the processor is %s", h->machine);
}

enum report_state check_userland_arch(CHECK_ARGS)
{
	const char *want = host_arch_of_machine(h->machine);

	if (str_empty(h->arch) || str_empty(want))
		return finding(f, STATE_UNKNOWN, "what the user land is made for cannot be told");
	return finding(f, str_eq(h->arch, want) ? STATE_OK : STATE_BAD,
		       "user land is %s, the kernel %s", h->arch, want);
}

enum report_state check_distro(CHECK_ARGS)
{
	const char *name = str_empty(h->os.pretty_name) ? h->os.id : h->os.pretty_name;
	const struct distro_release *r = h->distro ?
						 distro_release_find(h->distro, h->os.version_id) :
						 NULL;

	if (!h->distro)
		return finding(f, STATE_BAD, "'%s' (%s) is not known", h->os.id, name);
	if (h->distro->refuse.why) {
		buf_adds(&f->remedy, h->distro->refuse.instead);
		return finding(f, STATE_BAD, "%s: %s", h->distro->name, h->distro->refuse.why);
	}
	if (str_eq(h->distro_by, "--distro"))
		return finding(f, STATE_WARN, "'%s' is taken for %s, because --distro says so", h->os.id,
			       h->distro->name);
	if (*h->distro_by == '/')
		return finding(f, STATE_NONE, NOT_PROVEN, h->distro->name,
			       "; it calls itself ", name);
	if (!str_eq(h->distro_by, "id"))
		return finding(f, STATE_WARN, "'%s' is not known; taken for %s by its %s", h->os.id, h->distro->name,
			       h->distro_by);
	if (!r && !h->distro->releases_n)
		return finding(f, STATE_NONE, NOT_PROVEN, name, "", "");
	if (!r)
		return finding(f, STATE_WARN, "this release of %s (%s) is not known",
			       h->distro->name,
			       str_empty(h->os.version_id) ? "no number" : h->os.version_id);
	if (!str_eq(r->tier, "proven"))
		return finding(f, STATE_NONE, NOT_PROVEN, name,
			       r->notes ? "; " : "", r->notes ? r->notes : "");
	return finding(f, STATE_OK, "%s", name);
}

enum report_state check_systemd_pid1(CHECK_ARGS)
{
	if (h->init == INIT_SYSTEMD)
		return finding(f, STATE_OK, "systemd");
	return finding(f, STATE_BAD,
		       h->running ? "pid 1 is not systemd" : "there is no systemd in this image");
}

enum report_state check_container(CHECK_ARGS)
{
	if (h->virt != VIRT_CONTAINER)
		return finding(f, STATE_OK, "no container");
	return finding(f, STATE_BAD, "this is a container (%s)", h->virt_name);
}

enum report_state check_wsl(CHECK_ARGS)
{
	if (h->virt != VIRT_WSL)
		return finding(f, STATE_OK, "no WSL");
	return finding(f, STATE_WARN, "this is WSL%s",
		       h->init == INIT_SYSTEMD ? "" : ", without systemd");
}

enum report_state check_immutable(CHECK_ARGS)
{
	if (!h->usr_read_only)
		return finding(f, STATE_OK, "/usr is writable");
	if (h->ostree) {
		buf_adds(&f->remedy, OSTREE_INSTEAD);
		return finding(f, STATE_BAD, "this is an ostree system, whose /usr comes as one image");
	}
	return finding(f, STATE_BAD, "/usr is read-only");
}

enum report_state check_selinux(CHECK_ARGS)
{
	if (!h->selinux_enabled)
		return finding(f, STATE_OK, "no SELinux");
	if (h->selinux_enforcing)
		return finding(f, STATE_BAD, "SELinux is enforcing");
	return finding(f, STATE_WARN, "SELinux is permissive; should it enforce again, containers fail");
}

enum report_state check_kubernetes(CHECK_ARGS)
{
	if (!h->kubernetes_node)
		return finding(f, STATE_OK, "no kubelet");
	return finding(f, STATE_BAD, "this is a Kubernetes node");
}

enum report_state check_reboot_pending(CHECK_ARGS)
{
	if (!h->reboot_pending)
		return finding(f, STATE_OK, "no reboot is pending");
	return finding(f, STATE_WARN, "packages ask for a reboot (/run/reboot-required)");
}

/* Where units lie, the first wins. */
static const char *const unit_dirs[] = { "/etc/systemd/system", "/usr/lib/systemd/system",
					 "/lib/systemd/system" };

/* The program that the unit starts, out of the first unit file that systemd would take; NULL: there
 * is none. */
static char *unit_program(const struct host *h, const char *unit)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(unit_dirs) && !text.len; i++) {
		char *path CLEANUP(freep) = path_join(unit_dirs[i], unit);

		(void)root_read_optional(h->root, path, 64 * 1024, &text, &ignored);	/* unreadable: as if absent */
	}
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (str_starts(lines.v[i], "ExecStart=/")) {
			const char *program = strchr(lines.v[i], '/');

			return xstrndup(program, strcspn(program, " "));
		}
	return NULL;
}

static bool unit_enabled(const struct host *h, const char *target, const char *unit)
{
	for (size_t i = 0; i < ARRAY_SIZE(unit_dirs); i++) {
		char *link CLEANUP(freep) = xasprintf("%s/%s.wants/%s", unit_dirs[i], target, unit);

		if (root_exists(h->root, link))
			return true;
	}
	return false;
}

static enum report_state check_boot_unit(const struct host *h, const char *target, const char *unit,
					 struct preflight_finding *f)
{
	static const char *const fleeting[] = { "/tmp/", "/run/", "/dev/", "/var/tmp/",
						"/var/run/" };
	char *program CLEANUP(freep) = unit_program(h, unit);

	if (!program || !unit_enabled(h, target, unit))
		return finding(f, STATE_BAD, "%s is not installed, or not enabled", unit);
	if (!root_exists(h->root, program))
		return finding(f, STATE_BAD, "the program of %s, '%s', is not there", unit,
			       program);
	for (size_t i = 0; i < ARRAY_SIZE(fleeting); i++)
		if (str_starts(program, fleeting[i]))
			return finding(f, STATE_BAD,
				       "the program of %s, '%s', will be gone at boot", unit,
				       program);
	return finding(f, STATE_OK, "both halves are enabled, and start '%s'", program);
}

static const struct boot_unit {
	const char *target, *unit;
} recover_units[] = {
	{ "sysinit.target", "sysboxup-recover.service" },
	{ "multi-user.target", "sysboxup-recover-late.service" },
	{ NULL, NULL },
}, firstboot_units[] = {
	{ "sysinit.target", "sysboxup-firstboot.service" },
	{ "multi-user.target", "sysboxup-firstboot-late.service" },
	{ NULL, NULL },
};

static enum report_state check_boot_units(const struct host *h, const struct boot_unit *units,
					  struct preflight_finding *f)
{
	enum report_state state = STATE_OK;

	for (; units->unit && state == STATE_OK; units++) {
		buf_clear(&f->found);
		state = check_boot_unit(h, units->target, units->unit, f);
	}
	return state;
}

enum report_state check_recover_unit(CHECK_ARGS)
{
	return check_boot_units(h, recover_units, f);
}

static enum report_state check_all_boot_units(const struct host *h, struct preflight_finding *f)
{
	enum report_state state = check_boot_units(h, recover_units, f);

	return state == STATE_OK ? check_boot_units(h, firstboot_units, f) : state;
}

enum report_state check_image_program(CHECK_ARGS)
{
	return check_all_boot_units(h, f) == STATE_OK ? STATE_OK : STATE_WARN;
}

bool firstboot_possible(const struct host *h)
{
	struct preflight_finding f = { BUF_INIT, BUF_INIT };
	bool ok = check_all_boot_units(h, &f) == STATE_OK;

	buf_release(&f.found);
	buf_release(&f.remedy);
	return ok;
}
