/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/passphrase.h"

#include "pki/secret.h"
#include "pki/store.h"
#include "sys/io.h"
#include "sys/signals.h"

#include <errno.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

enum { PASSPHRASE_MAX = 1024 };

static int interrupted(struct err *err)
{
	return err_set(err, ERR_USAGE, "interrupted while a passphrase was asked for");
}

/* Up to the end of the line. poll, because a signal does not end read. */
static int read_line(int fd, struct buf *ret, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c = '\0';

	buf_reserve(ret, PASSPHRASE_MAX + 1);
	while (ret->len < PASSPHRASE_MAX) {
		ssize_t n;

		if (signals_pending())
			return interrupted(err);
		if (poll(&p, 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, errno, "cannot read the passphrase");
		}
		n = read(fd, &c, 1);
		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "cannot read the passphrase");
		if (!n || c == '\n')
			break;
		if (n > 0)
			buf_addc(ret, c);
	}
	return ret->len ? 0 : err_set(err, ERR_USAGE, "the passphrase is empty");
}

static int from_file(const char *path, struct buf *ret, struct err *err)
{
	int fd CLEANUP(closep) = io_open_read(AT_FDCWD, path, O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		err_errno(err, errno, "cannot open '%s'", path);
		return err_raise(err, ERR_USAGE);
	}
	if (pki_check_private(fd, path, err) || read_line(fd, ret, err))
		return err_prefix(err, "no passphrase from '%s'", path);
	return 0;
}

static int from_descriptor(const char *text, struct buf *ret, struct err *err)
{
	uint64_t fd;

	if (str_to_u64(text, 1023, &fd) || fd == 1 || fd == 2)
		return err_set(err, ERR_USAGE, "--passphrase-fd '%.32s' is no descriptor to read from", text);
	if (read_line((int)fd, ret, err))
		return err_raise(err, ERR_USAGE);
	return 0;
}

/* What is typed is not shown, from before the question on: the quickest answer is neither seen nor
 * lost. */
static int from_terminal(const char *question, struct buf *ret, struct err *err)
{
	struct termios old, silent;
	int rc;

	if (tcgetattr(STDIN_FILENO, &old))
		return err_errno(err, errno, "cannot use the terminal");
	silent = old;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent))
		return err_errno(err, errno, "cannot use the terminal");
	out_text(OUT_TALK, PAINT_NONE, question);
	out_flush(OUT_TALK);
	rc = read_line(STDIN_FILENO, ret, err);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	out_newline(OUT_TALK);
	return rc;
}

static int typed(bool twice, struct buf *ret, struct err *err)
{
	struct buf again CLEANUP(secret_release) = BUF_INIT;

	if (!isatty(STDIN_FILENO)) {
		err_set(err, ERR_USAGE, "the authority's key needs a passphrase, and there is no terminal to ask at");
		return err_remedy(err, twice ? "--passphrase-file FILE, --passphrase-fd N, --key-file FILE or --systemd-creds" :
					       "--passphrase-file FILE, or --passphrase-fd N");
	}
	if (from_terminal(twice ? "New passphrase: " : "Passphrase: ", ret, err))
		return -1;
	if (!twice)
		return 0;
	if (from_terminal("Again: ", &again, err))
		return -1;
	return buf_equal(ret, &again) ? 0 : err_set(err, ERR_USAGE, "the two passphrases differ");
}

int passphrase_get(const struct cli *cli, bool twice, struct buf *ret, struct err *err)
{
	const char *file = option_text(&cli->opts, "passphrase-file"),
		   *fd = option_text(&cli->opts, "passphrase-fd");

	if (file && fd)
		return err_set(err, ERR_USAGE, "--passphrase-file and --passphrase-fd exclude each other");
	return file ? from_file(file, ret, err) :
	       fd   ? from_descriptor(fd, ret, err) :
		      typed(twice, ret, err);
}
