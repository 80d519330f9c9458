/* SPDX-License-Identifier: Apache-2.0 */
/* cert request, import: an authority that is kept elsewhere */
#include "cli/cert.h"
#include "cli/exit.h"
#include "pki/export.h"
#include "pki/names.h"
#include "pki/request.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>

enum { TEXT_MAX = 64 * 1024 * 1024 };

int cert_read_file(const char *path, struct buf *ret, struct err *err)
{
	int fd CLEANUP(closep) = io_open_read(AT_FDCWD, path, O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		err_errno(err, errno, "cannot open '%s'", path);
	else if (!fs_read_fd(fd, TEXT_MAX, ret, err))
		return 0;
	else
		err_prefix(err, "cannot read '%s'", path);
	return err_raise(err, ERR_USAGE);
}

/* Before the key is made: a request that nobody has is of no use. */
static int open_out(const char *out, int *ret, struct err *err)
{
	char *parent CLEANUP(freep) = path_dirname(out);
	int dir CLEANUP(closep) = io_open_read(AT_FDCWD, parent, O_DIRECTORY);
	struct stat st;

	if (dir < 0) {
		err_errno(err, errno, "cannot open '%s'", parent);
		return err_raise(err, ERR_USAGE);
	}
	if (!fstatat(dir, path_basename(out), &st, AT_SYMLINK_NOFOLLOW))
		return err_set(err, ERR_USAGE, "'%s' exists already", out);
	*ret = STEAL_FD(dir);
	return 0;
}

int cert_request(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	struct pki_wish w = { .name = cli->opts.args.v[1],
			      .profile = PKI_CLIENT,
			      .algorithm = cert_algorithm(cli) };
	char *sans CLEANUP(freep) = NULL, *out CLEANUP(freep) = NULL;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int dir CLEANUP(closep) = -1;

	if (option_given(&cli->opts, "server"))
		w.profile = PKI_SERVER;
	if (!option_text(&cli->opts, "out"))
		return err_set(err, ERR_USAGE, "'cert request' needs --out FILE, for the request to be signed");
	if (name_check(w.name, err) || cert_check_san(cli, err) ||
	    cert_open(&r, cli, PKI_READ, err) || !pki_ca_find(&r.pki, err) ||
	    (w.profile == PKI_SERVER && cert_sans(&r, &sans, &w.detected, err)))
		return -1;
	w.sans = sans;
	out = cert_absolute(option_text(&cli->opts, "out"));
	if (open_out(out, &dir, err) || pki_begin(&r.pki, r.write, r.lock_seconds, err) ||
	    pki_request(&r.pki, &w, &text, err) ||
	    fs_put(dir, path_basename(out), 0644, text.data, text.len, err))
		return -1;
	cli->result.changed = true;
	render_say(
		cli->out, PAINT_NONE,
		"Wrote %s. The key waits here; what the authority makes of it: sysboxup cert import FILE",
		out);
	return EXIT_DONE;
}

int cert_import(struct cli *cli, struct err *err)
{
	static const char *const came[] = {
		[CAME_AUTHORITY] = "The authority is known now; its key is elsewhere.",
		[CAME_CERT] = NULL,
		[CAME_KNOWN_CERT] = "This certificate was known already.",
		[CAME_WAITING_CERT] = "This certificate is good, and waits until the old authority is dropped.",
		[CAME_LIST] = "The revocation list is known now.",
	};
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	enum pki_came what = CAME_LIST;

	if (cert_read_file(cli->opts.args.v[1], &text, err) || cert_open(&r, cli, PKI_WRITE, err) ||
	    pki_import(&r.pki, &text, &what, err))
		return -1;
	if (!came[what])
		cert_show_new(&r);
	else
		render_say(cli->out, PAINT_GOOD, "%s", came[what]);
	cert_tell_phase(&r.s.root, &r.pki, r.s.rep);
	return EXIT_DONE;
}
