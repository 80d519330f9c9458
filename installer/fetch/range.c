/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/range.h"

#include "base/str.h"

#include <strings.h>

#define UNIT "bytes "

/* Digits up to stop, without zeros in front; *s moves behind stop. */
static int number_read(const char **s, char stop, uint64_t *ret)
{
	const char *end = strchr(*s, stop);
	char *digits CLEANUP(freep) = end ? xstrndup(*s, (size_t)(end - *s)) : NULL;

	if (!digits || (*digits == '0' && digits[1]) || str_to_u64(digits, UINT64_MAX, ret))
		return -1;
	*s = end + (stop != '\0');
	return 0;
}

int content_range_parse(const char *value, struct content_range *ret)
{
	const char *s = value + strlen(UNIT);
	struct content_range r = { 0 };

	if (strncasecmp(value, UNIT, strlen(UNIT)) || number_read(&s, '-', &r.start) ||
	    number_read(&s, '/', &r.end) || r.end < r.start)
		return -1;
	if (!str_eq(s, "*") && (number_read(&s, '\0', &r.total) || r.total <= r.end))
		return -1;
	*ret = r;
	return 0;
}
