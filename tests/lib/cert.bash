# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An authority and its certificates below $R, by $SYSBOXUP; and what must be true of them.
#
#   cert WORD...       sysboxup cert, quiet
#   cert_ca [OPTION]   makes the authority, opened by a key file in the tree
#   cert_dir NAME      the directory of the newest certificate of that name ("" of a common name is added by the caller)
#   cert_sane          each key and certificate on the disk is in the ledger, whole, accepted by openssl, and nothing is
#                      left over; or says what is not so, and fails

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

PKI_BELOW=var/lib/sysboxup/pki

cert() { "$SYSBOXUP" --root "$R" -q cert "$@"; }
cert_ca() { cert ca --key-file /ca.secret "$@"; }
cert_json() { "$SYSBOXUP" --root "$R" --json cert "$@"; }
cert_dir() { cert_json show "$1" | jq -r 'select(.event == "certificate") | .path'; }

cert__hex() { tr -d ':\n ' | tr 'A-F' 'a-f'; }

cert__ca() { printf '%s/gen/%06d/cert.pem' "$R/$PKI_BELOW" "$1"; }

# One directory with cert.pem and key.pem, of the record SEQ, and by the authority that the ledger names.
cert__pair_sane() {
	local dir=$1 seq=$2 serial spki line
	[ "$(stat -c %a "$dir" "$dir/key.pem" "$dir/cert.pem" | tr '\n' ' ')" = "700 400 444 " ] || { echo "modes in $dir"; return 1; }
	serial=$(openssl x509 -in "$dir/cert.pem" -noout -serial | sed 's/.*=//' | cert__hex)
	spki=$(openssl pkey -in "$dir/key.pem" -pubout -outform DER | sha256sum | cut -d' ' -f1)
	line=$(awk -v seq="$seq" '$1 == "+" { now = $2 } $1 == "cert" && now == seq' "$R/$PKI_BELOW/ledger" | grep "^cert 0*$serial $spki ") ||
		{ echo "not in record $seq of the ledger: $dir"; return 1; }
	[ "$(wc -l <<<"$line")" -eq 1 ] || return 1
	openssl verify -x509_strict -no_check_time -CAfile "$(cert__ca "$(cut -d' ' -f6 <<<"$line")")" "$dir/cert.pem" >/dev/null
}

# The authorities that the ledger has and has not dropped, and nothing else, are those that servers are to trust.
cert__trust_sane() {
	local seq
	awk '$1 == "+" { now = $2 } $1 == "ca" { all[now] } $1 == "drop" { delete all[$2] } END { for (seq in all) print seq }' "$R/$PKI_BELOW/ledger" |
		sort -n | while read -r seq; do cat "$(cert__ca "$seq")"; done | cmp - "$R/$PKI_BELOW/trust.pem" || return 1
	seq=$(awk '$1 == "+" { now = $2 } $1 == "ca" || $1 == "drop" { last = now } END { print last }' "$R/$PKI_BELOW/ledger")
	cmp "$R/$PKI_BELOW/trust.pem" "$(dirname "$(cert__ca "$seq")")/trust.pem"
}

# Each list is one of an authority of this host.
cert__lists_sane() {
	local lists i ca
	mapfile -d '' lists < <(sed 's/^-----BEGIN/\x0&/' "$R/$PKI_BELOW/crl.pem")
	for ((i = 1; i < ${#lists[@]}; i++)); do
		for ca in "$R/$PKI_BELOW"/gen/*/cert.pem; do
			! openssl crl -CAfile "$ca" -noout <<<"${lists[i]}" 2>&1 | grep -q 'verify OK' || continue 2
		done
		echo "list $i is no authority's"
		return 1
	done
	[ "$i" -gt 1 ]
}

cert_sane() {
	local dir number known n=0
	[ -z "$(find "$R/$PKI_BELOW" -name '.*')" ] || { find "$R/$PKI_BELOW" -name '.*'; return 1; }
	for dir in "$R/$PKI_BELOW"/gen/*/*/; do
		[ -d "$dir" ] || continue
		cert__pair_sane "${dir%/}" "$((10#$(basename "$(dirname "$dir")")))" || return 1
		n=$((n + 1))
	done
	[ "$n" -eq "$(grep -c '^cert ' "$R/$PKI_BELOW/ledger")" ] || { echo "$n certificates, the ledger has others"; return 1; }
	cert__trust_sane || return 1
	[ -e "$R/$PKI_BELOW/crl.pem" ] || return 0
	cert__lists_sane || return 1
	number=$((16#$(openssl crl -in "$R/$PKI_BELOW/crl.pem" -noout -crlnumber | sed 's/.*=\(0x\)\?//')))
	known=$(awk '$1 == "crl" { n = $2 } END { print n }' "$R/$PKI_BELOW/ledger")
	[ "$number" -le "$known" ] || { echo "list $number, but the ledger knows of $known"; return 1; }
}
