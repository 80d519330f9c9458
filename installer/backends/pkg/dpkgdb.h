/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpkg's and apt's databases, read from their own files, without a process: paragraphs of "Field:
 * value" lines. A paragraph is a slice of the text it was found in, which must outlive it. Nothing
 * here writes.
 */
#ifndef BACKENDS_PKG_DPKGDB_H
#define BACKENDS_PKG_DPKGDB_H

#include "backends/pkg/pkg.h"
#include "base/digest.h"

#define DPKG_DIR "/var/lib/dpkg"
#define DPKG_STATUS DPKG_DIR "/status"
#define DPKG_INFO DPKG_DIR "/info"
#define APT_DIR "/var/lib/apt"
#define APT_MARKS APT_DIR "/extended_states"
#define DEBCONF_DIR "/var/cache/debconf"

struct stanza {
	const char *text;
	size_t len;		/* without the blank line behind it */
};

/* The next paragraph at or after *at; moves *at behind it. */
bool stanza_next(const char **at, const char *end, struct stanza *ret);
/* Value of a field without its continuation lines, allocated; NULL if it has none. Names differ by
 * case only: equal. */
char *stanza_field(const struct stanza *s, const char *name);
/* All lines of a field, the first without its name; NULL if absent. */
char *stanza_lines(const struct stanza *s, const char *name);

/* /var/lib/dpkg/status; an absent file is an empty database. */
int dpkgdb_read(const struct root *r, struct buf *ret, struct err *err);
/* /var/lib/apt/extended_states; likewise. */
int dpkgdb_read_marks(const struct root *r, struct buf *ret, struct err *err);
/* Paragraph of "name" or "name:arch"; of several architectures the one that is installed wins. */
bool dpkgdb_find(const struct buf *status, const char *package, struct stanza *ret);
/* want, error flag and state of "Status: install ok installed"; each may be NULL. False: not three
 * words. */
bool stanza_status(const struct stanza *s, char **ret_want, char **ret_flag, char **ret_state);
bool dpkgdb_is_auto(const struct buf *marks, const char *package);
/* Fills ret from the two texts; a package that dpkg does not know gives known = false. */
void dpkgdb_status(const struct buf *status, const struct buf *marks, const char *package,
		   struct pkg_status *ret);
/* The same from the two files as they are now. */
int dpkgdb_look(const struct root *r, const char *package, struct pkg_status *ret, struct err *err);
/* Packages that are neither installed, nor gone, nor config-files: interrupted or waiting for
 * triggers ("jq (half-configured)"). */
void dpkgdb_unsettled(const struct buf *status, struct strv *ret);
/* The names alone, "name:arch" where Multi-Arch is same: what dpkg --configure takes. */
void dpkgdb_unsettled_names(const struct buf *status, struct strv *ret);
/* Names of the packages that the administrator put on hold. */
void dpkgdb_held(const struct buf *status, struct strv *ret);

/*
 * Where a package of the plan is known for another architecture too, its name becomes "name:arch":
 * the bare one would mean either, to us and to dpkg.
 */
void dpkgdb_qualify(const struct buf *status, struct pkg_plan *plan);
/* The "postinst" of "jq.postinst", an entry of info/: base is "jq", or "libjq1:amd64". NULL: it is
 * of another package. dpkg's names have no dot behind that: "x.y.list" is of another than "x". */
const char *dpkgdb_control_name(const char *entry, const char *base);
/* Pending journal files of an interrupted dpkg in /var/lib/dpkg/updates: number of them. */
int dpkgdb_updates(const struct root *r, size_t *ret, struct err *err);

#endif
