/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/store.h"

#include "pki/trust.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/signals.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define DIR_FLAGS (O_DIRECTORY | O_NOFOLLOW)
#define NEW ".new-"

enum { LOCK_POLL_MS = 10, NAME_SIZE = 32 };

void pki_release(struct pki *p)
{
	ledger_release(&p->ledger);
	closep(&p->lock_fd);
	closep(&p->gen_fd);
	closep(&p->fd);
}

static int open_dirs(struct pki *p, struct err *err)
{
	p->fd = root_openat(p->root, PKI_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (p->fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open '%s'", PKI_DIR);
	p->gen_fd = io_open_read(p->fd, "gen", DIR_FLAGS);
	return p->gen_fd < 0 && errno != ENOENT ?
		       err_errno(err, errno, "cannot open '%s/gen'", PKI_DIR) :
		       0;
}

static int make_dirs(struct pki *p, struct err *err)
{
	if (p->gen_fd >= 0)
		return 0;
	closep(&p->fd);
	if (open_dirs(p, err) || p->gen_fd >= 0)
		return p->gen_fd >= 0 ? 0 : -1;
	if (fs_mkdir_path(p->root, "/var/lib", 0755, err) ||
	    fs_mkdir_path(p->root, STATE_DIR, 0700, err) ||
	    fs_mkdir_path(p->root, PKI_DIR, 0700, err) ||
	    fs_mkdir_path(p->root, PKI_DIR "/gen", 0700, err))
		return -1;
	closep(&p->fd);
	return open_dirs(p, err);
}

static int lock(struct pki *p, unsigned int seconds, struct err *err)
{
	uint64_t deadline = clock_boot_ms() + 1000ULL * seconds;

	p->lock_fd = io_openat(p->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (p->lock_fd < 0)
		return err_errno(err, errno, "cannot open '%s/lock'", PKI_DIR);
	while (io_flock(p->lock_fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return err_errno(err, errno, "cannot lock '%s/lock'", PKI_DIR);
		if (signals_pending())
			return err_set(err, ERR_LOCKED, "interrupted while another run held '%s/lock'", PKI_DIR);
		if (clock_boot_ms() >= deadline)
			return err_set(err, ERR_LOCKED, "another run holds '%s/lock' for %u seconds now", PKI_DIR, seconds);
		clock_pause_ms(LOCK_POLL_MS);
	}
	return 0;
}

static void dir_name(char name[NAME_SIZE], const char *prefix, uint64_t seq)
{
	snprintf(name, NAME_SIZE, "%s%06llu", prefix, (unsigned long long)seq);
}

/* The record is there: the directory gets the name that goes with it. */
static int finish(struct pki *p, const char *from, uint64_t seq, struct err *err)
{
	char to[NAME_SIZE];

	dir_name(to, "", seq);
	if (io_renameat2(p->gen_fd, from, p->gen_fd, to, 0))
		return err_errno(err, errno, "cannot rename '%s' to '%s' in '%s/gen'", from, to,
				 PKI_DIR);
	return fs_sync_dir(p->gen_fd, err);
}

/* Killed before it could sync the ledger, or failed to: what is read there now could be something
 * else behind a power cut, and then one of the two would be without the other. */
static int settle(struct pki *p, const char *name, uint64_t seq, struct err *err)
{
	if (ledger_sync(p->fd, err))
		return -1;
	return seq == p->ledger.seq ? finish(p, name, seq, err) :
				      fs_remove_tree(p->gen_fd, name, err);
}

static int clean_up(struct pki *p, struct err *err)
{
	uint64_t seq;

	/* only the next record can have been on its way, or the last one */
	for (seq = p->ledger.seq; seq <= p->ledger.seq + 1; seq++) {
		char name[NAME_SIZE];
		struct stat st;

		dir_name(name, NEW, seq);
		if (fstatat(p->gen_fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
			if (errno != ENOENT)
				return err_errno(err, errno, "cannot look at '%s/gen/%s'", PKI_DIR,
						 name);
			continue;
		}
		if (settle(p, name, seq, err))
			return -1;
	}
	return 0;
}

/* Dates and the order of what was revoked when depend on it; the slack is what certificates
 * have. */
static int check_clock(const struct pki *p, struct err *err)
{
	char now[32], then[32];

	if (p->now + PKI_BACKDATE >= p->ledger.time)
		return 0;
	clock_iso(p->now, now);
	clock_iso(p->ledger.time, then);
	err_set(err, ERR_REFUSED, "the clock says %s, but the newest entry of the ledger is of %s: it was set back", now, then);
	return err_remedy(err, "set the clock; if it was that entry's that was wrong: --any-clock");
}

/* It only grows, so one of the same size is the same; a torn end may have been written over. */
static int read_again(struct pki *p, struct err *err)
{
	struct ledger *l = &p->ledger;
	struct stat st;

	if (l->end && !l->torn && !fstatat(p->fd, "ledger", &st, AT_SYMLINK_NOFOLLOW) &&
	    (uint64_t)st.st_size == l->end)
		return 0;
	ledger_release(l);
	return ledger_read(l, p->fd, err);
}

int pki_begin(struct pki *p, enum pki_mode mode, unsigned int lock_seconds, struct err *err)
{
	if (make_dirs(p, err) || lock(p, lock_seconds, err) || read_again(p, err) ||
	    clean_up(p, err) || pki_trust_settle(p, err))
		return -1;
	p->now = clock_now();	/* it took a while to get the lock */
	return mode == PKI_WRITE_ANY_CLOCK ? 0 : check_clock(p, err);
}

int pki_open(struct pki *ret, const struct root *root, enum pki_mode mode,
	     unsigned int lock_seconds, struct err *err)
{
	struct pki p CLEANUP(pki_release) = PKI_INIT;

	p.root = root;
	p.now = clock_now();
	if (mode != PKI_READ ?
		    pki_begin(&p, mode, lock_seconds, err) :
		    open_dirs(&p, err) || (p.fd >= 0 && ledger_read(&p.ledger, p.fd, err)))
		return -1;
	*ret = p;
	p = (struct pki)PKI_INIT;
	return 0;
}

int pki_append(struct pki *p, const struct buf *lines, struct err *err)
{
	int rc = ledger_append(&p->ledger, p->fd, lines, p->now, err);

	p->changed |= rc != -1;
	return rc;
}

int pki_publish(struct pki *p, const struct pki_files *f, const struct buf *lines, struct err *err)
{
	struct err ignored = ERR_INIT;
	char from[NAME_SIZE];
	uint64_t seq = p->ledger.seq + 1;
	int rc;

	dir_name(from, NEW, seq);
	if (files_write(f, p->gen_fd, from, err) || fs_sync_dir(p->gen_fd, err))
		return -1;
	rc = pki_append(p, lines, err);
	if (rc == -1)	/* else it stays until clean_up sees which it is */
		(void)fs_remove_tree(p->gen_fd, from, &ignored);
	if (rc)
		return -1;
	if (finish(p, from, seq, err))
		return -1;
	return p->ledger.trust == seq ? pki_trust_settle(p, err) : 0;
}

static char *below(const char *prefix, uint64_t seq, const char *entry)
{
	char name[NAME_SIZE];

	dir_name(name, prefix, seq);
	return entry ? xasprintf(PKI_DIR "/gen/%s/%s", name, entry) :
		       xasprintf(PKI_DIR "/gen/%s", name);
}

char *pki_path(const struct pki *p, uint64_t seq, const char *entry)
{
	char *inside CLEANUP(freep) = below("", seq, entry);

	return root_outside(p->root, inside);
}

int pki_open_dir(const struct pki *p, uint64_t seq, const char *entry, struct err *err)
{
	/* before somebody has the lock, a crash may have left it under its first name; or it gets
	 * the other one this instant */
	static const char *const prefixes[] = { "", NEW, "" };
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(prefixes); i++) {
		char *path CLEANUP(freep) = below(prefixes[i], seq, entry);

		fd = root_openat(p->root, path, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0 && i + 1 == ARRAY_SIZE(prefixes))
			err_errno(err, errno, "cannot open '%s'", path);
	}
	return fd;
}

int pki_check_private(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_errno(err, errno, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, "'%s' is no regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		err_set(err, ERR_REFUSED, "'%s' belongs to somebody else", path);
		return err_remedy(err, "chown root '%s', if you know who had it", path);
	}
	if (st.st_mode & 077) {
		err_set(err, ERR_REFUSED, "'%s' can be read or written by others (mode %04o)", path, st.st_mode & 07777);
		return err_remedy(err, "chmod 0400 '%s', if nobody can have read it", path);
	}
	return 0;
}
