/* SPDX-License-Identifier: Apache-2.0 */
/* What the stand-ins meddle.c and meddled.c share: the plan, the count, the lock. Its manual is the
 * head of meddle.c. */
#ifndef TOOLS_MEDDLE_H
#define TOOLS_MEDDLE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DIR "/srv/meddle"

struct plan {
	unsigned long n, at;
	char how[16];
};

static inline _Noreturn void real_exec(const char *name, char **argv)
{
	char path[4096];

	snprintf(path, sizeof(path), DIR "/real/%s", name);
	execv(path, argv);
	fprintf(stderr, "meddle: cannot run '%s': %s\n", path, strerror(errno));
	_exit(125);
}

static inline int plan_read(struct plan *ret)
{
	FILE *f = fopen(DIR "/plan", "re");
	int got;

	if (!f)
		return -1;
	*ret = (struct plan){ 0 };
	got = fscanf(f, "%lu %15s %lu", &ret->n, ret->how, &ret->at);
	fclose(f);
	return got >= 2 ? 0 : -1;
}

static inline unsigned long lines_of(int fd)
{
	char block[65536];
	unsigned long lines = 0;
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += block[i] == '\n';
	return lines;
}

/* The number of this event; 0 where it cannot be noted. */
static inline unsigned long note(const char *name, char **argv)
{
	char line[4096];
	size_t len = 0;
	int fd = open(DIR "/calls", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	unsigned long n;

	if (fd < 0 || flock(fd, LOCK_EX))
		return 0;
	n = lines_of(fd) + 1;
	for (size_t i = 0; (i == 0 || argv[i]) && len < sizeof(line) - 1; i++) {
		const char *word = i ? argv[i] : name;
		len += (size_t)snprintf(line + len, sizeof(line) - len, i ? " %s" : "%s", word);
	}
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[len++] = '\n';
	if (write(fd, line, len) != (ssize_t)len)
		n = 0;
	close(fd);
	return n;
}

/* Noted and chosen: *ret_how is what the plan says of it; "" if it is to pass. */
static inline void event(const char *name, char **argv, struct plan *ret, unsigned long *ret_n)
{
	if (plan_read(ret) || !(*ret_n = note(name, argv))) {
		*ret = (struct plan){ 0 };
		*ret_n = 0;
	}
	if (strcmp(ret->how, "trace") && *ret_n != ret->n)
		ret->how[0] = '\0';
}

/* From here on time flies for those who wait (preload/haste.c), until we end or close it. */
static inline int hangs_lock(void)
{
	int fd = open(DIR "/hangs", O_RDONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || flock(fd, LOCK_EX))
		_exit(125);
	return fd;
}

#endif
