/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nosync CMD ARG...: become CMD, for which, and for all that it starts, sync(2) does nothing and
 * succeeds. sync(2) writes what every guest and every test of a machine has not written yet, also
 * what a test wants to be lost; systemd calls it at each shutdown. syncfs(2) and fsync(2) are as
 * ever. Needs CAP_SYS_ADMIN. Exit status 125 when it cannot.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "name this architecture as <linux/audit.h> does"
#endif

/* A call of another architecture has other numbers; no guest has programs of one. */
static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sync, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

int main(int argc, char **argv)
{
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (argc < 2) {
		fputs("usage: nosync CMD ARG...\n", stderr);
		return 125;
	}
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		fprintf(stderr, "nosync: no filter: %s\n", strerror(errno));
		return 125;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "nosync: cannot run '%s': %s\n", argv[1], strerror(errno));
	return 125;
}
