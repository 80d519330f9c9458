# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A made tree (image.bash) with a database that dpkg wrote, and the stand-in package by files, registered or not.
#
#   dpkgtree_stage          in $F: tree, catalog, and profiles old.json, new.json (0.7.0, 0.7.1, registered),
#                           unregistered.json and absent.json
#   dpkg_in ROOT ARG...     this machine's dpkg on that root; nothing of this machine is looked at or changed
#   bake PROFILE [ARG...]   $F/PROFILE.json applied to $R, quietly
#
# Source image.bash first. $UP is the program.

dpkgtree__profile() {
	jq --arg version "$1" --argjson register "$2" '.sysbox.version = $version | .sysbox.register = $register' "$F/catalog/profile.json"
}

dpkg_in() {
	dpkg --root="$1" --log=/dev/null --force-script-chrootless --force-not-root "${@:2}"
}

# dpkgtree__small NAME [FIELD]: a package without files, $F/NAME.deb.
dpkgtree__small() {
	mkdir -p "$F/small/$1/DEBIAN"
	printf 'Package: %s\nVersion: 3.14-1\nArchitecture: all\nMaintainer: x <x@localhost>\n%sDescription: small\n' \
		"$1" "${2:+$2$'\n'}" >"$F/small/$1/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$F/small/$1" "$F/$1.deb" >/dev/null
}

# With what the package depends on, as far as dpkg knows; fuse is provided, as on Debian 12. Nobody has run apt there.
dpkgtree__make() {
	local name
	image_make "$F/tree"
	touch "$F"/tree/usr/{bin,lib/systemd/system,lib/sysctl.d}/of-others # dpkg takes away what is empty
	mkdir -p "$F"/tree/var/lib/dpkg/{info,updates,triggers}
	: >"$F/tree/var/lib/dpkg/status"
	for name in jq debconf lsb-release rsync iptables another; do dpkgtree__small "$name"; done
	dpkgtree__small fuse3 "Provides: fuse (= 3.14-1)"
	dpkg_in "$F/tree" -i "$F"/{jq,debconf,lsb-release,rsync,iptables,fuse3}.deb >/dev/null
	rm "$F"/tree/var/lib/dpkg/*-old "$F/tree/var/lib/dpkg/lock-frontend"
}

dpkgtree_stage() {
	local standin
	standin=$(dirname "${BASH_SOURCE[0]}")/../standin/build
	"$standin" "$F/sysbox-ce_0.7.0.deb" 0.7.0.linux
	"$standin" "$F/sysbox-ce_0.7.1.deb" 0.7.1.linux
	CATALOG_METHOD=files catalog_make "$F/catalog" "$F/catalog" "$F"/sysbox-ce_*.deb
	dpkgtree__profile 0.7.0 true >"$F/old.json"
	dpkgtree__profile 0.7.1 true >"$F/new.json"
	dpkgtree__profile 0.7.0 false >"$F/unregistered.json"
	dpkgtree__profile absent true >"$F/absent.json"
	dpkgtree__make
}

# up ARG...: on $R, quietly; what it says only where it fails.
up() {
	local said status=0
	said=$(SOURCE_DATE_EPOCH=1700000000 "$UP" --root "$R" -q "$@" 2>&1) || status=$?
	[ "$status" -eq 0 ] || echo "$said"
	return "$status"
}

bake() {
	up --profile "$F/$1.json" apply "${IMAGE_FORCE[@]}" "${@:2}"
}
