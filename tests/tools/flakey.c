/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flakey NAME DEVICE pass|drop|error|remove: the device NAME of the kernel's dm-flakey on the block
 * device DEVICE, made if it is not there; its path on stdout. From now on its writes reach DEVICE
 * (pass), are said to and lost (drop), or fail (error). Nothing is flushed on the way from one to
 * the other: a file system on it notices nothing. remove: it is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct request {
	struct dm_ioctl io;
	struct dm_target_spec target;
	char params[512];
};

/* Seconds up, seconds down: it is always the one or the other. */
static const struct { const char *name, *features; } modes[] = {
	{ "pass", "1 0" },
	{ "drop", "0 1 1 drop_writes" },
	{ "error", "0 1 1 error_writes" },
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "flakey: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct request request_for(const char *name)
{
	struct request r = {
		.io = {
			.version = { DM_VERSION_MAJOR, 0, 0 },
			.data_size = sizeof(r),
			.data_start = offsetof(struct request, target),
		},
	};

	snprintf(r.io.name, sizeof(r.io.name), "%s", name);
	return r;
}

static int control(unsigned long command, struct request *r)
{
	static int fd = -1;

	if (fd < 0 && (fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC)) < 0)
		fail("/dev/mapper/control");
	return ioctl(fd, command, r);
}

static uint64_t sectors_of(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint64_t bytes;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		fail(device);
	close(fd);
	return bytes / 512;
}

static void load(const char *name, const char *device, const char *features)
{
	struct request r = request_for(name);

	r.io.target_count = 1;
	r.target.length = sectors_of(device);
	strcpy(r.target.target_type, "flakey");
	snprintf(r.params, sizeof(r.params), "%s 0 %s", device, features);
	if (control(DM_TABLE_LOAD, &r))
		fail("cannot load the table");
}

static void change(const char *name, uint32_t flags)
{
	struct request r = request_for(name);

	r.io.flags = flags;
	if (control(DM_DEV_SUSPEND, &r))
		fail(flags ? "cannot suspend" : "cannot go on");
}

int main(int argc, char **argv)
{
	const char *features = NULL;
	struct request r;

	for (size_t i = 0; argc == 4 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[3], modes[i].name))
			features = modes[i].features;
	if (!features && (argc != 4 || strcmp(argv[3], "remove"))) {
		fprintf(stderr, "usage: flakey NAME DEVICE pass|drop|error|remove\n");
		return 2;
	}
	r = request_for(argv[1]);
	if (!features)
		return control(DM_DEV_REMOVE, &r) ? fail("cannot remove the device"), 1 : 0;
	if (control(DM_DEV_CREATE, &r) && errno != EBUSY)
		fail("cannot make the device");
	load(argv[1], argv[2], features);
	change(argv[1], DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
	change(argv[1], 0);
	r = request_for(argv[1]);
	if (control(DM_DEV_STATUS, &r))
		fail("cannot look at the device");
	printf("/dev/dm-%u\n", minor(r.io.dev));
	return 0;
}
