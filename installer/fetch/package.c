/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/package.h"

#include "base/digest.h"
#include "fetch/download.h"
#include "fetch/part.h"
#include "sys/fs.h"

#include <errno.h>
#include <unistd.h>

#define CACHE_DIR "/var/lib/sysboxup/cache"
#define PACKAGE_MAX (2048ULL * 1024 * 1024)
#define READ_SIZE (64 * 1024)

/* Size and hash by one descriptor. */
static int digest_fd(int fd, char hex[DIGEST_HEX + 1], uint64_t *ret_size)
{
	struct digest *hash CLEANUP(digest_freep) = digest_new();
	char *block CLEANUP(freep) = xmalloc(READ_SIZE);
	uint64_t at = 0;
	ssize_t n;

	while ((n = pread(fd, block, READ_SIZE, (off_t)at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		digest_add(hash, block, (size_t)n);
		at += (uint64_t)n;
	}
	digest_end(STEAL(hash), hex);
	*ret_size = at;
	return 0;
}

/* Regular files only: a pipe named by --package would be gone after its hash was taken. */
static int open_regular(int dirfd, const char *name, int flags, struct err *err)
{
	int fd CLEANUP(closep) = io_open_read(dirfd, name, O_NONBLOCK | flags);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, "'%s' is not a file", name);
	if ((uint64_t)st.st_size > PACKAGE_MAX)
		return err_set(err, ERR_REFUSED, "'%s' is too large for a package", name);
	return STEAL_FD(fd);
}

static const struct catalog_entry *entry_by_hash(const struct catalog *c, const char *name,
						 const char *version, const char *arch,
						 const char *hex)
{
	bool any = str_eq(version, "latest");

	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->v[i].sha256, hex) && str_eq(c->v[i].name, name) &&
		    str_eq(c->v[i].arch, arch) && (any || str_eq(c->v[i].version, version)))
			return &c->v[i];
	return NULL;
}

static void not_listed(const struct catalog *c, const char *name, const char *version,
		       const char *arch, const char *file, const char *hex, struct err *err)
{
	bool any = str_eq(version, "latest");

	if (!any && !catalog_find(c, name, version, arch, err))
		return;
	err_set(err, ERR_REFUSED, "'%s' is not %s%s%s for %s of the catalog: its SHA-256 is %s", file,
		name, any ? "" : " ", any ? "" : version, arch, hex);
	err_remedy(err, "give the file as its maker published it, or name a catalog that lists it in the profile");
}

static void third_party(const struct catalog_entry *e, const char *file, struct err *err)
{
	err_set(err, ERR_USAGE, "'%s' is %s %s, whose hash only third parties know; \"latest\" takes none of these",
		file, e->name, e->version);
	err_remedy(err, "set \"sysbox\": { \"version\": \"%s\" } in the profile to trust it",
		   e->version);
}

const struct catalog_entry *package_choose(const struct catalog *c, const char *name,
					   const char *version, const char *arch, const char *file,
					   struct err *err)
{
	const struct catalog_entry *e;
	char hex[DIGEST_HEX + 1];
	uint64_t size;

	if (!file)
		return catalog_find(c, name, version, arch, err);
	int fd CLEANUP(closep) = open_regular(AT_FDCWD, file, 0, err);

	if (fd < 0 || digest_fd(fd, hex, &size) < 0) {
		if (fd >= 0)
			err_errno(err, errno, "cannot read '%s'", file);
		err_remedy(err, "name the package's file after --package");
		err_raise(err, ERR_USAGE);
		return NULL;
	}
	e = entry_by_hash(c, name, version, arch, hex);
	if (!e) {
		not_listed(c, name, version, arch, file, hex, err);
	} else if (!e->upstream && str_eq(version, "latest")) {
		third_party(e, file, err);
		return NULL;
	}
	return e;
}

/* --- where the bytes come from --- */

/* 0 and a descriptor, or 1: not there, or not what it should be (a cache may be lost, never
 * believed). */
static int from_cache(const struct catalog_entry *e, int dirfd, int *ret_fd, struct report *rep)
{
	int fd CLEANUP(closep) = open_regular(dirfd, e->sha256, O_NOFOLLOW, NULL);
	char hex[DIGEST_HEX + 1];
	uint64_t size;

	if (fd < 0 || digest_fd(fd, hex, &size) < 0)
		return 1;
	if (!str_eq(hex, e->sha256)) {
		report_warn(rep, NULL, "the cached %s %s is damaged; it is fetched again", e->name, e->version);
		return 1;
	}
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int copy_to_part(int fd, struct part *part, const char *file, struct err *err)
{
	char *block CLEANUP(freep) = xmalloc(READ_SIZE);
	ssize_t n;

	while ((n = pread(fd, block, READ_SIZE, (off_t)part->len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "cannot read '%s'", file);
		if (part->len + (uint64_t)n > PACKAGE_MAX)
			return err_set(err, ERR_REFUSED, "'%s' is too large for a package", file);
		if (part_write(part, block, (size_t)n, err) < 0)
			return -1;
	}
	return 0;
}

/* The copy is what is hashed and used: its owner may change FILE at any time. */
static int from_file(const struct catalog_entry *e, const char *file, int dirfd, int *ret_fd,
		     struct err *err)
{
	struct part part CLEANUP(part_release) = PART_INIT;
	char hex[DIGEST_HEX + 1];
	int fd CLEANUP(closep) = open_regular(AT_FDCWD, file, 0, err);

	if (fd < 0 || part_open(&part, dirfd, e->sha256, false, err) < 0)
		return -1;
	if (copy_to_part(fd, &part, file, err) < 0) {
		part_drop(&part);
		return -1;
	}
	part_digest(&part, hex);
	if (str_eq(hex, e->sha256))
		return part_publish(&part, ret_fd, err);
	part_drop(&part);
	return err_set(err, ERR_REFUSED, "'%s' is not %s %s: its SHA-256 is %s, not %s", file, e->name, e->version, hex,
		       e->sha256);
}

static int from_network(const struct catalog_entry *e, const struct profile *p, int dirfd,
			int *ret_fd, struct report *rep, struct err *err)
{
	char *what CLEANUP(freep) = xasprintf("%s %s", e->name, e->version);
	const struct download d = {
		.what = what,
		.urls = (const char *const *)e->urls.v,
		.sha256 = e->sha256,
		.size = e->size,
		.max_size = PACKAGE_MAX,
		.proxy = p->catalog.proxy,
		.ca_file = p->catalog.ca_file,
		.plain_mirrors = &p->catalog.plain_mirrors,
		.rep = rep,
		.remedy = "check the network and the profile's 'catalog.proxy' and 'catalog.ca_file', or get the "
			  "package elsewhere and give it with --package FILE",
	};

	if (download_run(&d, dirfd, ret_fd, err) == 0)
		return 0;
	return err->errnum == ENOSPC ? err_remedy(err, "make room below '" CACHE_DIR "'") : -1;
}

static int open_cache(const struct root *root, int *ret, struct err *err)
{
	if (fs_mkdir_path(root, CACHE_DIR, 0755, err) < 0)
		return -1;
	*ret = root_openat(root, CACHE_DIR, O_RDONLY | O_DIRECTORY, 0);
	return *ret < 0 ? err_errno(err, errno, "cannot open '" CACHE_DIR "'") : 0;
}

static int obtain(struct package *pkg, int dirfd, const struct profile *p, const char *file,
		  bool *ret_new, struct report *rep, struct err *err)
{
	if (from_cache(pkg->entry, dirfd, &pkg->fd, rep) == 0)
		return fs_settle(dirfd, CACHE_DIR, err);	/* who put it there may have been killed */
	*ret_new = true;
	if (file)
		return from_file(pkg->entry, file, dirfd, &pkg->fd, err);
	return from_network(pkg->entry, p, dirfd, &pkg->fd, rep, err);
}

/* --- what they are --- */

/* Where the catalog does not know the package's own version: the release, or the release with a
 * packager's suffix ("0.6.4.linux", "0.5.0-0.linux"). */
static bool version_fits(const char *have, const char *release)
{
	size_t n = strlen(release);

	return str_starts(have, release) &&
	       (!have[n] || str_eq(have + n, ".linux") || str_eq(have + n, "-0.linux"));
}

static int check_package(const struct package *pkg, const char *what, struct err *err)
{
	const struct catalog_entry *e = pkg->entry;
	struct stat st;

	if (fstat(pkg->fd, &st) < 0)
		return err_errno(err, errno, "cannot read %s", what);
	if (e->size && (uint64_t)st.st_size != e->size)
		return err_set(err, ERR_REFUSED, "%s is refused: it has %llu bytes, the catalog says %llu", what,
			       (unsigned long long)st.st_size, (unsigned long long)e->size);
	if (deb_check_control(&pkg->deb, e->name, e->package_version, e->arch, what, err) < 0)
		return -1;
	if (!e->package_version && !version_fits(pkg->deb.control.version, e->version))
		return err_set(err, ERR_REFUSED, "%s is refused: its version is '%s'", what,
			       pkg->deb.control.version);
	return 0;
}

/* What was refused is not kept, unless it was there before: then somebody may still need it. */
static int refuse(const struct package *pkg, int dirfd, bool new, struct err *err)
{
	if (new)
		fs_unlink(dirfd, pkg->entry->sha256, NULL);
	return err_remedy(err, "tell whoever publishes the catalog: it lists a package that is not fit to be installed");
}

int package_fetch(struct package *ret, const struct root *root, const struct catalog_entry *entry,
		  const struct profile *p, const char *file, struct report *rep, struct err *err)
{
	struct package pkg CLEANUP(package_release) = { .entry = entry, .fd = -1 };
	char *what CLEANUP(freep) = xasprintf("package %s %s", entry->name, entry->version);
	int dirfd CLEANUP(closep) = -1;
	bool new = false;

	pkg.cached = xasprintf(CACHE_DIR "/%s", entry->sha256);
	if (open_cache(root, &dirfd, err) < 0 || obtain(&pkg, dirfd, p, file, &new, rep, err) < 0)
		return -1;
	if (deb_read(&pkg.deb, pkg.fd, what, DEB_UNPACKED_MAX, err) < 0 ||
	    check_package(&pkg, what, err) < 0)
		return refuse(&pkg, dirfd, new, err);
	*ret = pkg;
	pkg = (struct package){ .fd = -1 };
	return 0;
}

void package_release(struct package *p)
{
	closep(&p->fd);
	free(p->cached);
	deb_release(&p->deb);
	*p = (struct package){ .fd = -1 };
}
