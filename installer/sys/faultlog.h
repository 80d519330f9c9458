/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run recorded whole, for a model of a file system (builds with -DSYSBOXUP_FAULTS only). The
 * file begins with the line "sysboxup-oplog 1". A record is a line of these fields, one space
 * between, then LEN bytes and a newline:
 *
 *	N		the seam's number of the call
 *	CALL		open create write pwrite ftruncate fallocate fsync syncfs rename rename-new
 *			exchange link unlink rmdir mkdir symlink fchmod fchown fchownat fsetxattr
 *			fremovexattr lsetxattr utimens; create is an open that made the file
 *	FD		DEV:INO of the descriptor it works on, or of the directory of ENTRY
 *	ENTRY		a name, or '-'
 *	TO_FD TO	the same of the new name of rename, rename-new, exchange, link; "0:0 -"
 *	NODE		DEV:INO of what ENTRY (TO, where there is one) names afterwards; "0:0"
 *	FLAGS MODE	decimal; octal, as given to the call
 *	UID GID		as given to the call
 *	AT		where a write begins, the length given to ftruncate and fallocate
 *	MTIME		SEC.NSEC of NODE, or of FD where there is no ENTRY, afterwards
 *	ATTR		name of the extended attribute, or '-'
 *	PATH		where the subject was, as the whole machine sees it: for people
 *	LEN		bytes that follow: written, an attribute's value, a link's target
 *
 * In ENTRY, TO, ATTR and PATH what is not printable, space, '%' and a lone '-' is %XX. Calls that
 * failed, close, and calls that were skipped (skip:) are not in it: nothing of them reached a file
 * system.
 */
#ifndef SYS_FAULTLOG_H
#define SYS_FAULTLOG_H

#include "sys/fault.h"

struct faultlog {
	int fd;				/* -1: none */
	unsigned long n;		/* of the call that is being made */
	bool made;			/* its open makes the file */
};

int faultlog_open(const char *path);
void faultlog_before(struct faultlog *l, struct fault_op *op, unsigned long n);
void faultlog_after(struct faultlog *l, const struct fault_op *op, int ret);
/* dir/name, or what fd is open on; as the whole machine sees it. */
void faultlog_subject(const struct fault_op *op, char *ret, size_t size);

#endif
