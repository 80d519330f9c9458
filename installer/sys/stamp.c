/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/stamp.h"

#include "base/str.h"
#include "sys/clock.h"

#include <stdlib.h>

/* Four digits of the year: clock_iso has a form for these only. */
#define EPOCH_MAX 253402300799LL

static bool sealed, fixed;
static int64_t epoch;

int stamp_seal(struct err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");

	if (!str_empty(text) && str_to_i64(text, 0, EPOCH_MAX, &epoch)) {
		err_set(err, ERR_USAGE, "SOURCE_DATE_EPOCH is no number of seconds since 1970");
		return err_remedy(err, "set it as in: SOURCE_DATE_EPOCH=$(git log -1 --format=%%ct)");
	}
	fixed = !str_empty(text);
	sealed = true;
	return 0;
}

bool stamp_sealed(void)
{
	return sealed;
}

bool stamp_fixed(void)
{
	return fixed;
}

int64_t stamp_now(void)
{
	return fixed ? epoch : clock_now();
}

const char *stamp_boot_id(void)
{
	return sealed ? "" : clock_boot_id();
}
