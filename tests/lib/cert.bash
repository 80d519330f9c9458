# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An authority and its certificates below $R, by $SYSBOXUP; and what must be true of them.
#
#   cert WORD...       sysboxup cert, quiet
#   cert_ca [OPTION]   makes the authority, opened by a key file in the tree
#   cert_dir NAME      the directory of the newest certificate of that name ("" of a common name is added by the caller)
#   cert_sane          each key and certificate on the disk is in the ledger, whole, accepted by openssl, and nothing is
#                      left over; or says what is not so, and fails

PKI_BELOW=var/lib/sysboxup/pki

cert() { "$SYSBOXUP" --root "$R" -q cert "$@"; }
cert_ca() { cert ca --key-file /ca.secret "$@"; }
cert_json() { "$SYSBOXUP" --root "$R" --json cert "$@"; }
cert_dir() { cert_json show "$1" | jq -r 'select(.event == "certificate") | .path'; }

cert__hex() { tr -d ':\n ' | tr 'A-F' 'a-f'; }

# One directory with cert.pem and key.pem, of the record SEQ, issued by the authority CA.
cert__pair_sane() {
	local dir=$1 seq=$2 ca=$3 serial spki line
	[ "$(stat -c %a "$dir" "$dir/key.pem" "$dir/cert.pem" | tr '\n' ' ')" = "700 400 444 " ] || { echo "modes in $dir"; return 1; }
	openssl verify -x509_strict -CAfile "$ca" "$dir/cert.pem" >/dev/null || return 1
	serial=$(openssl x509 -in "$dir/cert.pem" -noout -serial | sed 's/.*=//' | cert__hex)
	spki=$(openssl pkey -in "$dir/key.pem" -pubout -outform DER | sha256sum | cut -d' ' -f1)
	line=$(awk -v seq="$seq" '$1 == "+" { now = $2 } $1 == "cert" && now == seq' "$R/$PKI_BELOW/ledger" | grep "^cert 0*$serial $spki ") ||
		{ echo "not in record $seq of the ledger: $dir"; return 1; }
	[ "$(wc -l <<<"$line")" -eq 1 ]
}

cert_sane() {
	local dir ca=$R/$PKI_BELOW/gen/000001/cert.pem number known n=0
	[ -z "$(find "$R/$PKI_BELOW" -name '.*')" ] || { find "$R/$PKI_BELOW" -name '.*'; return 1; }
	for dir in "$R/$PKI_BELOW"/gen/*/*/; do
		[ -d "$dir" ] || continue
		cert__pair_sane "${dir%/}" "$((10#$(basename "$(dirname "$dir")")))" "$ca" || return 1
		n=$((n + 1))
	done
	[ "$n" -eq "$(grep -c '^cert ' "$R/$PKI_BELOW/ledger")" ] || { echo "$n certificates, the ledger has others"; return 1; }
	[ -e "$R/$PKI_BELOW/crl.pem" ] || return 0
	openssl crl -in "$R/$PKI_BELOW/crl.pem" -CAfile "$ca" -noout 2>/dev/null || { echo "the list is not the authority's"; return 1; }
	number=$((16#$(openssl crl -in "$R/$PKI_BELOW/crl.pem" -noout -crlnumber | sed 's/.*=\(0x\)\?//')))
	known=$(awk '$1 == "crl" { n = $2 } END { print n }' "$R/$PKI_BELOW/ledger")
	[ "$number" -le "$known" ] || { echo "list $number, but the ledger knows of $known"; return 1; }
}
