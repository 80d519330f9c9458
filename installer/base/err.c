/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include "base/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void msg_append(struct err *err, const char *s)
{
	size_t len = strlen(err->msg);

	snprintf(err->msg + len, sizeof(err->msg) - len, "%s", s);
}

static void msg_start(struct err *err, enum err_kind kind, int errnum, const char *fmt, va_list ap)
	PRINTF(4, 0);
static void msg_start(struct err *err, enum err_kind kind, int errnum, const char *fmt, va_list ap)
{
	char msg[sizeof(err->msg)];	/* an argument may be err->msg itself */

	vsnprintf(msg, sizeof(msg), fmt, ap);
	err->kind = kind;
	err->errnum = errnum;
	memcpy(err->msg, msg, sizeof(msg));
	err->remedy[0] = '\0';
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	msg_start(err, kind, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
	char text[128], *s;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	msg_start(err, ERR_FAILED, errnum, fmt, ap);
	va_end(ap);
	s = strerror_r(errnum, text, sizeof(text));
	if (s != text)
		snprintf(text, sizeof(text), "%s", s);
	if (islower((unsigned char)text[1]) || text[1] == ' ')
		text[0] = (char)tolower((unsigned char)text[0]);
	msg_append(err, ": ");
	msg_append(err, text);
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)], prefix[sizeof(err->msg)];
	va_list ap;

	if (!err)
		return -1;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(err->msg, prefix, sizeof(prefix));
	msg_append(err, ": ");
	msg_append(err, old);
	return -1;
}

int err_remedy(struct err *err, const char *fmt, ...)
{
	char remedy[sizeof(err->remedy)];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(remedy, sizeof(remedy), fmt, ap);
	va_end(ap);
	memcpy(err->remedy, remedy, sizeof(remedy));
	return -1;
}

int err_raise(struct err *err, enum err_kind kind)
{
	if (err)
		err->kind = kind;
	return -1;
}

bool err_is_set(const struct err *err)
{
	return err && err->kind != ERR_NONE;
}

void err_quote(char *dst, size_t size, const char *src)
{
	size_t left = strlen(src), at = 0;

	if (!size)
		return;
	while (left) {
		uint32_t c;
		size_t n = utf8_decode(src, left, &c);
		bool plain = n && utf8_printable(c);
		size_t need = plain ? n : 4;

		if (at + need >= size)
			break;
		if (plain)
			memcpy(dst + at, src, n);
		else
			snprintf(dst + at, size - at, "\\x%02x", (unsigned char)*src);
		at += need;
		n = plain ? n : 1;
		src += n;
		left -= n;
	}
	dst[at] = '\0';
}
