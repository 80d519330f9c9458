#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every call that changes something goes through sys/, and the release binary has none of the fault seam. Looked at in the
# objects and binaries of the release build; that nothing is missing at run time either is shown by tests/crash/model.bats,
# which plays each recording and compares.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults}
}

# What may be imported outside of sys/ beside our own functions: memory, text, and what only looks.
HARMLESS='_GLOBAL_OFFSET_TABLE_ __errno_location __isoc99_sscanf __popcountdi2 __stack_chk_fail
	abort calloc clearerr fclose fgets fflush fileno fputs fread free fwrite getenv malloc malloc_trim qsort realloc reallocarray
	clock_gettime freeifaddrs getcwd geteuid getifaddrs getpid getuid gmtime_r inet_ntop inet_pton isatty timegm uname stderr stdout
	faccessat fnmatch fstat64 fstatat64 fstatvfs64 lseek64 pread64 read readlink readlinkat statx'
# And these, in these files: locks; the width of the terminal, what is typed at it; /proc, read by stdio ("re").
SOME='journal/state.o:flock fetch/scratch.o:flock fetch/part.o:flock actions/packages_dpkg.o:flock
	actions/account_lock.o:fcntl64 backends/pkg/deplock.o:fcntl64 backends/pkg/frontend.o:fcntl64 cli/out.o:ioctl host/platform.o:fopen64
	cli/passphrase.o:poll cli/passphrase.o:tcgetattr cli/passphrase.o:tcsetattr'
LIBRARIES='^(ASN1|BIO|BN|CRYPTO|ERR|EVP|GENERAL_NAMES|NAME_CONSTRAINTS|OPENSSL|PEM|PKCS5|PKCS8|RAND|X509|X509V3|cJSON)_|^(EVP_PKEY2PKCS8|i2d_(PUBKEY|X509_ALGOR|X509_PUBKEY|re_X509_CRL_tbs))$'
TEXT='^(__)?(ctype_|v?a?snprintf|vasprintf|mem|str).*'

# strangers DIR: "OBJECT:FUNCTION" for each import of an object in DIR, outside of sys/, that is not said above.
strangers() {
	local own
	own=$(find "$1" "$SYSBOXUP_BUILD/gen" -name '*.o' -exec nm --defined-only {} + | awk 'NF == 3 { print $3 }' | sort -u)
	(cd "$1" && find . -name '*.o' -not -path './sys/*' -printf '%P\0' | sort -z | xargs -0 nm -A -u |
		awk '$2 == "U" { print $1 $3 }') | awk -F: -v own="$own" -v harmless="$HARMLESS" -v some="$SOME" -v text="$TEXT" -v libraries="$LIBRARIES" '
		BEGIN {
			n = split(own " " harmless, v, /[ \t\n]+/)
			for (i = 1; i <= n; i++) known[v[i]] = 1
			n = split(some, v, /[ \t\n]+/)
			for (i = 1; i <= n; i++) here[v[i]] = 1
		}
		!($2 in known) && !($0 in here) && $2 !~ text && $2 !~ libraries'
}

@test "no object outside of sys/ imports a call that changes something, or opens files by itself" {
	run -0 strangers "$SYSBOXUP_BUILD/installer"
	echo "$output"
	[ -z "$output" ]
}

@test "negative control: an object that opens, renames or writes by itself is found, in its own folder only" {
	local objects=$BATS_TEST_TMPDIR/installer
	cp -r "$SYSBOXUP_BUILD/installer" "$objects"
	printf '#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\nint stray(void);\nint stray(void) { return %s; }\n' \
		'open("x", O_CREAT, 0) + rename("a", "b") + (int)write(1, "x", 1) + (fopen("x", "w") != 0)' >"$BATS_TEST_TMPDIR/stray.c"
	gcc -O2 -c -o "$objects/engine/stray.o" "$BATS_TEST_TMPDIR/stray.c"
	run -0 strangers "$objects"
	[ "$(grep stray <<<"$output" | sort | tr '\n' ' ')" = "engine/stray.o:fopen engine/stray.o:open engine/stray.o:rename engine/stray.o:write " ]
	mv "$objects/engine/stray.o" "$objects/sys/"
	run -0 strangers "$objects"
	[ -z "$output" ]
}

@test "stdio is opened for reading only, where it is opened at all" {
	run -0 grep -rhoE --include='*.c' '\bfopen\([^;]*' "$REPO/installer"
	[ "$(grep -cvE '"re"\)' <<<"$output")" -eq 0 ]
}

@test "the release binary has no symbol and no string of the fault seam, the test build has them" {
	local words='SYSBOXUP_FAULT|die-before|late-intent|sysboxup-oplog'
	nm "$SYSBOXUP_BUILD/sysboxup" >"$BATS_TEST_TMPDIR/release"
	nm "$SYSBOXUP_BUILD/sysboxup-faults" >"$BATS_TEST_TMPDIR/faults"
	grep -q ' io_renameat2$' "$BATS_TEST_TMPDIR/release"
	run ! grep -E ' fault(_|log_|late_)?' "$BATS_TEST_TMPDIR/release"
	run ! grep -aqE "$words" "$SYSBOXUP_BUILD/sysboxup"
	grep -q ' fault_enter$' "$BATS_TEST_TMPDIR/faults"
	grep -aqE "$words" "$SYSBOXUP_BUILD/sysboxup-faults"
}

@test "the release binary does not obey the seam's variables" {
	mkdir "$BATS_TEST_TMPDIR/root"
	SYSBOXUP_FAULT=bogus run -0 "$SYSBOXUP_BUILD/sysboxup" --root "$BATS_TEST_TMPDIR/root" recover
	SYSBOXUP_FAULT=record:$BATS_TEST_TMPDIR/log run -0 "$SYSBOXUP_BUILD/sysboxup" --root "$BATS_TEST_TMPDIR/root" recover
	[ ! -e "$BATS_TEST_TMPDIR/log" ]
}
