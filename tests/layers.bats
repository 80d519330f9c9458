#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The layers hold, and scripts/check-layers would notice if they did not.
bats_require_minimum_version 1.5.0

setup() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	COPY=$BATS_TEST_TMPDIR/installer
	cp -r "$REPO/installer" "$COPY"
}

# The line added to the file is found, and named by file.
finds() {
	echo "$2" >>"$COPY/$1"
	run -1 "$REPO/scripts/check-layers" "$COPY"
	[[ $output == "$1:"*"$3"* ]]
}

@test "the layers of installer/ hold" {
	run -0 "$REPO/scripts/check-layers"
	[ -z "$output" ]
}

@test "an include of a higher layer is found" {
	finds engine/plan.c '#include "cli/render.h"' 'engine (5) includes cli (7)'
}

@test "an include of a sibling that LAYERS does not name is found" {
	finds profile/profile.c '#include "fetch/catalog.h"' 'profile (3) includes fetch (3)'
}

@test "an include without its folder, and a folder without a layer, are found" {
	finds base/str.c '#include "mem.h"' 'does not name its folder'
	mkdir "$COPY/stray"
	echo '/* */' >"$COPY/stray/x.c"
	run -1 "$REPO/scripts/check-layers" "$COPY"
	[[ $output == *"stray/x.c: folder is not in LAYERS"* ]]
}

@test "a library outside of its file is found" {
	finds steps/docker.c '#include <curl/curl.h>' 'confined elsewhere'
}

@test "a call that belongs to sys/, and printing outside of cli/, are found" {
	finds engine/plan.c 'static void x(void) { unlink("/x"); }' 'only sys/ makes this call'
	finds base/str.c 'static void y(void) { printf("x"); }' 'only cli/ prints'
}
