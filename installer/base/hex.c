/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

char *hex_encode(const struct buf *data)
{
	struct buf hex CLEANUP(buf_release) = BUF_INIT;

	buf_reserve(&hex, data->len * 2);
	for (size_t i = 0; i < data->len; i++) {
		unsigned char byte = (unsigned char)data->data[i];
		buf_addc(&hex, digits[byte >> 4]);
		buf_addc(&hex, digits[byte & 15]);
	}
	return buf_detach(&hex);
}

static int digit(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

bool hex_decode(const char *text, struct buf *ret)
{
	for (; text && *text; text += 2) {
		int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0)
			return false;
		buf_addc(ret, (char)(high * 16 + low));
	}
	return true;
}
