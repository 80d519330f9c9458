/* SPDX-License-Identifier: Apache-2.0 */
/* Constructors of the primitives. Strings and buffers are copied. Each returns a new action; it
 * belongs to the plan it is added to. */
#ifndef ACTIONS_KINDS_H
#define ACTIONS_KINDS_H

#include "actions/action.h"
#include "backends/firewall/manager.h"
#include "pki/ledger.h"
#include "base/digest.h"
#include "fetch/catalog.h"

/* A file with this content. An existing file keeps owner, mode and xattrs unless mode_forced. key
 * "file:PATH". */
struct action *action_file(const char *step, const char *path, mode_t mode, const void *data,
			   size_t len);
/* The same, content out of the package unpacked by action_unpack: member path, digest once known
 * (NULL before the fetch). */
struct action *action_file_member(const char *step, const char *path, mode_t mode,
				  const char *member);
struct action *action_remove(const char *step, const char *path);	/* a file goes, or what a link there leads to */
struct action *action_remove_link(const char *step, const char *path, const char *target);
struct action *action_link(const char *step, const char *path, const char *target);	/* symlink */
/* made if absent; undo removes it if empty and ours */
struct action *action_dir(const char *step, const char *path, mode_t mode);
/* the same; what others keep in it by then stays, and whoever takes it back is told where that
 * is */
struct action *action_data_dir(const char *step, const char *path, mode_t mode);

/* Fetches, verifies and unpacks this package (borrowed: it lives as long as the catalog) into
 * stage/; nothing on the host. from: the version that it replaces, or NULL. key "unpack:NAME". */
struct action *action_unpack(const char *step, const struct catalog_entry *entry,
			     const char *from);
void unpack_control(struct action *a);	/* and its control part */
/*
 * What was put here of an unpacked package is noted in dpkg's database, as if dpkg had unpacked and
 * configured it: its paragraph, its scripts, and the files that were added. Needs the control part,
 * and runs nothing. ours: the version that we registered before, or NULL.
 */
struct action *action_registration(const char *step, const char *package, const char *ours);
void registration_add_member(struct action *a, const char *path, const char *member);
void registration_add_text(struct action *a, const char *path, const void *data, size_t len);
char *registration_key(const char *package);	/* allocated */

/* System account with its group, no home, shell /bin/false, and one range of 65536 subordinate ids,
 * the same in both files. key "account:NAME". */
struct action *action_account(const char *step, const char *name);
/* Live value raised to at least min; never lowered. key "sysctl:NAME". */
struct action *action_sysctl(const char *step, const char *name, uint64_t min);
/*
 * Somebody who keeps files in memory reads them again: systemd (argument NULL, or the unit whose
 * files they are where another step does the same) or AppArmor (argument: the profile).
 * RELOAD_ON_COMMIT stands behind the files, RELOAD_ON_UNDO in front of them, so that each way the
 * files are there first. key "reload:WHAT:WHEN", and ":UNIT".
 */
enum reload_when { RELOAD_ON_UNDO, RELOAD_ON_COMMIT };
enum reload_what {
	RELOAD_SYSTEMD,
	RELOAD_FILTER,		/* systemd, and the kernel's filter of sockets with it */
	RELOAD_APPARMOR,
};
struct action *action_reload(const char *step, enum reload_what what, const char *argument,
			     enum reload_when when);
/* Of the inverse: on the other side of the file that it follows. */
enum reload_when reload_when_inverted(const struct record *oldest, const struct record *newest);
/*
 * The table that guards the API's port (backends/firewall/table.h) made to be as the file at `path`
 * says, or not to be, where there is none: behind the file and in front of it, as above. text: what
 * the plan puts there, for nft to look at in prepare. key NFTABLES_KEY, and ":undo".
 */
#define NFTABLES_KEY "nftables:sysboxup"
struct action *action_nftables(const char *step, const char *path, const struct buf *text,
			       enum reload_when when);
/*
 * Rules in the firewall manager of somebody else, put and taken through its own tool; `ours`: those
 * that are ours before that. Equal rules of others are left alone, and so are those of ours that
 * others have changed since. reload: it loads its files again. key openings_key.
 */
struct action *action_openings(const char *step, const struct manager_ops *ops,
			       const struct strv *put, const struct strv *take,
			       const struct strv *ours, bool reload);
char *openings_key(const struct manager_ops *ops);	/* allocated */

/*
 * These units active, started in this order, stopped in the reverse one when undone. restart: their
 * files change in the same plan; what runs of them is stopped in front of that, and before them the
 * containers of `runtime` (or NULL), which need them; afterwards those run again, or it is undone.
 * key "units:FIRST".
 */
struct action *action_units(const char *step, const char *const *units, const char *runtime,
			    bool restart);

/* The same units stopped; what they were before they are again when it is taken back. */
struct action *action_units_stop(const char *step, const char *const *units, const char *runtime);

/* The same of a Docker that the plan itself installs: they start when daemon.json is as it shall
 * be, so that nobody has to be told, and stop when it is taken back. No container may run then. */
struct action *action_daemon(const char *step, const char *const *units);

/* Those of a daemon beside the host's own, which listens on `socket` (in a directory that is there
 * as long as its containers may run): they stop only when none of its containers runs. */
struct action *action_units_of(const char *step, const char *const *units, const char *socket,
			       bool restart);

/* In an image: SELinux labels of these paths and what is below them, by setfiles and the policy's
 * file_contexts `spec`, all inside the root. key "labels:selinux". */
struct action *action_labels(const char *step, const char *spec, const struct strv *paths);

/*
 * What is here already, put there by somebody else, becomes ours as it is: nothing of it is changed
 * by that, and nothing by taking that back. `subject` and `text` are its line in the plan:
 * "sysbox", "Sysbox 0.7.0 is here, installed by hand". key ADOPT_KEY STEP.
 */
#define ADOPT_KEY "adopt:"
struct action *action_adopt(const char *step, const char *subject, const char *text);
/* A target of it, under the key that actions of that kind give it. as: of kind "packages" { "name"
 * }, of "units" { "units" }, of "docker-config" { "ours", "was" }, of "file" NULL. */
void adopt_target(struct action *a, const char *kind, const char *key, const struct json *as);

/* Packages through the host's package manager: see actions/packages.h (key "packages"); what
 * Sysbox's files need beside them: actions/dependencies.h (key "dependencies"). */

/*
 * These packages kept as they are by the package manager: on hold, where they are installed, and
 * nobody wants something else of them. `ours`: those that are on hold by us already. Only on a
 * running system, with dpkg. key "hold:docker".
 */
struct action *action_hold(const char *step, const struct strv *names, const struct strv *ours);

/* daemon.json: this merge patch, and the daemon made to take it up and prove it. key
 * "docker-config:PATH". */
/* ours and was (owned by the caller, copied): all that is ours afterwards, and the values before
 * us. */
struct action *action_docker_config(const char *step, const char *path, const struct json *patch,
				    const struct json *ours, const struct json *was,
				    const struct strv *planned_paths);
/* Its tls* keys are for a listener that opens behind it and closes before it (action_listener). */
void action_docker_config_tls_idle(struct action *a);

/*
 * A socket unit of ours whose file and drop-in are put in place by the plan, and the daemon that
 * gets the socket from systemd: three actions of one kind, because what goes on when it closes is
 * another order of things than when it opens.
 *
 *	RANK_LISTEN_OPEN	opens: daemon-reload, then a restart of Docker, which pulls the
 *				socket; proven by the unit. Closes: the socket alone, first of all
 *	RANK_LISTEN_RELOAD	closes: daemon-reload when the units' files are as before us, and if
 *				they are gone a restart of Docker, with the keys still there. Until
 *				then it serves what it was given, by TLS as before
 *	RANK_LISTEN_SETTLE	closes what was open before us: a restart of Docker when everything
 *				else is back
 *
 * So the keys of daemon.json are durable before the socket can open, and go after it. Where
 * containers run, the restart is refused unless live-restore keeps them. key "listener:UNIT:ROLE".
 */
enum listener_role { LISTENER_OPEN, LISTENER_RELOAD, LISTENER_SETTLE };
struct action *action_listener(const char *step, const char *unit, const struct strv *addresses,
			       enum listener_role role);

/*
 * Certificates of one kind, by an authority whose key is opened without a person: refused in
 * prepare where that cannot be, or where it would not issue one. They are in the ledger before
 * their keys can be had, are renewed by the timer, and stay: undo and rollback leave them alone.
 * One server's may be made beside another one of its name. record: its number in the ledger, where
 * other actions of the plan have to know it, or 0; if somebody else gets in between, it is undone.
 * key "certificates:server", "certificates:client".
 */
struct certificate_wanted {
	const char *name;
	int64_t ttl;			/* seconds */
	bool detected;			/* of a server: its sans are what this host is called now */
};
struct action *action_certificates(const char *step, enum pki_profile profile,
				   const struct certificate_wanted *v, size_t n, const char *sans,
				   uint64_t record);

#endif
