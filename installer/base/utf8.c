/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* Lead bytes by length: those with (byte & mask) == lead; a character under min is overlong. */
static const struct {
	unsigned char mask, lead;
	uint32_t min;
} forms[] = {
	{ 0x80, 0x00, 0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};

size_t utf8_decode(const char *s, size_t n, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len = 0;
	uint32_t c;

	if (!n)
		return 0;
	while (len < ARRAY_SIZE(forms) && (p[0] & forms[len].mask) != forms[len].lead)
		len++;
	if (len == ARRAY_SIZE(forms) || n < len + 1)
		return 0;
	c = p[0] & (unsigned char)~forms[len].mask;
	for (size_t i = 1; i <= len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < forms[len].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len + 1;
}

void utf8_encode(struct buf *b, uint32_t c)
{
	size_t len = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	buf_addc(b, (char)(forms[len].lead | c >> (6 * len)));
	while (len--)
		buf_addc(b, (char)(0x80 | (c >> (6 * len) & 0x3f)));
}

bool utf8_printable(uint32_t c)
{
	static const uint32_t hidden[][2] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (c >= hidden[i][0] && c <= hidden[i][1])
			return false;
	return true;
}
