/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/clock.h"

#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t clock_boot_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t clock_now(void)
{
	return time(NULL);
}

const char *clock_boot_id(void)
{
	static char id[64];

	if (id[0])
		return id;
	int fd = io_open_existing(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY);
	if (fd < 0)
		return "";
	ssize_t n = read(fd, id, sizeof id - 1);
	close(fd);
	id[n > 0 ? n : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	return id;
}

void clock_iso(int64_t t, char buf[32])
{
	time_t when = t;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, 32, "@%lld", (long long)t);
}

int64_t clock_parse_iso(const char *s)
{
	struct tm tm = { 0 };
	char again[32];

	const char *end = s ? strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
	if (!end || *end)
		return -1;
	int64_t t = timegm(&tm);
	/* strptime takes the 31st of February and single digits: only what we would write ourselves
	 * counts */
	clock_iso(t, again);
	return strcmp(again, s) ? -1 : t;
}

void clock_pause_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}
