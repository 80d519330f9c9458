# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Signed catalogs for tests and the demo, with a throw-away key. Needs keys.bash beside it.
#
#   catalog_make DIR BASE DEB...    DIR/catalog.json with an entry for each package, catalog.json.sig, keyring.gpg,
#                                   profile.json (which names them) and the packages themselves. BASE is the URL
#                                   or absolute path under which DIR will be seen: https://localhost:1234, /srv/demo
#   catalog_sign DIR                sign DIR/catalog.json again, after an edit
#
# Variables: CATALOG_SERIAL (1), CATALOG_CREATED and CATALOG_EXPIRES (yesterday, in a month),
# CATALOG_PROVENANCE (upstream), CATALOG_METHOD (auto): sysbox.method of the profile.

# shellcheck source=tests/lib/keys.bash
. "$(dirname "${BASH_SOURCE[0]}")/keys.bash"

# catalog__entry BASE DEB
catalog__entry()
{
	local base=$1 deb=$2 version
	version=$(dpkg-deb -f "$deb" Version)
	printf '{ "name": "%s", "version": "%s", "package_version": "%s", "arch": "%s", "size": %s,\n' \
		"$(dpkg-deb -f "$deb" Package)" "${version%%[.-]linux*}" "$version" \
		"$(dpkg-deb -f "$deb" Architecture)" "$(stat -c %s "$deb")"
	printf '  "sha256": "%s", "provenance": "%s",\n  "source": "made by the test",\n  "urls": ["%s/%s"] }' \
		"$(sha256sum <"$deb" | cut -d' ' -f1)" "${CATALOG_PROVENANCE:-upstream}" "$base" "$(basename "$deb")"
}

# catalog__json BASE DEB...
catalog__json()
{
	local base=$1 deb comma=
	shift
	printf '{ "format": 1, "serial": %s, "created": "%s", "expires": "%s", "packages": [\n' "${CATALOG_SERIAL:-1}" \
		"${CATALOG_CREATED:-$(date -u -d '-1 day' +%FT%TZ)}" "${CATALOG_EXPIRES:-$(date -u -d '+30 days' +%FT%TZ)}"
	for deb; do
		printf '%s' "$comma"
		catalog__entry "$base" "$deb"
		comma=$',\n'
	done
	printf '\n] }\n'
}

catalog_sign()
{
	keys_sign "$1" catalog "$1/catalog.json" "$1/catalog.json.sig"
	keys_stop "$1"
}

catalog_make()
{
	local dir=$1 base=$2 place=$2 deb
	shift 2
	[[ $base == *://* ]] || base=file://$base
	[[ $place == /* ]] || place=$dir
	mkdir -p "$dir"
	[ -e "$dir/catalog.fpr" ] || keys_make "$dir" catalog
	cp "$dir/catalog.gpg" "$dir/keyring.gpg"
	for deb; do
		[ "$deb" -ef "$dir/$(basename "$deb")" ] || cp "$deb" "$dir/"
	done
	catalog__json "$base" "$@" >"$dir/catalog.json"
	catalog_sign "$dir"
	cat >"$dir/profile.json" <<-EOF
		{ "version": 1,
		  "sysbox": { "version": "latest", "method": "${CATALOG_METHOD:-auto}" },
		  "catalog": { "url": "$base/catalog.json", "keyring": "$place/keyring.gpg",
		               "fingerprints": ["$(cat "$dir/catalog.fpr")"] } }
	EOF
}
