# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# sysboxup in a guest, as `make install` makes it, and a signed catalog of the stand-in package for it.
# Source tests/guest/guest.bash first.
#
#   install_prepare DIR [VERSION...]    DIR/tree (what is to be installed) and DIR/catalog with the stand-in in these
#                                       versions (0.7.0); its place in a guest is /srv/demo
#   install_into GUEST DIR              both into a guest that runs
#
# The profile is /srv/demo/profile.json. CATALOG_METHOD and the like: see catalog.bash. BUILD names another build directory.

INSTALL_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/catalog.bash
. "$INSTALL_HERE/catalog.bash"

install_prepare()
{
	local dir=$1 top=$INSTALL_HERE/../.. version debs=()
	shift
	[ $# -gt 0 ] || set -- 0.7.0
	mkdir -p "$dir/debs"
	make -s -C "$top" ${BUILD:+BUILD="$BUILD"} install DESTDIR="$dir/tree" PREFIX=/usr >/dev/null || return 1
	for version; do
		"$top/tests/standin/build" "$dir/debs/sysbox-ce_$version-0.linux_standin.deb" "$version.linux" || return 1
		debs+=("$dir/debs/sysbox-ce_$version-0.linux_standin.deb")
	done
	catalog_make "$dir/catalog" /srv/demo "${debs[@]}"
}

install_into()
{
	local guest=$1 dir=$2
	tar -C "$dir/tree" --owner=0 --group=0 -c . | guest_run "$guest" tar -C / -x --no-overwrite-dir --keep-directory-symlink || return 1
	guest_run "$guest" mkdir -p /srv/demo || return 1
	tar -C "$dir/catalog" --owner=0 --group=0 --exclude=./gnupg --exclude=./keys.log -c . |
		guest_run "$guest" tar -C /srv/demo -x --no-overwrite-dir
}
