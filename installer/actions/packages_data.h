/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of kind "packages" share: packages.c (the action), packages_prepare.c,
 * packages_old.c (the package file of what is installed), packages_same.c (whether one is that),
 * packages_rebuild.c (made from it), packages_before.c (the recorded state), packages_dpkg.c (dpkg
 * in the shield), packages_undo.c.
 */
#ifndef ACTIONS_PACKAGES_DATA_H
#define ACTIONS_PACKAGES_DATA_H

#include "actions/packages.h"
#include "backends/pkg/dpkgdb.h"
#include "backends/pkg/pkg.h"
#include "fetch/unpack.h"

#define DEBS_DIR STATE_DIR "/debs"
#define REBUILT "rebuilt from the installed files"

struct packages {
	/* asked for */
	struct strv names;
	char *name, *version, *arch;
	bool remove;
	bool by_name;			/* apt has it, not the catalog */
	bool inverted;			/* made by invert: files come from `plan`, `expected` is the version that is there */
	char *expected;
	char *from;			/* the version that it replaces, as the profile would name it; or NULL */
	struct json *give_back;		/* inverted, to a version: "paths" of the state to go back to; or NULL */
	struct strv kept;		/* inverted: conffiles of the administrator from before the installation */
	/* prepared. remove: each op is PKG_REMOVE with the file that undo installs again */
	struct pkg_plan plan;
	struct strv autos;		/* marked auto after the installation */
	/* upgrade: the .deb of the version before, or NULL; the hash is known from the start where
	 * it was ours */
	char *old_file, old_sha256[65];
	bool old_rebuilt;
	/* the file that was fetched by the catalog, and what is in it; until it is recorded */
	char *fetched_file;
	struct deb fetched;
	struct json *before;		/* packages_before.c */
};

struct deb_lists {			/* what the packages concerned bring */
	struct strv units, conffiles;
	struct json *shipped;		/* conffile -> digests of it in the package files */
};

/* ---- packages_prepare.c ---- */
int packages_prepare(struct action *a, struct action_ctx *ctx, struct err *err);
unsigned int packages_lock_seconds(void);
const struct pkg_op *packages_op(const struct packages *d, const char *name);	/* NULL: none */
/* Conffiles of what is installed, as dpkg's status says. */
void packages_conffiles(const struct buf *status, const char *name, struct strv *conffiles);
/* In prepare: an action in front of this one installs that package. */
bool packages_to_come(const struct action_ctx *ctx, const char *name);
/* A directory inside the root. -1 with err set. */
int packages_open_dir(const struct root *r, const char *path, struct err *err);
/* Room below each of dirs (ends with NULL) for what is installed, and for need besides; else
 * ERR_REFUSED. */
int packages_check_space(const struct root *r, const char *const *dirs, uint64_t installed,
			 uint64_t need, struct err *err);
/* Room for what is installed, and for dpkg to undo it, which is set aside; else ERR_REFUSED. */
int packages_set_aside(const struct action_ctx *ctx, uint64_t installed, struct err *err);
void plan_copy_op(struct pkg_plan *p, const struct pkg_op *op);
bool plan_drop(struct pkg_plan *p, const char *name);	/* false: it is not in there */
int packages_hash_file(const struct root *r, const char *path, char hex[DIGEST_HEX + 1],
		       struct err *err);
bool packages_file_is(const struct root *r, const char *path, const char *sha256);
/* Verified, in the cache and by its name in debs/. file: --package FILE, or NULL. ret_deb: what is
 * in it, or NULL. */
int packages_fetch(const struct action_ctx *ctx, const struct catalog_entry *entry,
		   const char *file, char **ret, struct deb *ret_deb, struct err *err);
void packages_forget_fetched(struct packages *d);
/* What is in a package file. ERR_REFUSED: it is none that dpkg should unpack. */
int packages_list(const struct root *r, const char *file, struct deb *ret, struct err *err);

/* ---- packages_old.c ---- */
/*
 * The .deb of op's old_version, which is installed, for undo: of ours in debs/, else by the catalog
 * (NULL: there is none), else made from what is installed. op: its hash, where it is known ("": it
 * is not, and a file counts only if it is what is installed); gets file and sha256. ERR_REFUSED:
 * there is no way back.
 */
int packages_find_old(const struct packages *d, const struct action_ctx *ctx,
		      const struct catalog *c, struct pkg_op *op, struct err *err);
/* For the line of a plan or of a record: how the way back is had, where it is not simply there; or
 * NULL. */
const char *packages_way_back(const struct packages *d, const struct action_ctx *ctx);

/* ---- packages_rebuild.c ---- */
/*
 * The file of a package that is installed, made from its own files, each of them checked against
 * what dpkg noted (backends/pkg/installed.h), and tried with dpkg; durable in debs/ when it returns
 * 0. The name holds the digest: a file that a record names is never replaced by another. Fills in
 * file, sha256 and rebuilt of op; its name and old_version say which. ERR_REFUSED with the path
 * that is not as noted.
 */
int packages_rebuild(const struct action_ctx *ctx, struct pkg_op *op, struct err *err);
/* The package file alone, into fd, synced; not tried. */
struct installed;
int packages_pack(const struct root *r, const struct installed *p, int fd, struct err *err);

/* ---- packages_same.c ---- */
/* *ret: what is in the package file is what is installed. */
int packages_is_installed(const struct action_ctx *ctx, const char *file, const char *name,
			  bool *ret, struct err *err);

/* ---- packages_before.c ---- */
/*
 *	{ "packages": { NAME: { "stanza": sha256 or null, "version", "want", "state", "auto" } },
 *	  "marks": extended_states exists, "apt": { its path: { "node", "data": hex } }, "dirs":
 *	  [...], "units": [...], "conffiles": [...], "shipped": { CONFFILE: [sha256 ...] },
 *	  "paths": { PATH: { "node", "data": hex } }, "temps": [...] }
 */
int before_take(struct packages *d, const struct action_ctx *ctx, const struct deb_lists *lists,
		struct err *err);
/* The packages concerned whose stanza is not as recorded. */
int before_differs(const struct packages *d, const struct action_ctx *ctx, struct strv *ret,
		   struct err *err);
/*
 * apt writes all its marks anew and syncs nothing, and ext4 may have the name on the disk before
 * the data: behind a power cut they are zeros, cut off or none, apt reads none of them any more,
 * and those of all other packages are lost, too (seen: tests/crash/powercut). Before undo asks apt
 * or its marks for anything: then they are put back as they were.
 */
int before_mend_marks(const struct packages *d, const struct action_ctx *ctx, struct err *err);
/* Links, masks, deb-systemd-helper's state, conffiles, known temporaries: put right against the
 * record; but not of the packages in `stay`. */
int before_restore_paths(const struct packages *d, const struct action_ctx *ctx,
			 const struct strv *stay, struct err *err);
/* Before undo starts dpkg: a conffile that is neither as before nor as a package ships it is
 * somebody's; a copy of it is kept beside, and named. */
int before_keep_edited(const struct packages *d, const struct action_ctx *ctx, struct err *err);
/*
 * Conffiles (and files beside them) that were there before the packages were: a purge deletes them
 * (facts/dpkg-tried.md 4), so a removal that takes an installation back puts them back, as they
 * were when it began.
 */
void before_conffile_paths(const struct packages *d, struct strv *ret);
/*
 * A version of before is back: so is what was removed with it, unless somebody has put something
 * there since, and the time of what was removed and made anew. What others removed of a package
 * that was there all the time stays away.
 */
int before_give_back(const struct packages *d, const struct action_ctx *ctx, struct err *err);
/* After an upgrade was taken back: each CONFFILE.dpkg-dist that it made (dpkg leaves it;
 * facts/dpkg-tried.md 4). */
int before_drop_dist(const struct packages *d, const struct action_ctx *ctx, struct err *err);
/* After a purge: what it left of the units' being enabled, because deb-systemd-helper failed, which
 * no postrm minds. A link that somebody else made stays. */
int before_drop_enabled(const struct packages *d, const struct action_ctx *ctx, struct err *err);
/* Links to the packages' units below /etc/systemd/system that were not there before. */
int before_unit_links(const struct packages *d, const struct action_ctx *ctx, struct strv *ret,
		      struct err *err);
/* Where deb-systemd-helper notes that it made this link. Allocated. */
char *before_note_of(const char *link);
int before_restore_kept(const struct packages *d, const struct action_ctx *ctx, struct err *err);
const struct json *before_package(const struct packages *d, const char *name);
bool before_installed(const struct packages *d, const char *name);
bool before_config_files(const struct packages *d, const char *name);

/* ---- packages_prepare.c ---- */
/* The last part of every prepare, when the plan is complete. */
int packages_record(struct packages *d, struct action_ctx *ctx, struct err *err);
/* The one that the caller loaded, or our own: loading an external one twice would be two
 * downloads. */
int packages_catalog(const struct action_ctx *ctx, struct catalog *own, const struct catalog **ret,
		     struct err *err);

/* ---- packages_remove.c ---- */
int packages_prepare_remove(struct packages *d, struct action_ctx *ctx, const struct pkg_ops *ops,
			    struct err *err);
/*
 * What the version that comes back does not need: inverted ones name it. Asked together with the
 * package itself, which needs it as long as it is the newer one.
 */
int packages_find_surplus(const struct packages *d, struct action_ctx *ctx,
			  const struct pkg_ops *ops, struct pkg_plan *ret, struct err *err);

/* ---- packages_enabled.c ---- */
/*
 * After an installation: deb-systemd-helper has a note of each link that it made. It keeps none
 * where systemctl has done what it was asked to and fails all the same, no postinst minds, and no
 * purge would ever take such a link away: ERR_FAILED, and undo does.
 */
int packages_check_noted(const struct packages *d, const struct action_ctx *ctx, struct err *err);

/* ---- packages_dpkg.c ---- */
/* Each batch of the plan's files, --force-confold; a configuration refused because debconf was
 * locked is tried once more. */
int dpkg_install_plan(const struct action_ctx *ctx, const struct pkg_plan *plan, struct err *err);
int dpkg_install_file(const struct action_ctx *ctx, const char *file, struct err *err);
int dpkg_purge(const struct action_ctx *ctx, const struct strv *names, bool force, struct err *err);
int dpkg_remove(const struct action_ctx *ctx, const struct strv *names, bool force,
		struct err *err);
/* dpkg's journal into its status file, and nothing else: what it says is not there otherwise. */
int dpkg_fold_updates(const struct action_ctx *ctx, struct err *err);
int dpkg_configure(const struct action_ctx *ctx, const struct strv *names, struct err *err);
/* Takes names out of the list until dpkg --no-act would purge it whole; `keep` itself is never
 * taken out: then an error. */
int dpkg_purgeable(const struct action_ctx *ctx, struct strv *names, const char *keep,
		   struct err *err);
/* The shield of DESIGN.md 7, its init noted so that recover can wait for it. */
struct proc;
int packages_in_shield(const struct action_ctx *ctx, const struct proc *p, int *ret_status,
		       struct err *err);
/* Every unix socket that a Docker of this host listens on, or would when started, to be hidden from
 * scripts; some may be named twice. */
void packages_sockets(const struct host *h, struct strv *ret);
/* What a shield that was killed left (sys/shield.h); its init is known to be gone. */
int dpkg_clear_shield(const struct action_ctx *ctx, struct err *err);
/* Lines of "NAME WORD", all of them at once: a killed dpkg leaves its status file as before or as
 * after. */
int dpkg_selections(const struct action_ctx *ctx, const char *lines, struct err *err);
int dpkg_select(const struct action_ctx *ctx, const char *name, const char *want, struct err *err);
/* Templates and answers of a package whose own postrm cannot do it any more. */
int debconf_purge(const struct action_ctx *ctx, const char *name, struct err *err);
/* dpkg reads it and would install it: nothing is changed. ERR_REFUSED. */
int dpkg_try_file(const char *file, struct err *err);
int apt_mark(const struct action_ctx *ctx, const char *mark, const struct strv *names,
	     struct err *err);
/* Somebody has the lock of this file of debconf's: it is being written. */
bool debconf_writes(const struct root *r, const char *path);
/*
 * debconf writes FILE-new whole and synced, under its own lock, then renames FILE to FILE-old and
 * FILE-new to FILE (Debconf/DbDriver/File.pm). Between the two a kill or a power cut leaves it
 * without FILE, and its next run would begin with an empty one: the second is done here.
 */
int debconf_mend(const struct action_ctx *ctx, struct err *err);
int debconf_wait(const struct root *r, unsigned int seconds, struct report *rep, struct err *err);

/* ---- packages.c ---- */
/* An installation that takes something out too: what the version that comes back does not need. */
bool packages_takes_out(const struct packages *d);

/* ---- packages_undo.c ---- */
int packages_undo(struct action *a, struct action_ctx *ctx, struct err *err);
/* A script did not end: undo shall not start it again to repair what it left. As far as it can be
 * noted; it costs time only. */
void packages_note_hang(const struct action_ctx *ctx);
int packages_sync(const struct root *r, struct err *err);	/* syncfs of what package managers wrote */

#endif
