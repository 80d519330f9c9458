# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A made root to run sysboxup on with --root, complete enough for the whole `files` job.
#
#   image_make ROOT             passwd and friends, unit directories, a daemon.json with odd spacing
#   image_stage DIR             all that a file of tests needs: DIR/image is such a root; catalog/profile.json wants the whole job
#                               by files, of a signed catalog with the stand-in package; small.json and second.json want
#                               settings of Docker alone
#   image_snap ROOT             what hostdiff sees of it, without sysboxup's own state, on stdout
#   image_force                 the preflight checks that such a tree cannot pass, as --force options in $IMAGE_FORCE

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"
# shellcheck source=tests/lib/catalog.bash
. "$(dirname "${BASH_SOURCE[0]}")/catalog.bash"

# shellcheck disable=SC2034 # used by those who source this
IMAGE_FORCE=(--force systemd-pid1 --force fusermount --force tools)

image_make() {
	local root=$1
	mkdir -p "$root"/etc/{docker,systemd/system} "$root"/usr/{bin,lib/systemd/system,lib/sysctl.d} "$root"/var/lib/dpkg "$root"/dev
	ln -s usr/lib "$root/lib"
	printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian for tests"\n' >"$root/etc/os-release"
	dpkg --print-architecture >"$root/var/lib/dpkg/arch"
	printf 'root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\ndaemon:x:1:\n' >"$root/etc/group"
	printf 'root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n' >"$root/etc/shadow"
	printf 'root:*::\ndaemon:*::\n' >"$root/etc/gshadow"
	printf 'somebody:100000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
	chmod 0640 "$root/etc/shadow" "$root/etc/gshadow"
	printf '{\n\t"debug" : false,\n\t"labels": ["a", "b"]\n}\n' >"$root/etc/docker/daemon.json"
	chmod 0600 "$root/etc/docker/daemon.json"
	touch -d '2024-02-03 04:05:06.789' "$root/etc/docker/daemon.json"
}

image_stage() {
	local dir=$1
	"$(dirname "${BASH_SOURCE[0]}")/../standin/build" "$dir/sysbox-ce.deb" 0.7.0.linux
	CATALOG_METHOD=files catalog_make "$dir/catalog" "$dir/catalog" "$dir/sysbox-ce.deb"
	image_make "$dir/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$dir/small.json"
	echo '{ "docker": { "settings": { "live-restore": false, "log-level": "warn" } } }' >"$dir/second.json"
}

image_snap() {
	"${SYSBOXUP_BUILD:-build}/tools/hostdiff" snap "$1" --skip /var/lib/sysboxup
}
