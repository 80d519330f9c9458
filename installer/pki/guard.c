/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/guard.h"

#include "pki/secret.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/proc.h"

#include <errno.h>

#define LINK "secret"
#define CRED "secret.cred"
#define CRED_NAME "sysboxup-ca"

enum { SECRET_MAX = 4096, CRED_MAX = 64 * 1024, RANDOM_HEX = 64 };

bool guard_is_guessable(const struct buf *secret)
{
	return secret->len != RANDOM_HEX || strspn(secret->data, "0123456789abcdef") != RANDOM_HEX;
}

bool pki_creds_available(const struct root *root)
{
	return root->is_host && proc_available("systemd-creds");
}

static int take_passphrase(const struct buf *passphrase, struct buf *ret, struct err *err)
{
	if (!passphrase || !passphrase->len)
		return err_set(err, ERR_REFUSED, "the authority's key needs a passphrase");
	buf_reserve(ret, passphrase->len + 1);
	buf_add(ret, passphrase->data, passphrase->len);
	return 0;
}

/* --- a key file --- */

static int read_key_file(const struct root *root, const char *path, struct buf *ret,
			 struct err *err)
{
	int fd CLEANUP(closep) = root_openat(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return err_errno(err, errno, "cannot open the key file '%s'", path);
	buf_reserve(ret, SECRET_MAX + 1);
	if (pki_check_private(fd, path, err) || fs_read_fd(fd, SECRET_MAX, ret, err))
		return -1;
	if (ret->len && ret->data[ret->len - 1] == '\n')
		ret->data[--ret->len] = '\0';
	return ret->len ? 0 : err_set(err, ERR_REFUSED, "the key file '%s' is empty", path);
}

static int make_key_file(struct pki *p, const char *path, struct err *err)
{
	struct buf secret CLEANUP(secret_release) = BUF_INIT;
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_exists(p->root, path))
		return 0;
	if (root_parent(p->root, path, true, &dir, &name, NULL, err))
		return err_prefix(err, "cannot make the key file '%s'", path);
	secret_random(&secret);
	buf_addc(&secret, '\n');
	int rc = fs_put(dir, name, 0400, secret.data, secret.len, err);

	p->changed |= root_exists(p->root, path);
	return rc;
}

/* Also what was there before: whoever made it, a run that was killed among them, may not have, and
 * behind a power cut the authority would be there without what opens it. */
static int sync_key_file(const struct root *root, const char *path, struct err *err)
{
	int dir CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(root, path, true, &dir, &name, NULL, err))
		return -1;
	int fd CLEANUP(closep) = io_open_read(dir, name, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_errno(err, errno, "cannot open the key file '%s'", path);
	return fs_settle(fd, path, err) || fs_settle(dir, path, err) ? -1 : 0;
}

static int read_link(int dir, char **ret, struct err *err)
{
	struct root here = { .fd = dir };

	return root_readlink(&here, LINK, ret) < 0 ?
		       err_errno(err, errno, "cannot read the link '%s'", LINK) :
		       0;
}

static int open_key_file(const struct root *root, int dir, struct buf *ret, struct err *err)
{
	char *path CLEANUP(freep) = NULL;

	return read_link(dir, &path, err) ? -1 : read_key_file(root, path, ret, err);
}

/* --- systemd-creds --- */

static int run_creds(const char *const *argv, const struct buf *input, struct buf *ret,
		     struct err *err)
{
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.input = input->data;
	p.input_len = input->len;
	p.ret_out = ret;
	buf_reserve(ret, CRED_MAX);	/* no copy stays behind by growing */
	return proc_run(&p, NULL, err);
}

static int make_cred(const struct buf *secret, struct buf *ret, struct err *err)
{
	static const char *const argv[] = {
		"systemd-creds", "encrypt", "--name=" CRED_NAME, "-", "-", NULL
	};

	return run_creds(argv, secret, ret, err);
}

static int open_cred(int dir, struct buf *ret, struct err *err)
{
	static const char *const argv[] = {
		"systemd-creds", "decrypt", "--name=" CRED_NAME, "-", "-", NULL
	};
	struct buf sealed CLEANUP(buf_release) = BUF_INIT;

	if (fs_read_at(dir, CRED, CRED_MAX, &sealed, err) < 0)
		return -1;
	return run_creds(argv, &sealed, ret, err);
}

/* --- either --- */

int guard_make(struct pki *p, const struct pki_ca_spec *spec, struct pki_files *files,
	       struct buf *ret, struct err *err)
{
	switch (spec->guard) {
	case GUARD_ELSEWHERE:
		break;
	case GUARD_PASSPHRASE:
		return take_passphrase(spec->passphrase, ret, err);
	case GUARD_KEY_FILE:
		files_add_link(files, LINK, spec->key_file);
		return make_key_file(p, spec->key_file, err) ||
				       read_key_file(p->root, spec->key_file, ret, err) ||
				       sync_key_file(p->root, spec->key_file, err) ? -1 : 0;
	case GUARD_CREDS:
		secret_random(ret);
		return make_cred(ret, files_add(files, 0400, CRED), err);
	}
	return err_set(err, ERR_REFUSED, "the authority's key is not on this host");
}

static bool is_there(int dir, const char *name)
{
	struct stat st;

	return !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
}

enum pki_guard guard_of(int dir)
{
	if (!is_there(dir, "key.pem"))
		return GUARD_ELSEWHERE;
	return is_there(dir, LINK) ? GUARD_KEY_FILE :
	       is_there(dir, CRED) ? GUARD_CREDS :
				     GUARD_PASSPHRASE;
}

int guard_open(const struct root *root, int dir, const struct buf *passphrase, struct buf *ret,
	       struct err *err)
{
	switch (guard_of(dir)) {
	case GUARD_ELSEWHERE:
		break;
	case GUARD_PASSPHRASE:
		return take_passphrase(passphrase, ret, err);
	case GUARD_KEY_FILE:
		return open_key_file(root, dir, ret, err);
	case GUARD_CREDS:
		return open_cred(dir, ret, err);
	}
	return err_set(err, ERR_REFUSED, "the authority's key is not on this host");
}

int guard_copy(int dir, struct pki_files *files, struct err *err)
{
	char *path CLEANUP(freep) = NULL;

	switch (guard_of(dir)) {
	case GUARD_ELSEWHERE:
	case GUARD_PASSPHRASE:
		return 0;
	case GUARD_CREDS:
		return fs_read_at(dir, CRED, CRED_MAX, files_add(files, 0400, CRED), err) ? -1 : 0;
	case GUARD_KEY_FILE:
		break;
	}
	if (read_link(dir, &path, err))
		return -1;
	files_add_link(files, LINK, path);
	return 0;
}
