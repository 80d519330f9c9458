#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bad packages, bad catalogs and bad servers, seen from the command line: fetch and apply on a made root, against a real
# HTTPS server with a private authority. Each ends in the right exit code and one clear line, the root is as before,
# and nothing half-made stays in the cache. Needs root (a device node, a network namespace).
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	export BUILD=$SYSBOXUP_BUILD SYSBOXUP=$SYSBOXUP_BUILD/sysboxup F=$BATS_FILE_TMPDIR
	[ -x "$SYSBOXUP" ] || make -s -C "$REPO" build/sysboxup
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/tools/httpd" "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/pki.bash"
	pki_make "$F"
	make_keys
	mkdir "$F/debs"
	deb good
}

teardown_file() {
	. "$REPO/tests/lib/keys.bash"
	keys_stop "$F"
}

make_keys() {
	. "$REPO/tests/lib/keys.bash"
	keys_make "$F" catalog
	keys_make "$F" stranger
	keys_make "$F" rsa rsa2048
	keys_make "$F" revoked
	KEY_EXPIRES=1d keys_make "$F" expired ed25519 --faked-system-time 20200101T000000
}

# deb NAME [ARGUMENT OF tests/standin/build...]: $F/debs/NAME.deb, made once.
deb() {
	local name=$1
	shift
	[ -e "$F/debs/$name.deb" ] || "$REPO/tests/standin/build" "$F/debs/$name.deb" 0.7.0.linux "$@"
}

setup() {
	. "$REPO/tests/lib/httpd.bash"
	. "$REPO/tests/lib/catalog.bash"
	. "$REPO/tests/lib/image.bash"
	unset NO_COLOR http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
	T=$BATS_TEST_TMPDIR HOST=$BATS_TEST_TMPDIR/host W=$BATS_TEST_TMPDIR/www PIDS=()
	CACHE=$HOST/var/lib/sysboxup/cache
	mkdir "$W"
	ln -s "$F"/{server,other}.{pem,key} "$F"/gnupg "$F"/catalog.{fpr,gpg} "$W/"
	image_make "$HOST"
	server
	BASE=https://localhost:$HTTPD_PORT
	offer good
}

teardown() {
	local pid
	for pid in "${PIDS[@]}"; do httpd_stop "$pid"; done
}

# server [CERT]: one more; HTTPD_PORT is its port.
server() {
	httpd_start "$W" "$@"
	PIDS+=("$HTTPD_PID")
}

# offer NAME: the catalog lists that package, under the name p.deb, and the profile names the catalog.
offer() {
	cp "$F/debs/$1.deb" "$W/p.deb"
	CATALOG_METHOD=files catalog_make "$W" "$BASE" "$W/p.deb"
	SHA=$(jq -r '.packages[0].sha256' "$W/catalog.json")
	profile ".catalog.ca_file = \"$F/ca.pem\""
}

# profile FILTER, entry FILTER, catalog FILTER: an edit by jq; the last two sign again.
profile() {
	jq "$1" "$W/profile.json" >"$T/edited" && mv "$T/edited" "$W/profile.json"
}

catalog() {
	jq "$1" "$W/catalog.json" >"$T/edited" && mv "$T/edited" "$W/catalog.json"
	sign catalog
}

entry() {
	catalog ".packages[0] |= ($1)"
}

# mirrors PATH...: where the package is to be had: below the server, or a whole address.
mirrors() {
	local url list=
	for url; do
		[[ $url == *://* ]] || url=$BASE$url
		list+="${list:+, }\"$url\""
	done
	entry ".urls = [$list]"
}

# sign KEY [GPG-OPTION...]
sign() {
	local key=$1
	shift
	keys_sign "$F" "$key" "$W/catalog.json" "$W/catalog.json.sig" "$@"
}

# up VERB ARGUMENT...
up() {
	local verb=$1 force=()
	shift
	[ "$verb" != apply ] || force=("${IMAGE_FORCE[@]}")
	"$SYSBOXUP" "$verb" --root "$HOST" --profile "$W/profile.json" "${force[@]}" "$@"
}

requests() {
	[ ! -e "$W/requests" ] || cut -d ' ' -f 1,2 "$W/requests"
}

# How often the server was asked for a path.
asked() {
	requests | grep -cxF "GET $1" || :
}

# one_line WORD...: stderr has one line of complaint, it holds each word, and what to do and the host's state follow.
one_line() {
	local word complaint
	complaint=$(grep '^sysboxup: ' <<<"$stderr")
	echo "$stderr"
	[ "$(wc -l <<<"$complaint")" = 1 ]
	for word; do
		[[ $complaint == *"$word"* ]] || { echo "no '$word'"; return 1; }
	done
	[[ $stderr == *$'\n  try:  '*$'\n  host: '* ]]
	[[ $complaint != *. ]]
}

# as_before: the root, and the cache has no file.
as_before() {
	image_snap "$HOST" >"$T/after"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$T/before" "$T/after"
	[ ! -e "$CACHE" ] || [ -z "$(ls -A "$CACHE")" ]
}

# refuses CODE WORD...: so do fetch and apply (or VERBS); EXTRA holds further arguments.
refuses() {
	local code=$1 verb
	shift
	image_snap "$HOST" >"$T/before"
	for verb in ${VERBS:-fetch apply}; do
		run --separate-stderr up "$verb" "${EXTRA[@]}"
		echo "$verb: exit $status"
		one_line "$@"
		[ "$status" = "$code" ]
		[ "$verb" = apply ] || [ -z "$output" ]
		as_before
	done
}

# fetches: exit 0, and the verified file is all that the cache holds.
fetches() {
	run --separate-stderr up fetch "$@"
	echo "$stderr"
	[ "$status" = 0 ]
	[ "$output" = "sysbox-ce 0.7.0 ($(dpkg --print-architecture)), verified: $CACHE/$SHA" ]
	[ "$(ls -A "$CACHE")" = "$SHA" ]
	cmp "$CACHE/$SHA" "$W/p.deb"
}

# --- package ---

@test "the good package is fetched, verified and applied, after a refusal too" {
	fetches
	rm -r "$CACHE"
	entry '.size += 1'
	refuses 1 'bytes instead of'
	entry '.size -= 1'
	run -0 up apply
	[ -x "$HOST/usr/bin/sysbox-runc" ]
}

@test "package: a wrong hash is refused, named, and not kept" {
	mirrors /other-bytes/p.deb
	refuses 1 "cannot download sysbox-ce 0.7.0: $BASE/other-bytes/p.deb: has the wrong SHA-256 "
}

@test "package: a wrong size is refused before its first byte is kept" {
	entry '.size += 1'
	refuses 1 "$BASE/p.deb: has $(stat -c %s "$W/p.deb") bytes instead of $(($(stat -c %s "$W/p.deb") + 1))"
	entry '.size -= 2'
	refuses 1 "$BASE/p.deb: has $(stat -c %s "$W/p.deb") bytes instead of $(($(stat -c %s "$W/p.deb") - 1))"
}

@test "package: truncated by the server, with and without a known size" {
	mirrors /short/p.deb
	refuses 1 "/short/p.deb: has $(($(stat -c %s "$W/p.deb") / 2)) bytes instead of $(stat -c %s "$W/p.deb")"
	entry 'del(.size)'
	refuses 1 "/short/p.deb: has the wrong SHA-256"
}

@test "package: more than announced, chunked and without end, is cut off at the size" {
	mirrors /chunked-more/p.deb
	refuses 1 "/chunked-more/p.deb: sends more than $(stat -c %s "$W/p.deb") bytes"
}

@test "package: chunked, no size announced, is fine if it is the right one" {
	mirrors /chunked/p.deb
	fetches
}

# hostile NAME [MODE...]: offered with its right size and hash, so that only its content can tell.
hostile() {
	deb "$@"
	offer "$1"
}

@test "package: not an ar archive" {
	head -c 5000 /dev/zero >"$F/debs/zeros.deb"
	cp "$F/debs/zeros.deb" "$W/p.deb"
	entry ".size = 5000 | .sha256 = \"$(sha256sum <"$W/p.deb" | cut -d' ' -f1)\""
	refuses 3 "package sysbox-ce 0.7.0 is not an intact Debian package: "
}

@test "package: an ar archive cut off, with the hash of what is left" {
	truncate -s 20000 "$W/p.deb"
	entry ".size = 20000 | .sha256 = \"$(sha256sum <"$W/p.deb" | cut -d' ' -f1)\""
	refuses 3 "package sysbox-ce 0.7.0 is not an intact Debian package: "
}

@test "package: another package's control data" {
	hostile other other-name
	entry '.name = "sysbox-ce"'
	refuses 3 "package sysbox-ce 0.7.0 is refused: its name is 'sysbox-other', not 'sysbox-ce'"
}

@test "package: another version's control data" {
	entry '.version = "0.7.1" | .package_version = "0.7.1.linux"'
	refuses 3 "package sysbox-ce 0.7.1 is refused: its version is '0.7.0.linux', not '0.7.1.linux'"
}

@test "package: another architecture" {
	local arch other=arm64
	arch=$(dpkg --print-architecture)
	[ "$arch" != arm64 ] || other=amd64
	hostile foreign $other
	entry ".arch = \"$arch\""
	refuses 3 "package sysbox-ce 0.7.0 is refused: its architecture is '$other', not '$arch'"
}

@test "package: members that lead out: '..', an absolute path, through a symlink" {
	hostile dotdot evil-dotdot
	refuses 3 "package sysbox-ce 0.7.0 is refused: member './../../etc/standin-evil' leads out with '..'"
	hostile abs evil-abs
	refuses 3 "member '/etc/standin-evil' has an absolute path"
	hostile symlink evil-symlink
	refuses 3 "member '/usr/lib/standin/standin-evil' lies behind a member that is no directory"
	[ ! -e /etc/standin-evil ]
}

@test "package: a set-id member, a device node" {
	hostile setuid setuid
	refuses 3 "member './usr/bin/sysbox-evil' is set-id"
	hostile device device
	refuses 3 "member './usr/lib/standin-device' is a device"
}

@test "package: a compression bomb is not unpacked" {
	hostile bomb bomb
	refuses 3 "package sysbox-ce 0.7.0 is refused: it unpacks to more than is allowed"
}

@test "--package FILE: the right one is taken, no server is asked for it" {
	cp "$W/p.deb" "$T/mine.deb"
	mirrors /404/p.deb
	fetches --package "$T/mine.deb"
	rm -r "$CACHE"
	run -0 up apply --package "$T/mine.deb"
	[ -x "$HOST/usr/bin/sysbox-runc" ]
	[ "$(asked /404/p.deb)" = 0 ]
}

@test "--package FILE: damaged, of another version, not there, a directory, a pipe" {
	local sum EXTRA=(--package "$T/mine.deb")
	cp "$W/p.deb" "$T/mine.deb"
	printf x >>"$T/mine.deb"
	sum=$(sha256sum <"$T/mine.deb" | cut -d' ' -f1)
	refuses 3 "'$T/mine.deb' is not sysbox-ce for $(dpkg --print-architecture) of the catalog" "$sum"
	profile '.sysbox.version = "0.7.0"'
	refuses 3 "'$T/mine.deb' is not sysbox-ce 0.7.0 for $(dpkg --print-architecture) of the catalog" "$sum"
	rm "$T/mine.deb"
	refuses 2 "'$T/mine.deb': no such file or directory"
	mkdir "$T/mine.deb"
	refuses 2 "'$T/mine.deb' is not a file"
	rmdir "$T/mine.deb"
	mkfifo "$T/mine.deb"
	refuses 2 "'$T/mine.deb' is not a file"
}

@test "--package FILE: its content is checked like a download's" {
	local EXTRA=(--package "$F/debs/setuid.deb")
	hostile setuid setuid
	refuses 3 "member './usr/bin/sysbox-evil' is set-id"
}

# --- catalog ---

# The package is not even asked for, and no serial is remembered.
untrusted() {
	refuses 3 "catalog '$BASE/catalog.json': " "$@"
	[ "$(asked /p.deb)" = 0 ]
	[ ! -e "$HOST/var/lib/sysboxup/known/catalog-serial" ]
}

@test "catalog: unsigned, with and without an empty signature file" {
	: >"$W/catalog.json.sig"
	untrusted "the catalog is not signed"
	rm "$W/catalog.json.sig"
	refuses 1 "catalog '$BASE/catalog.json': cannot download signature: $BASE/catalog.json.sig: not found (status 404)"
}

@test "catalog: changed after it was signed" {
	sed -i 's/made by the test/made by another/' "$W/catalog.json"
	untrusted "its signature does not belong to this text"
}

@test "catalog: signed by a stranger, whether the keyring has the key or not" {
	sign stranger
	untrusted "its signature is by a stranger's key"
	cat "$F/stranger.gpg" >>"$W/keyring.gpg"
	untrusted "its signature is by a stranger's key (key $(cat "$F/stranger.fpr"))"
}

# pin KEY: it is the one that the profile trusts.
pin() {
	cp "$F/$1.gpg" "$W/keyring.gpg"
	profile ".catalog.fingerprints = [\"$(cat "$F/$1.fpr")\"]"
}

@test "catalog: signed by an expired key, in its time" {
	pin expired
	sign expired --faked-system-time 20200101T010000
	untrusted "its signature is by an expired key" "$(cat "$F/expired.fpr")"
}

@test "catalog: signed by a revoked key, before it was" {
	pin revoked
	sign revoked
	fetches
	rm -r "$CACHE" "$HOST/var/lib/sysboxup/known" "$W/requests"
	keys_revoke "$F" revoked
	cp "$F/revoked.gpg" "$W/keyring.gpg"
	untrusted "its signature is by a revoked key" "$(cat "$F/revoked.fpr")"
}

@test "catalog: signed with SHA-1" {
	pin rsa
	sign rsa --digest-algo SHA1
	untrusted "its signature uses a weak hash"
}

@test "catalog: two signatures of which one is good are enough, in either order" {
	local order
	for order in "stranger catalog" "catalog stranger"; do
		for key in $order; do
			keys_sign "$F" "$key" "$W/catalog.json" "$T/$key.sig"
		done
		(cd "$T" && cat "${order% *}.sig" "${order#* }.sig") >"$W/catalog.json.sig"
		rm -rf "$HOST/var/lib/sysboxup/known" "$CACHE"
		fetches
	done
}

@test "catalog: an older serial than one seen is refused, the same one is not" {
	catalog '.serial = 7'
	fetches
	fetches
	rm -r "$CACHE"
	catalog '.serial = 6'
	refuses 3 "catalog '$BASE/catalog.json': the catalog is older than one seen before: serial 6, seen 7"
	[ "$(cat "$HOST/var/lib/sysboxup/known/catalog-serial")" = 7 ]
}

@test "catalog: expired, without an end, from the future" {
	catalog '.expires = "2024-01-02T03:04:05Z"'
	untrusted "the catalog expired 2024-01-02T03:04:05Z"
	catalog 'del(.expires)'
	untrusted "the catalog does not say when it expires"
	catalog '.expires = "2150-01-02T03:04:05Z" | .created = "2149-01-02T03:04:05Z"'
	untrusted "the catalog is from the future: created 2149-01-02T03:04:05Z"
}

@test "catalog: soon to expire is a warning" {
	catalog ".expires = \"$(date -u -d '+3 days' +%FT%TZ)\""
	run --separate-stderr -0 up fetch
	[[ $stderr == *"the catalog expires "* ]]
}

@test "catalog: signed and not a catalog" {
	echo '{ "format": 1, ' >"$W/catalog.json"
	sign catalog
	untrusted "the catalog: line 2, column 1: "
	echo '{ "format": 2 }' >"$W/catalog.json"
	sign catalog
	untrusted "the catalog is not a catalog of format 1"
}

@test "catalog: latest takes no hash that only third parties know; a pinned version does" {
	entry '.provenance = "third-party"'
	refuses 2 "upstream published no hash" "name a version: 0.7.0"
	profile '.sysbox.version = "0.7.0"'
	fetches
}

@test "catalog: an unknown version names the known ones" {
	catalog '.packages += [.packages[0] | .version = "0.6.1"]'
	profile '.sysbox.version = "0.9.9"'
	refuses 2 "no sysbox-ce 0.9.9 for $(dpkg --print-architecture); known: 0.7.0, 0.6.1"
}

@test "catalog: a keyring that is not there, or holds no key" {
	rm "$W/keyring.gpg"
	refuses 2 "there is no keyring '$W/keyring.gpg'"
	echo nonsense >"$W/keyring.gpg"
	untrusted "the keyring holds no key"
}

@test "catalog: no password and no query of its address is shown; the signature's name ends before the query" {
	profile ".catalog.url = \"https://me:secret@localhost:$HTTPD_PORT/catalog.json?token=secret\""
	fetches
	[ "$(asked '/catalog.json.sig?token=secret')" = 1 ]
	rm "$W/catalog.json"
	rm -r "$CACHE"
	refuses 1 "catalog '$BASE/catalog.json': cannot download catalog: $BASE/catalog.json: not found"
	[[ $stderr$output != *secret* ]]
}

@test "catalog: a host without gpg is told so" {
	image_snap "$HOST" >"$T/before"
	run --separate-stderr unshare -m bash -c 'mount --bind /dev/null "$(command -v gpg)" && "$@"' sh \
		"$SYSBOXUP" fetch --root "$HOST" --profile "$W/profile.json"
	[ "$status" = 1 ]
	one_line "cannot verify the catalog: gpg does not start"
	as_before
}

@test "the embedded catalog without a network: exit 1, each mirror named with its reason" {
	local arch
	arch=$(dpkg --print-architecture)
	[[ $arch == a??64 ]]
	profile 'del(.catalog)'
	image_snap "$HOST" >"$T/before"
	run --separate-stderr unshare -n "$SYSBOXUP" fetch --root "$HOST" --profile "$W/profile.json"
	one_line "cannot download sysbox-ce " \
		"https://downloads.nestybox.com/sysbox/releases/v0.7.0/sysbox-ce_0.7.0-0.linux_$arch.deb: host name not found; " \
		"https://github.com/nestybox/sysbox/releases/download/v0.7.0/sysbox-ce_0.7.0.linux_$arch.deb: host name not found"
	[ "$status" = 1 ]
	as_before
}

@test "the embedded catalog: distros and a plan need no network" {
	profile 'del(.catalog)'
	run -0 unshare -n "$SYSBOXUP" distros --root "$HOST"
	[[ $output == *"recognised as debian"* ]]
	run unshare -n "$SYSBOXUP" plan --root "$HOST" --profile "$W/profile.json"
	[[ $output == *"+ sysbox-ce  fetch 0.7.0, verify, unpack"* ]]
}

# --- server: apply takes the same way to it, once is enough ---

@test "server: 404 on the first mirror, the next one is asked" {
	mirrors /404/p.deb /p.deb
	fetches
	[ "$(asked /404/p.deb),$(asked /p.deb)" = 1,1 ]
}

@test "server: no mirror helps, one line names each with its reason and no password" {
	mirrors /404/p.deb "https://me:secret@localhost:$HTTPD_PORT/403/p.deb?token=secret" /short/p.deb
	refuses 1 "$BASE/404/p.deb: not found (status 404); $BASE/403/p.deb: forbids it (status 403); $BASE/short/p.deb: has "
	[[ $stderr$output != *secret* ]]
}

@test "server: 500 twice, then 200; the retries are said" {
	mirrors /flaky-500-2/p.deb
	fetches
	[ "$(asked /flaky-500-2/p.deb)" = 3 ]
	[[ $stderr == *"internal server error (status 500); trying again in 1.0 s"* ]]
}

@test "server: a stall is given up and the rest fetched" {
	mirrors /stall-at-100000/p.deb
	fetches
	[[ $stderr == *"stalled; trying again"* ]]
	grep -q '^GET /stall-at-100000/p.deb range=bytes=[1-9][0-9]*- if-range=".*" 206$' "$W/requests"
}

@test "server: cut in the middle, the rest is asked for with Range and If-Range" {
	mirrors /cut-at-100000/p.deb
	fetches
	[[ $stderr == *"cut off; trying again"* ]]
	grep -q '^GET /cut-at-100000/p.deb range=bytes=100000- if-range=".*" 206$' "$W/requests"
}

@test "server: what a run that was stopped got is kept, and resumed by the next one" {
	local pid rc=0
	mirrors /stall-at-100000/p.deb
	"$SYSBOXUP" fetch --root "$HOST" --profile "$W/profile.json" >"$T/out" 2>&1 3>&- &
	pid=$!
	until [ "$(stat -c %s "$CACHE/$SHA.part" 2>&1)" = 100000 ]; do kill -0 $pid; done
	kill -TERM $pid
	wait $pid || rc=$?
	[ "$rc" = 1 ]
	grep -qx 'sysboxup: the download of sysbox-ce 0.7.0 was stopped by SIGTERM' "$T/out"
	[ "$(ls -A "$CACHE")" = "$SHA.meta"$'\n'"$SHA.part" ]
	fetches
	grep -q '^GET /stall-at-100000/p.deb range=bytes=100000- if-range=".*" 206$' "$W/requests"
}

@test "server: redirects are followed to https, never to plain http or a local file" {
	local VERBS=fetch
	mirrors /redirect-ok/p.deb
	fetches
	rm -r "$CACHE"
	mirrors /redirect-http/p.deb
	refuses 1 "$BASE/redirect-http/p.deb: redirects to 'http://localhost:$HTTPD_PORT/p.deb': plain http, and not listed in 'catalog.plain_mirrors'"
	mirrors /redirect-file/p.deb
	refuses 1 "redirects to 'file://" "not an https:// address"
	mirrors /redirect-loop/p.deb
	refuses 1 "redirects more than 5 times"
}

@test "server: a certificate of another name, an unknown authority" {
	local good=$HTTPD_PORT
	server other
	mirrors "https://localhost:$HTTPD_PORT/p.deb"
	refuses 1 "https://localhost:$HTTPD_PORT/p.deb: certificate refused: " "localhost"
	mirrors "https://localhost:$good/p.deb"
	profile 'del(.catalog.ca_file)'
	refuses 1 "catalog '$BASE/catalog.json': cannot download signature: $BASE/catalog.json.sig: certificate refused: "
}

@test "server: plain http is refused unless the profile lists the mirror" {
	local plain VERBS=fetch
	server plain
	plain=http://localhost:$HTTPD_PORT
	mirrors "$plain/p.deb"
	refuses 1 "$plain/p.deb: plain http, and not listed in 'catalog.plain_mirrors'"
	[ "$(asked /p.deb)" = 0 ]
	profile ".catalog.plain_mirrors = [\"$plain/other/\"]"
	refuses 1 "$plain/p.deb: plain http, and not listed in 'catalog.plain_mirrors'"
	profile ".catalog.plain_mirrors = [\"$plain/\"]"
	fetches
	profile 'del(.catalog.plain_mirrors)'
	profile ".catalog.url = \"$plain/catalog.json\""
	run --separate-stderr -2 up fetch
	[[ $stderr == *"line "*": 'catalog.url' is plain http and not below one of 'catalog.plain_mirrors'"* ]]
}

@test "file:// mirrors and catalog, for a place without any network" {
	local VERBS=fetch
	httpd_stop "${PIDS[0]}"
	PIDS=()
	BASE=file://$W
	offer good
	run --separate-stderr -0 unshare -n "$SYSBOXUP" fetch --root "$HOST" --profile "$W/profile.json"
	cmp "$CACHE/$SHA" "$W/p.deb"
	rm -r "$CACHE"
	mirrors "file://$W/none.deb"
	refuses 1 "file://$W/none.deb: "
}

@test "proxy: the environment's and the profile's are used, NO_PROXY is respected" {
	local proxy VERBS=fetch
	server plain
	proxy=http://localhost:$HTTPD_PORT
	https_proxy=$proxy fetches
	[ "$(requests | grep -c "^CONNECT ${BASE#https://}$")" = 3 ]
	rm -r "$CACHE" "$W/requests"
	https_proxy=$proxy no_proxy=localhost fetches
	[ "$(requests | grep -c CONNECT || :)" = 0 ]
	rm -r "$CACHE" "$W/requests"
	profile ".catalog.proxy = \"$proxy\""
	https_proxy=http://localhost:1 fetches
	[ "$(requests | grep -c CONNECT)" = 3 ]
	rm -r "$CACHE"
	# libcurl's own message about this one quotes it.
	profile 'del(.catalog.proxy)'
	https_proxy=ftp://me:secret@localhost:1 run --separate-stderr -1 up fetch
	[[ $stderr == *"Couldn't connect to server"* && $stderr != *secret* ]]
	profile '.catalog.proxy = "http://localhost:1"'
	refuses 1 "catalog '$BASE/catalog.json': " "port 1"
}

# --- cache ---

@test "cache: a second fetch and apply ask no server for the package" {
	fetches
	fetches
	[ "$(asked /p.deb)" = 1 ]
	run -0 up apply
	[ "$(asked /p.deb)" = 1 ]
}

@test "cache: a damaged file is noticed, said, and fetched again" {
	fetches
	printf x | dd of="$CACHE/$SHA" bs=1 seek=1000 conv=notrunc status=none
	fetches
	[[ $stderr == *"the cached sysbox-ce 0.7.0 is damaged; it is fetched again"* ]]
	[ "$(asked /p.deb)" = 2 ]
	truncate -s 10 "$CACHE/$SHA"
	run -0 up apply
	[ "$(asked /p.deb)" = 3 ]
	cmp "$CACHE/$SHA" "$W/p.deb"
}

@test "cache: a disk that is full gets its room back" {
	image_snap "$HOST" >"$T/before"
	run --separate-stderr unshare -m bash -c 'mkdir -p "$0" && mount -t tmpfs -o size=200k cache "$0" && "$@"; s=$?; ls -A "$0"; exit $s' \
		"$CACHE" "$SYSBOXUP" fetch --root "$HOST" --profile "$W/profile.json"
	[ "$status" = 1 ]
	one_line "cannot download sysbox-ce 0.7.0: cannot write '$SHA.part': no space left on device"
	[[ $stderr == *"make room below '/var/lib/sysboxup/cache'"* ]]
	[ -z "$output" ]
	as_before
}

@test "cache: a link in it is not followed" {
	fetches
	rm "$CACHE/$SHA"
	ln -s /etc/hostname "$CACHE/$SHA"
	fetches
	[ ! -L "$CACHE/$SHA" ]
}

# On a /run of its own: the machine's is shared with other runs.
@test "nothing stays below /run, not even what a killed run left there" {
	run -0 unshare -m bash -c 'mount -t tmpfs run /run && mkdir /run/sysboxup-fetch.1.0 && echo x >/run/sysboxup-fetch.1.0/x &&
		"$@" >/dev/null 2>&1 && ls -A /run' sh "$SYSBOXUP" fetch --root "$HOST" --profile "$W/profile.json"
	[ -z "$output" ]
}
