#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# sysboxup cert, below --root: what it makes, judged by openssl and GnuTLS; what it refuses, and in which words. Needs root
# (the command does), faketime for clocks that are wrong.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup"
	make -s -C "$REPO/tests/tools"
	export SYSBOXUP=$SYSBOXUP_BUILD/sysboxup
}

setup() {
	. "$REPO/tests/lib/cert.bash"
	T=$BATS_TEST_TMPDIR R=$BATS_TEST_TMPDIR/root
	mkdir -p "$R/etc"
	echo ci-1 >"$R/etc/hostname"
	P=$R/$PKI_BELOW
	CA=$P/gen/000001/cert.pem
}

teardown() {
	[ -z "${SERVER_PID:-}" ] || kill "$SERVER_PID" 2>/dev/null || :
	if [ -n "${INSIDE_PID:-}" ]; then inside_end; fi
}

# judged KIND CERT [HOSTNAME]: by openssl's strictest rules and by GnuTLS, for KIND (server, client) and not for the other.
judged() {
	local other=client oid=1 certtool=(certtool --verify --verify-profile medium --load-ca-certificate "$CA" --infile "$2")
	[ "$1" = server ] || { other=server oid=2; }
	openssl verify -x509_strict -purpose "ssl$1" -CAfile "$CA" "$2" || return 1
	! openssl verify -x509_strict -purpose "ssl$other" -CAfile "$CA" "$2" || return 1
	"${certtool[@]}" --verify-purpose=1.3.6.1.5.5.7.3.$oid ${3:+--verify-hostname "$3"} || return 1
	! "${certtool[@]}" --verify-purpose=1.3.6.1.5.5.7.3.$((3 - oid))
}

# serial_of NAME: of its newest certificate.
serial_of() { cert_json show "$1" | jq -r 'select(.serial).serial'; }

ledger_sum() {
	[ ! -e "$P/ledger" ] || sha256sum <"$P/ledger"
}

# refused CODE MESSAGE WORD...: one line that says MESSAGE, the exit code, and nothing new in the ledger.
refused() {
	local code=$1 message=$2 before
	shift 2
	before=$(ledger_sum)
	run --separate-stderr "-$code" "$SYSBOXUP" --root "$R" "$@"
	[ -z "$output" ]
	[ "$(grep -c '^sysboxup: ' <<<"$stderr")" -eq 1 ]
	grep -qF -- "$message" <<<"${stderr_lines[0]}" || { printf 'got:  %s\nwant: %s\n' "${stderr_lines[0]}" "$message"; return 1; }
	[ "$(ledger_sum)" = "$before" ]
	[ -z "$(find "$R" -name '.new-*')" ]
}

extensions() {
	openssl x509 -in "$1" -noout -ext basicConstraints,keyUsage,extendedKeyUsage,subjectAltName,nameConstraints 2>/dev/null | sed 's/ *$//'
}

@test "authority, server and client: what each says, to the letter" {
	cert_ca --name 'CI of example.org' --permit example.org --permit 10.0.0.0/8
	cert issue srv --server --san CI-1.example.org --san 10.0.0.5
	cert issue runner-7
	run -0 extensions "$CA"
	[ "$output" = "X509v3 Basic Constraints: critical
    CA:TRUE, pathlen:0
X509v3 Key Usage: critical
    Certificate Sign, CRL Sign
X509v3 Name Constraints: critical
    Permitted:
      DNS:example.org
      IP:10.0.0.0/255.0.0.0" ]
	run -0 extensions "$(cert_dir srv)/cert.pem"
	[ "$output" = "X509v3 Basic Constraints: critical
    CA:FALSE
X509v3 Key Usage: critical
    Digital Signature
X509v3 Extended Key Usage:
    TLS Web Server Authentication
X509v3 Subject Alternative Name:
    DNS:ci-1.example.org, IP Address:10.0.0.5" ]
	run -0 extensions "$(cert_dir runner-7)/cert.pem"
	[ "$output" = "X509v3 Basic Constraints: critical
    CA:FALSE
X509v3 Key Usage: critical
    Digital Signature
X509v3 Extended Key Usage:
    TLS Web Client Authentication
X509v3 Subject Alternative Name:
    URI:urn:sysboxup:client:ci-runner-7" ]
	run -0 openssl x509 -in "$(cert_dir runner-7)/cert.pem" -noout -subject -issuer
	[ "$output" = $'subject=CN = ci-runner-7\nissuer=CN = CI of example.org' ] || [ "$output" = $'subject=CN=ci-runner-7\nissuer=CN=CI of example.org' ]
	run -0 cert_sane
}

@test "openssl -x509_strict and GnuTLS accept each kind for its purpose and for no other, with P-256, RSA-3072 and Ed25519" {
	for algorithm in p256 rsa3072 ed25519; do
		R=$T/$algorithm P=$T/$algorithm/$PKI_BELOW CA=$T/$algorithm/$PKI_BELOW/gen/000001/cert.pem
		mkdir "$R"
		cert_ca --algorithm $algorithm
		openssl verify -x509_strict -CAfile "$CA" "$CA"
		cert issue srv --server --san ci-1.example.org --san fd00::5 --algorithm $algorithm
		cert issue runner --algorithm $algorithm
		judged server "$(cert_dir srv)/cert.pem" ci-1.example.org
		judged client "$(cert_dir runner)/cert.pem"
		cert revoke runner 2>/dev/null
		run openssl verify -x509_strict -crl_check -CRLfile "$P/crl.pem" -CAfile "$CA" "$(cert_dir runner)/cert.pem"
		[[ $output == *"certificate revoked"* ]]
		openssl verify -x509_strict -crl_check -CRLfile "$P/crl.pem" -CAfile "$CA" "$(cert_dir srv)/cert.pem"
		certtool --crl-info --infile "$P/crl.pem" | grep -q 'Version: 2'
		cert_sane
	done
}

@test "negative control: the judges refuse a certificate of another authority" {
	cert_ca
	cert issue runner
	mkdir -p "$T/other"
	R=$T/other cert_ca
	CA=$T/other/$PKI_BELOW/gen/000001/cert.pem run ! judged client "$(cert_dir runner)/cert.pem"
}

@test "serials are 128 random bits, notBefore is five minutes back, notAfter as asked for" {
	cert_ca
	export FAKETIME_DONT_FAKE_MONOTONIC=1	# and the clock stands still
	local noon
	noon=$(date -u -d '+20 days' '+%F 12:00:00')
	stamp() { LC_ALL=C date -u -d "$noon UTC $1" '+%b %e %T %Y GMT'; }
	TZ=UTC faketime -f "$noon" "$SYSBOXUP" --root "$R" -q cert issue a --ttl 1h
	run -0 openssl x509 -in "$(cert_dir a)/cert.pem" -noout -dates
	[ "$output" = "notBefore=$(stamp '-5 minutes')"$'\n'"notAfter=$(stamp '+1 hour')" ]
	TZ=UTC faketime -f "$noon" "$SYSBOXUP" --root "$R" -q cert issue load --count 60
	run -0 awk '$1 == "cert" { print $2 }' "$P/ledger"
	[ "${#lines[@]}" -eq 61 ]
	[ "$(printf '%s\n' "${lines[@]}" | sort -u | wc -l)" -eq 61 ]
	[ "$(printf '%s\n' "${lines[@]}" | grep -cE '^[0-9a-f]{32}$')" -eq 61 ]
	# all bits are drawn: of 61, some begin with each half
	printf '%s\n' "${lines[@]}" | grep -q '^[0-7]'
	printf '%s\n' "${lines[@]}" | grep -q '^[89a-f]'
}

@test "a batch is one record and one directory; names from a file too" {
	cert_ca
	cert issue job --count 20 --ttl 10m
	printf '# runners\n\n alpha \nbeta\n' >"$T/names"
	cert issue --from "$T/names"
	[ "$(grep -c '^+ ' "$P/ledger")" -eq 3 ]
	[ "$(cd "$P/gen/000002" && echo *-1 *-20)" = "ci-job-1 ci-job-20" ]
	[ "$(cd "$P/gen/000003" && echo *)" = "ci-alpha ci-beta" ]
	run -0 cert_sane
	[ "$("$SYSBOXUP" --root "$R" cert list | wc -l)" -eq 23 ]
}

@test "the authority's key is encrypted with scrypt and AES-256, whichever way it is opened" {
	echo 'correct horse' >"$T/pass"
	chmod 600 "$T/pass"
	cert ca --passphrase-file "$T/pass"
	run -0 openssl asn1parse -in "$P/gen/000001/key.pem"
	[[ $output == *":PBES2"*":scrypt"*":4000"*":aes-256-cbc"* ]]
	openssl pkey -in "$P/gen/000001/key.pem" -passin "file:$T/pass" -noout
	R=$T/second
	mkdir "$R"
	cert_ca
	run -0 openssl asn1parse -in "$R/$PKI_BELOW/gen/000001/key.pem"
	[[ $output == *":PBES2"*":scrypt"*":aes-256-cbc"* ]]
	openssl pkey -in "$R/$PKI_BELOW/gen/000001/key.pem" -passin "file:$R/ca.secret" -noout
	[ "$(stat -c %a "$R/ca.secret")" = 400 ]
	[ "$(tr -d '\n' <"$R/ca.secret" | wc -c)" -eq 64 ]
}

@test "a passphrase comes from a file, from a descriptor, or from the terminal, typed twice for a new authority and not shown" {
	echo 'correct horse' >"$T/pass"
	chmod 600 "$T/pass"
	cert ca --passphrase-fd 9 9<"$T/pass"
	cert issue a --passphrase-file "$T/pass"
	cert issue b --passphrase-fd 0 < <(printf 'correct horse\nmore\n')
	# answers are given to the question, not to a silence
	type_at() {
		mkfifo "$T/in"
		exec 8<>"$T/in"
		script -qefc "$1" "$T/typed" <"$T/in" >"$T/shown" 2>&1 &
		local pid=$! i
		shift
		for i; do
			until grep -qE "$i: [^:]*$" <(tr -d '\r\n' <"$T/shown"); do kill -0 $pid || break; done
			echo 'correct horse' >&8
		done
		wait $pid
		local rc=$?
		exec 8>&-
		rm "$T/in"
		return $rc
	}
	type_at "'$SYSBOXUP' --root '$R' cert issue c" Passphrase
	run ! grep -q horse "$T/shown"
	mkdir "$T/second"
	type_at "'$SYSBOXUP' --root '$T/second' cert ca" passphrase Again
	R=$T/second cert issue d --passphrase-file "$T/pass"
	run -0 cert_sane
}

@test "no key and no passphrase in arguments, environments, outputs or other programs" {
	echo 'correct horse' >"$T/pass"
	chmod 600 "$T/pass"
	export ASAN_OPTIONS=detect_leaks=0 # what strace traces cannot be looked through for leaks
	strace -f -qq -s 4096 -e trace=execve,write -o "$T/trace" "$SYSBOXUP" --root "$R" -v cert ca --passphrase-file "$T/pass" >"$T/out" 2>&1
	strace -f -qq -s 4096 -e trace=execve,write -A -o "$T/trace" "$SYSBOXUP" --root "$R" -v --json cert issue a --passphrase-file "$T/pass" >>"$T/out" 2>&1
	strace -f -qq -s 4096 -e trace=execve,write -A -o "$T/trace" "$SYSBOXUP" --root "$R" -v cert export a --out "$T/a" --passphrase-file "$T/pass" >>"$T/out" 2>&1 || :
	[ "$(grep -c 'execve(' "$T/trace")" -eq 3 ]
	run ! grep -qE 'PRIVATE KEY|horse' "$T/out"
	run ! grep -qE 'write\((1|2),.*PRIVATE KEY' "$T/trace"
	[ "$(grep -cE 'write\([0-9]+, "-----BEGIN (ENCRYPTED )?PRIVATE KEY' "$T/trace")" -ge 2 ]
}

@test "a server's names are detected, and named when they are others by now" {
	run -0 "$SYSBOXUP" --root "$R" --json cert list
	cert_ca
	cert issue srv --server
	run -0 openssl x509 -in "$(cert_dir srv)/cert.pem" -noout -ext subjectAltName
	[[ $output == *"DNS:localhost, DNS:ci-1" ]]
	# on the host itself, in a network of the test's own
	run -0 unshare -mn --propagation private bash -euc '
		mount -t tmpfs none /var/lib
		ip link set lo up
		ip addr add 10.9.8.7/32 dev lo
		"$1" -q cert ca --key-file /var/lib/secret >/dev/null
		"$1" -q cert issue srv --server >/dev/null
		"$1" --json cert show srv | jq -r "select(.names).names | index(\"IP:10.9.8.7\") != null and index(\"IP:127.0.0.1\") != null"
		ip addr add 10.9.8.8/32 dev lo
		"$1" cert list 2>&1 >/dev/null
		"$1" -q cert renew srv >/dev/null
		"$1" cert list 2>&1 >/dev/null | wc -l
	' - "$SYSBOXUP"
	[ "${lines[0]}" = true ]
	[ "${lines[1]}" = "warning: this host has names that the certificate 'srv' has not: IP:10.9.8.8" ]
	[ "${lines[2]}" = "         try: sysboxup cert renew srv" ]
	[ "${lines[3]}" = 0 ]
}

@test "renew: same name, names and life, another key; --due takes those at two thirds that ask for it" {
	local f=(faketime -f) old
	cert_ca
	cert issue keeper --ttl 3h --auto-renew
	cert issue other --ttl 3h
	old=$(cert_dir keeper)
	run -0 "$SYSBOXUP" --root "$R" cert renew --due
	[ "$output" = "Nothing is due." ]
	run -0 "${f[@]}" +6900 "$SYSBOXUP" --root "$R" cert renew --due
	[[ $output == Nothing* ]]
	run -0 "${f[@]}" +7300 "$SYSBOXUP" --root "$R" -q cert renew --due
	[ "$(grep -c '^cert .* keeper ' "$P/ledger")" -eq 2 ]
	[ "$(grep -c '^cert .* other ' "$P/ledger")" -eq 1 ]
	run ! cmp -s "$old/key.pem" "$(cert_dir keeper)/key.pem"
	[ "$(awk '$9 == "keeper" || $8 == "keeper" { print $5 - $4 }' "$P/ledger" | sort -u)" = "$(awk '/ other / { print $5 - $4 }' "$P/ledger")" ]
	# once is enough
	run -0 "${f[@]}" +7300 "$SYSBOXUP" --root "$R" cert renew --due
	[[ $output == Nothing* ]]
	# by name at any time; what is revoked is not brought back
	run -0 "${f[@]}" +7400 "$SYSBOXUP" --root "$R" -q cert renew other
	run "${f[@]}" +7500 "$SYSBOXUP" --root "$R" -q cert revoke other
	run -3 "${f[@]}" +7600 "$SYSBOXUP" --root "$R" -q cert renew other
	[ "${lines[0]}" = "sysboxup: 'other' is revoked: issue one under another name" ]
}

@test "renew --due fails while Docker serves a certificate whose end is near, and says what to do" {
	cert_ca
	cert issue api --server --san a.example --ttl 6d --auto-renew
	mkdir -p "$R/etc/sysboxup/api"
	ln -s "$P/gen/000002/api" "$R/etc/sysboxup/api/server"
	ln -s "$P/gen/000001/trust.pem" "$R/etc/sysboxup/api/ca.pem"
	run -0 faketime -f +95h "$SYSBOXUP" --root "$R" cert renew --due
	[ "$output" = "Nothing is due." ]
	# at two thirds it is renewed, which helps nobody yet
	run -0 faketime -f +97h "$SYSBOXUP" --root "$R" -q cert renew --due
	run -0 faketime -f +97h "$SYSBOXUP" --root "$R" status
	[[ $output == *"Docker was started with other certificates than there are by now"*"try: sysboxup apply"* ]]
	run -7 faketime -f +121h "$SYSBOXUP" --root "$R" -q cert renew --due
	[[ ${lines[0]} == "sysboxup: Docker's own certificate 'api' ends at "* ]]
	[[ ${lines[1]} == "  try:  sysboxup apply: a newer one waits" ]]
	[ "${lines[2]}" = "  host: nothing was touched" ]
	# also when something else was renewed just now
	run -0 faketime -f +120h "$SYSBOXUP" --root "$R" -q cert issue other --ttl 90m --auto-renew
	run -7 faketime -f +121h "$SYSBOXUP" --root "$R" -q cert renew --due
	[ "$(grep -c ' other ' "$P/ledger")" -eq 2 ]
	[[ ${lines[-3]} == "sysboxup: Docker's own certificate 'api' ends at "* ]]
	[ "${lines[-1]}" = "  host: what was done before the error stays" ]
	ln -sfn "$P/gen/000003/api" "$R/etc/sysboxup/api/server"
	run -0 faketime -f +121h "$SYSBOXUP" --root "$R" cert renew --due
	[ "$output" = "Nothing is due." ]
}

@test "an expired certificate is told as such, its name is free again" {
	cert_ca
	cert issue a --ttl 1h
	refused 3 "a certificate 'a' is in force until" cert issue a
	run -0 faketime -f +2h "$SYSBOXUP" --root "$R" cert list --all
	[[ ${lines[1]} == "ci-a "*" expired "* ]]
	run -3 faketime -f +2h "$SYSBOXUP" --root "$R" cert export a --out "$T/a"
	[ "${lines[0]}" = "sysboxup: the certificate 'a' is expired" ]
	run -0 faketime -f +2h "$SYSBOXUP" --root "$R" -q cert issue a
}

@test "nothing outlives the authority; one that is over issues nothing, and is replaced" {
	cert_ca --ttl 2d
	run --separate-stderr -0 "$SYSBOXUP" --root "$R" -q cert issue a --ttl 30d
	[[ $stderr == "warning: it ends before its time, with the authority: "* ]]
	[ "$(openssl x509 -in "$(cert_dir a)/cert.pem" -noout -enddate)" = "$(openssl x509 -in "$CA" -noout -enddate)" ]
	refused 3 "there is a certificate authority already, good until" cert ca --key-file /other.secret
	run -3 faketime -f +49h "$SYSBOXUP" --root "$R" cert issue b
	[[ ${lines[0]} == "sysboxup: the certificate authority is over since "* ]]
	run -0 faketime -f +49h "$SYSBOXUP" --root "$R" -q cert ca --key-file /ca.secret
	run -0 faketime -f +49h "$SYSBOXUP" --root "$R" -q cert issue b
	openssl verify -x509_strict -partial_chain -attime $(($(date +%s) + 49 * 3600)) -CAfile "$P/gen/000003/cert.pem" "$P/gen/000004/ci-b/cert.pem"
}

@test "revoke says the truth, by name and by serial; the list grows and its number with it" {
	local serial
	cert_ca
	cert issue a
	cert issue b
	run --separate-stderr -0 "$SYSBOXUP" --root "$R" cert revoke ci-a --reason key-compromise
	[[ ${lines[1]} == "ci-a "*" revoked "* ]]
	[[ ${stderr_lines[0]} == "warning: dockerd reads no revocation list: a daemon that trusts this authority accepts 'ci-a' until 20"*Z ]]
	[ "${stderr_lines[1]}" = "         try: sysboxup cert rotate-ca --now, which ends all that it issued" ]
	serial=$(cert_json show b | jq -r 'select(.serial).serial')
	cert revoke "$serial" 2>/dev/null
	run -0 openssl crl -in "$P/crl.pem" -noout -text
	[[ ${output^^} == *"${serial^^}"* ]]
	[[ $output == *"Key Compromise"* ]]
	[ "$(openssl crl -in "$P/crl.pem" -noout -crlnumber)" = crlNumber=0x02 ] || [ "$(openssl crl -in "$P/crl.pem" -noout -crlnumber)" = crlNumber=02 ]
	refused 3 "'a' is revoked already" cert revoke a
	refused 2 "no certificate has the name or serial 'nobody'" cert revoke nobody
	run -0 cert_sane
}

# authority SEQ: what openssl and curl take for it.
authority() { printf '%s/gen/%06d/cert.pem' "$P" "$1"; }

# done_all_the_same WORD...: exit 1 for want of an output, and no word of nothing having been done.
done_all_the_same() {
	run --separate-stderr -1 bash -c '"$@" >/dev/full' - "$SYSBOXUP" --root "$R" cert "$@"
	echo "$stderr"
	[ "${stderr_lines[-3]}" = "sysboxup: cannot write to standard output: no space left on device" ]
	[ "${stderr_lines[-1]}" = "  host: what was done before the error stays" ]
}

@test "what fails behind the ledger does not say that nothing was touched" {
	cert_ca
	cert issue srv --server --san a.example
	done_all_the_same issue a
	done_all_the_same renew a
	done_all_the_same revoke a
	grep -q "^revoke $(serial_of a) " "$P/ledger"
	done_all_the_same crl
	done_all_the_same export srv --out "$T/e"
	done_all_the_same rotate-ca --now
	cert_sane
}

@test "rotate-ca: two authorities, servers by the old one and clients by the new one; the old one goes with its last client" {
	local later=(faketime -f +25h)
	cert_ca --permit example.org --algorithm ed25519
	cert issue srv --server --san a.example.org
	cert issue a
	cert issue keeper --ttl 2d --auto-renew
	cert issue gone
	cert revoke gone 2>/dev/null
	cp "$P/gen/000001/trust.pem" "$T/before"
	cmp "$T/before" "$CA"
	run -0 "$SYSBOXUP" --root "$R" cert rotate-ca
	[[ ${lines[0]} == "Made a certificate authority beside the old one, good until "*"/gen/000007/cert.pem" ]]
	[[ ${lines[1]} == *"two authorities are trusted; of the old one 2 clients are in force, the last until "* ]]
	[[ ${lines[2]} == *"try: sysboxup cert renew a keeper" ]]
	# the same secret opens it, and it is of the same kind, with the same constraints
	openssl pkey -in "$P/gen/000007/key.pem" -passin "file:$R/ca.secret" -noout -text | grep -q ED25519
	[ "$(extensions "$(authority 7)")" = "$(extensions "$CA")" ]
	cat "$CA" "$(authority 7)" | cmp - "$P/trust.pem"
	run -0 cert_sane
	# what is issued now: each is accepted by whoever trusts both
	cert issue b
	cert renew srv
	openssl verify -x509_strict -CAfile "$(authority 7)" "$(cert_dir b)/cert.pem"
	openssl verify -x509_strict -CAfile "$CA" "$(cert_dir srv)/cert.pem"
	cert export b --out "$T/b"
	cmp "$T/b/ca.pem" "$P/trust.pem"
	# a list of each, and whoever was revoked still is
	[ "$(grep -c BEGIN "$P/crl.pem")" -eq 2 ]
	for client in b a; do openssl verify -crl_check -CRLfile "$P/crl.pem" -CAfile "$P/trust.pem" "$(cert_dir $client)/cert.pem"; done
	run ! openssl verify -crl_check -CRLfile "$P/crl.pem" -CAfile "$P/trust.pem" "$(cert_dir gone)/cert.pem"
	# the timer's verbs: clients that ask for it are renewed at once, the old authority has to wait
	cert renew --due
	openssl verify -x509_strict -CAfile "$(authority 7)" "$(cert_dir keeper)/cert.pem"
	run -0 "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[ "$output" = "Nothing is due." ]
	refused 3 "of the old authority 2 clients are in force, the last until " cert rotate-ca
	refused 2 "the new authority is there already: --ttl comes too late" cert rotate-ca --now --ttl 300d
	run -0 "$SYSBOXUP" --root "$R" cert show
	[[ $output == *"  replaces  $(openssl x509 -in "$CA" -noout -serial | sed 's/.*=//;s/.*/\L&/')"* ]]
	[[ $output == *"try: sysboxup cert renew a" ]]
	run -0 "${later[@]}" "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[[ $output == Nothing* ]]
	run -0 faketime -f +49h "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[ "${lines[0]}" = "The old authority is dropped." ]
	[[ ${lines[2]} == "srv "*" server  valid "* ]]
	openssl verify -x509_strict -attime $(($(date +%s) + 49 * 3600)) -CAfile "$P/trust.pem" "$(cert_dir srv)/cert.pem"
	cmp "$P/trust.pem" "$(authority 7)"
	# under the name of before it is what holds now
	cmp "$P/trust.pem" "$P/gen/000001/trust.pem"
	run -0 faketime -f +49h "$SYSBOXUP" --root "$R" cert crl --due
	run -0 cert_sane
	run -0 faketime -f +49h "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[[ $output == Nothing* ]]
}

@test "rotate-ca --now: the old authority and all that it issued are worth nothing at once; names are free again" {
	echo secret >"$T/pass"
	chmod 600 "$T/pass"
	cert ca --passphrase-file "$T/pass"
	cert issue a --passphrase-file "$T/pass"
	cert issue srv --server --san a.example --passphrase-file "$T/pass"
	refused 2 "there is no terminal to ask at" cert rotate-ca --now </dev/null
	refused 2 "--due and --now exclude each other" cert rotate-ca --now --due
	run -0 "$SYSBOXUP" --root "$R" cert rotate-ca --now --passphrase-file "$T/pass"
	[[ $output == *"try: sysboxup cert renew a"* ]]
	[ "$(cert_json show a | jq -r 'select(.state).state')" = dropped ]
	refused 3 "the certificate 'a' is dropped" cert export a --out "$T/x"
	run -0 "$SYSBOXUP" --root "$R" cert renew a --passphrase-file "$T/pass"
	run -0 "$SYSBOXUP" --root "$R" cert list
	[ "${#lines[@]}" -eq 3 ]
	openssl verify -x509_strict -CAfile "$P/trust.pem" "$(cert_dir a)/cert.pem" "$(cert_dir srv)/cert.pem"
	run -0 cert_sane
	# and once more
	cert rotate-ca --now --passphrase-file "$T/pass"
	[ "$(grep -c '^drop ' "$P/ledger")" -eq 2 ]
	[ "$(grep -c BEGIN "$P/trust.pem")" -eq 1 ]
	run -0 cert_sane
}

@test "no rollback touches the ledger: revoked stays revoked, numbers go up" {
	echo '{ "docker": { "settings": { "debug": true } } }' >"$T/profile.json"
	printf 'ID=debian\nVERSION_ID="12"\n' >"$R/etc/os-release"
	cert_ca
	cert issue a
	"$SYSBOXUP" --root "$R" --profile "$T/profile.json" -q apply
	cert revoke a 2>/dev/null
	"$SYSBOXUP" --root "$R" -q rollback
	[ "$(cert_json show a | jq -r 'select(.state).state')" = revoked ]
	cert crl
	[ "$(awk '$1 == "crl" { printf "%s ", $2 }' "$P/ledger")" = "1 2 " ]
	"$SYSBOXUP" --root "$R" -q uninstall
	[ "$(cert_json show a | jq -r 'select(.state).state')" = revoked ]
}

@test "crl --due writes a new list at half its life; list and show warn when nobody does" {
	cert_ca
	cert crl --due
	run -0 "$SYSBOXUP" --root "$R" cert crl --due
	[ "$output" = "Nothing is due." ]
	run --separate-stderr -0 faketime -f +21d "$SYSBOXUP" --root "$R" cert list
	[[ $stderr == "warning: the revocation list ends at "* ]]
	run --separate-stderr -0 faketime -f +31d "$SYSBOXUP" --root "$R" cert show
	[[ $stderr == "warning: the revocation list ended at "* ]]
	run -0 faketime -f +16d "$SYSBOXUP" --root "$R" cert crl --due
	[[ $output == "Revocation list 2, "* ]]
}

@test "a list that is older than the ledger: list and show say so, it is due, and the same revoke again ends it" {
	local warning="warning: the revocation list is older than the ledger: what was revoked last may not be in it"
	cert_ca
	cert issue a
	cert issue b --ttl 1h
	cert crl
	cp "$P/crl.pem" "$T/crl.pem"
	cert revoke a 2>/dev/null
	# as a kill between the ledger and the list leaves it
	behind() { cp "$T/crl.pem" "$P/crl.pem"; }
	behind
	for words in list show "show a"; do
		read -ra words <<<"$words"
		run --separate-stderr -0 "$SYSBOXUP" --root "$R" cert "${words[@]}"
		[ "${stderr_lines[0]}" = "$warning" ]
		[ "${stderr_lines[1]}" = "         try: sysboxup cert crl" ]
	done
	run --separate-stderr -0 "$SYSBOXUP" --root "$R" cert show b
	[ -z "$stderr" ]
	# what was never revoked is no reason
	run -3 faketime -f +2h "$SYSBOXUP" --root "$R" cert revoke b
	[ "${lines[0]}" = "sysboxup: 'b' is expired already" ]
	run --separate-stderr -0 "$SYSBOXUP" --root "$R" cert revoke a
	[ "${lines[-1]}" = "That was so in the ledger already; by now the revocation list says it too." ]
	cert_listed "$(serial_of a)"
	refused 3 "'a' is revoked already" cert revoke a
	run --separate-stderr -0 "$SYSBOXUP" --root "$R" cert list
	[ -z "$stderr" ]
	for bad in behind 'rm -f "$P/crl.pem"' 'echo nonsense >"$P/crl.pem"'; do
		eval "$bad"
		run -0 "$SYSBOXUP" --root "$R" cert crl --due
		[[ $output == "Revocation list "* ]]
		cert_listed "$(serial_of a)"
		run -0 "$SYSBOXUP" --root "$R" cert crl --due
		[ "$output" = "Nothing is due." ]
	done
	# of an authority that is over there is none any more, and that is no reason
	cert_at() { faketime -f "$1" "$SYSBOXUP" --root "$R" cert "${@:2}"; }
	cert_at +1d rotate-ca --ttl 3000d >/dev/null
	cert_at +1830d crl >/dev/null
	[ "$(grep -c 'BEGIN X509 CRL' "$P/crl.pem")" -eq 1 ]
	run -0 cert_at +1830d crl --due
	[ "$output" = "Nothing is due." ]
}

# served ARG...: what curl says about a server with our certificate that asks clients for theirs.
served() {
	curl -sS --resolve "ci-1.example.org:$PORT:127.0.0.1" --cacert "$T/client/ca.pem" -o /dev/null -w '%{http_code}\n' "$@" "https://ci-1.example.org:$PORT/" 2>&1
}

@test "export pem-dir: a TLS server with ours serves ours, and nobody without or with a server's" {
	cert_ca
	cert issue srv --server --san ci-1.example.org
	cert issue runner
	cert export srv --out "$T/server"
	cert export runner --out "$T/client" --docker-host tcp://ci-1.example.org:2376
	[ "$(cat "$T/client/env")" = "DOCKER_HOST=tcp://ci-1.example.org:2376
DOCKER_TLS_VERIFY=1
DOCKER_CERT_PATH=$T/client" ]
	[ "$(cd "$T" && stat -c '%a %n' server server/* client/*)" = "700 server
444 server/ca.pem
444 server/cert.pem
400 server/key.pem
444 client/ca.pem
444 client/cert.pem
444 client/env
400 client/key.pem" ]
	openssl s_server -accept 127.0.0.1:0 -www -cert "$T/server/cert.pem" -key "$T/server/key.pem" -CAfile "$T/server/ca.pem" \
		-Verify 1 -verify_return_error >"$T/log" 2>&1 3>&- &
	SERVER_PID=$!
	until PORT=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$T/log") && [ -n "$PORT" ]; do kill -0 "$SERVER_PID" || { cat "$T/log"; return 1; }; done
	run -0 served --cert "$T/client/cert.pem" --key "$T/client/key.pem"
	[ "$output" = 200 ]
	run ! served
	run ! served --cert "$T/server/cert.pem" --key "$T/server/key.pem"
}

@test "export context: a tar that GNU tar reads to its end, with what docker context import wants" {
	cert_ca
	cert issue runner
	cert export runner --format context --docker-host tcp://10.0.0.5:2376 --out "$T/c.tar"
	[ "$(stat -c %a "$T/c.tar")" = 600 ]
	run --separate-stderr -0 tar tf "$T/c.tar"
	[ -z "$stderr" ]
	[ "$output" = $'meta.json\ntls/docker/ca.pem\ntls/docker/cert.pem\ntls/docker/key.pem' ]
	run -0 tar xOf "$T/c.tar" meta.json
	[ "$(jq -c . <<<"$output")" = '{"Name":"ci-runner","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://10.0.0.5:2376","SkipTLSVerify":false}}}' ]
	tar xOf "$T/c.tar" tls/docker/key.pem | cmp - "$(cert_dir runner)/key.pem"
}

@test "export kubernetes, gitlab, jenkins: the same three texts, in their forms, for the owner alone" {
	local d
	cert_ca
	cert issue runner
	d=$(cert_dir runner)
	for format in kubernetes gitlab jenkins; do
		cert export runner --format $format --docker-host tcp://h:2376 --out "$T/$format"
		[ "$(stat -c %a "$T/$format")" = 600 ]
	done
	[ "$(sed -n 1,6p "$T/kubernetes")" = $'apiVersion: v1\nkind: Secret\nmetadata:\n  name: ci-runner\ntype: kubernetes.io/tls\ndata:' ]
	for pair in ca.crt:$CA tls.crt:$d/cert.pem tls.key:$d/key.pem; do
		sed -n "s/^  ${pair%%:*}: //p" "$T/kubernetes" | base64 -d | cmp - "${pair#*:}"
	done
	[ "$(jq -r '[.[] | .key + "=" + .variable_type] | join(" ")' "$T/gitlab")" = "DOCKER_HOST=env_var DOCKER_TLS_VERIFY=env_var DOCKER_TLS_CA=file DOCKER_TLS_CERT=file DOCKER_TLS_KEY=file" ]
	jq -j '.[] | select(.key == "DOCKER_TLS_KEY").value' "$T/gitlab" | cmp - "$d/key.pem"
	jq -j '.[] | select(.key == "DOCKER_TLS_CA").value' "$T/gitlab" | cmp - "$CA"
	grep -q '          - x509ClientCert:' "$T/jenkins"
	sed -n '/clientKeySecret/,/clientCertificate/p' "$T/jenkins" | sed '1d;$d;s/^ *//' | cmp - "$d/key.pem"
	sed -n '/serverCaCertificate/,$p' "$T/jenkins" | sed '1d;s/^ *//' | cmp - "$CA"
}

@test "export overwrites nothing, and refuses what makes no sense" {
	cert_ca
	cert issue runner
	cert issue srv --server --san a.example
	mkdir "$T/there"
	refused 2 "'there' exists already" cert export runner --out "$T/there"
	refused 2 "'context' says where the daemon is" cert export runner --format context --out "$T/x"
	refused 2 "'gitlab' is for clients, and 'srv' is a server's certificate" cert export srv --format gitlab --docker-host tcp://h:1 --out "$T/x"
	refused 2 "'cert export' needs --out PATH" cert export runner
	refused 2 "cannot open '$T/none': no such file or directory" cert export runner --out "$T/none/x"
	refused 2 "is not of the form tcp://NAME:2376" cert export runner --docker-host 'h;id' --out "$T/x"
	[ ! -e "$T/x" ]
}

@test "bad names, times and options: exit 2, one line, nothing made" {
	local long
	long=$(printf 'a%.0s' {1..300})
	cert_ca
	refused 2 "the name 'a/b' has other letters than a-z, 0-9 and '-'" cert issue a/b
	refused 2 "the name '..' has other letters" cert issue ..
	refused 2 "the name 'a\\x0ab' has other letters" cert issue $'a\nb'
	refused 2 "the name '${long:0:80}...' is longer than 60 letters" cert issue "$long"
	refused 2 "the name 'bücher' has other letters" cert issue bücher
	refused 2 "the name '-a' begins or ends with '-'" cert issue -- -a
	refused 2 "--ttl '0': a client's certificate lives from 1m to 90d" cert issue a --ttl 0
	refused 2 "--ttl '-1h' is no time such as 1h or 90d" cert issue a --ttl -1h
	refused 2 "--ttl '36500d': a client's certificate lives from 1m to 90d" cert issue a --ttl 36500d
	refused 2 "--ttl '36500d': an authority lives from 1d to 7300d" cert ca --ttl 36500d
	for san in "a.example." a_b.example '*.example' fe80::1%eth0 10.0.0.256 a:2376; do
		refused 2 "'$san' " cert issue srv --server --san "$san"
	done
	mapfile -t many < <(printf -- '--san\nn%s.example\n' {1..300})
	refused 2 "300 names are too many for one certificate: at most 100" cert issue srv --server "${many[@]}"
	refused 2 "--count '0' is no number from 1 to 10000" cert issue a --count 0
	refused 2 "'cert issue' needs one name, or --from FILE" cert issue
	refused 2 "--san is for --server" cert issue a --san b.example
	refused 2 "'--count' has no meaning for 'cert revoke'" cert revoke a --count 2
	refused 2 "unknown word 'shw' after cert; did you mean 'cert show'?" cert shw
	refused 2 "'cert revoke' is used so: sysboxup cert revoke NAME | SERIAL ..." cert revoke
	printf 'a\nb/c\n' >"$T/names"
	refused 2 "'$T/names', line 2: the name 'b/c' has other letters" cert issue --from "$T/names"
	printf 'a\na\n' >"$T/names"
	refused 2 "the name 'a' is wanted twice" cert issue --from "$T/names"
	printf 'a\0b\n' >"$T/names"
	refused 2 "'$T/names' is no text" cert issue --from "$T/names"
}

@test "what the authority's constraints forbid is not issued" {
	cert_ca --permit example.org --permit 10.0.0.0/8
	refused 3 "a certificate for 'srv' would not be accepted: permitted subtree violation" cert issue srv --server --san evil.test
	refused 3 "a certificate for 'srv' would not be accepted: permitted subtree violation" cert issue srv --server --san a.example.org --san 192.0.2.1
	cert issue srv --server --san a.example.org --san 10.1.2.3
	cert issue runner
}

@test "an authority that cannot be trusted: no key of its own, readable by others, wrong secret, none at all" {
	refused 3 "there is no certificate authority here yet" cert issue a
	cert_ca
	echo wrong >"$T/wrong"
	chmod 600 "$T/wrong"
	chmod 644 "$P/gen/000001/key.pem"
	refused 3 "key.pem' can be read or written by others (mode 0644)" cert issue a
	chmod 400 "$P/gen/000001/key.pem"
	chmod 644 "$R/ca.secret"
	refused 3 "'/ca.secret' can be read or written by others (mode 0644)" cert issue a
	chmod 400 "$R/ca.secret"
	cp -a "$R/ca.secret" "$T/keep"
	cp "$T/wrong" "$R/ca.secret"
	refused 3 "the secret is the wrong one, or the file is damaged" cert issue a
	cp -a "$T/keep" "$R/ca.secret"
	cp -a "$P/gen/000001/key.pem" "$T/key"
	openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -scrypt -passout "file:$R/ca.secret" -out "$P/gen/000001/key.pem"
	refused 3 "the authority's key does not belong to its certificate" cert issue a
	cp -a "$T/key" "$P/gen/000001/key.pem"
	cert issue a
}

@test "a wrong passphrase, an empty one, one that others can read, none" {
	echo right >"$T/right"
	echo wrong >"$T/wrong"
	: >"$T/empty"
	chmod 600 "$T/right" "$T/wrong" "$T/empty"
	refused 2 "the passphrase is empty" cert ca --passphrase-file "$T/empty"
	cert ca --passphrase-file "$T/right"
	refused 3 "the secret is the wrong one" cert issue a --passphrase-file "$T/wrong"
	refused 2 "there is no terminal to ask at" cert issue a </dev/null
	refused 2 "exclude each other" cert issue a --passphrase-file "$T/right" --passphrase-fd 0
	refused 2 "--passphrase-fd '1' is no descriptor to read from" cert issue a --passphrase-fd 1
	chmod 644 "$T/right"
	refused 3 "'$T/right' can be read or written by others (mode 0644)" cert issue a --passphrase-file "$T/right"
}

@test "a clock that was set back a year is refused, unless told to go on" {
	cert_ca
	cert issue a
	run -3 faketime -f -365d "$SYSBOXUP" --root "$R" cert issue b
	[[ ${lines[0]} =~ ^"sysboxup: the clock says 20"[^,]*", but the newest entry of the ledger is of 20"[^:]*:[0-9:]*Z": it was set back"$ ]]
	run -3 faketime -f -365d "$SYSBOXUP" --root "$R" cert issue b --any-clock
	[[ ${lines[0]} == "sysboxup: the certificate authority is good only from "*": the clock is wrong" ]]
	run -0 faketime -f +2d "$SYSBOXUP" --root "$R" -q cert issue c
	refused 3 "it was set back" cert issue d
	cert issue d --any-clock
}

@test "a ledger that is damaged, or has lost a record, issues nothing" {
	cert_ca
	cert issue a
	cert issue b
	cp "$P/ledger" "$T/ledger"
	sed -i '4s/client/server/' "$P/ledger"
	refused 1 "the ledger is damaged at byte" cert issue c
	sed '3,4d' "$T/ledger" >"$P/ledger"
	refused 1 "the ledger is damaged at byte" cert issue c
	cp "$T/ledger" "$P/ledger"
	printf '+ 4 179' >>"$P/ledger"
	cert issue c
	run -0 cert_sane
}

@test "a disk that is full while certificates are issued: nothing of them, exit 1; and as usual when there is room" {
	. "$REPO/tests/lib/inside.bash"
	inside_begin "$R" 1m
	inside "$SYSBOXUP" --root "$R" -q cert ca --key-file /ca.secret
	inside "$SYSBOXUP" --root "$R" -q cert issue a
	inside cp "$P/ledger" "$T/ledger"
	run -1 inside "$SYSBOXUP" --root "$R" -q cert issue load --count 500
	[[ ${lines[0]} == "sysboxup: cannot "*": no space left on device" ]]
	[[ $output == *"try:  free some space there"* ]]
	inside cmp "$P/ledger" "$T/ledger"
	[ -z "$(inside find "$R" -name '.new-*')" ]
	inside "$SYSBOXUP" --root "$R" -q cert issue load --count 20
	run -0 inside bash -c ". '$REPO/tests/lib/cert.bash'; R='$R' cert_sane"
}

@test "50 at once: each gets its own, and the ledger is whole" {
	local pids=() i rc=0
	cert_ca
	for i in {1..50}; do
		"$SYSBOXUP" --root "$R" -q cert issue "job-$i" --ttl 1h --lock-wait 20m 2>"$T/err-$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || rc=$?; done
	cat "$T"/err-*
	[ "$rc" -eq 0 ]
	[ "$(grep -c '^cert ' "$P/ledger")" -eq 50 ]
	run -0 cert_sane
}

@test "who holds the lock for too long is waited for no longer than --lock-wait" {
	cert_ca
	exec 7>"$P/lock"
	flock 7
	refused 4 "another run holds '/var/lib/sysboxup/pki/lock' for 0 seconds now" cert issue a --lock-wait 0
	# to look needs no lock
	cert list
	exec 7>&-
	cert issue a
}

# away WORD...: cert on the other host, which has the authority.
away() { R=$T/away cert "$@"; }

# elsewhere: an authority in $T/away, and its certificate known here.
elsewhere() {
	mkdir "$T/away"
	away ca --key-file /ca.secret "$@"
	cert import "$T/away/$PKI_BELOW/gen/000001/cert.pem"
}

@test "an authority elsewhere: keys are made here and never leave, certificates and lists come back" {
	elsewhere
	[ ! -e "$P/gen/000001/key.pem" ]
	refused 3 "the authority's key is not on this host" cert issue a
	cert request runner --out "$T/runner.csr"
	cert request srv --server --san ci-1.example.org --san 10.0.0.5 --out "$T/srv.csr"
	openssl req -in "$T/runner.csr" -verify -noout
	run ! grep -q PRIVATE "$T/runner.csr" "$T/srv.csr"
	away issue runner --request "$T/runner.csr" --ttl 2h
	away issue srv --server --request "$T/srv.csr"
	[ ! -e "$T/away/$PKI_BELOW/gen/000002/ci-runner/key.pem" ]
	cert import "$T/away/$PKI_BELOW/gen/000002/ci-runner/cert.pem"
	cert import "$T/away/$PKI_BELOW/gen/000003/srv/cert.pem"
	[ -z "$(ls "$P/requests")" ]
	judged client "$(cert_dir runner)/cert.pem"
	judged server "$(cert_dir srv)/cert.pem" ci-1.example.org
	[ "$(cert_json show srv | jq -c 'select(.names).names')" = '["DNS:ci-1.example.org","IP:10.0.0.5"]' ]
	run -0 cert_sane
	cert export runner --out "$T/client"
	away revoke runner 2>/dev/null
	cert import "$T/away/$PKI_BELOW/crl.pem"
	[ "$(cert_json show runner | jq -r 'select(.state).state')" = revoked ]
	refused 3 "this list is not taken: it has no number above 1" cert import "$T/away/$PKI_BELOW/crl.pem"
	run -0 cert_sane
	# as a kill between the ledger and the list leaves it
	run -0 "$SYSBOXUP" --root "$R" cert crl --due
	rm "$P/crl.pem"
	run -7 "$SYSBOXUP" --root "$R" cert crl --due
	[ "${lines[0]}" = "sysboxup: the revocation list is not the newest one that the ledger knows of" ]
	[ "${lines[1]}" = "  try:  sysboxup cert import FILE, the same again or a newer one" ]
	cert import "$T/away/$PKI_BELOW/crl.pem"
	run -0 "$SYSBOXUP" --root "$R" cert crl --due
	# where Docker serves one whose end is near, what takes the authority is said
	mkdir -p "$R/etc/sysboxup/api"
	ln -s "$(cert_dir srv)" "$R/etc/sysboxup/api/server"
	run -7 faketime -f +85d "$SYSBOXUP" --root "$R" -q cert renew --due
	[[ ${lines[0]} == "sysboxup: Docker's own certificate 'srv' ends at "* ]]
	[[ ${lines[1]} == "  try:  sysboxup cert request srv --server --san ci-1.example.org --san 10.0.0.5 --out FILE,"* ]]
	# the same again is a renewal
	cert request srv --server --san ci-1.example.org --out "$T/srv2.csr"
}

@test "openssl signs a request as well; what it makes is taken only if it is as ours are" {
	local usage
	mkdir "$T/away"
	away ca --key-file /ca.secret
	sign() {	# EXTENSIONS DAYS
		printf '%b' "[e]\nbasicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n$1" >"$T/ext"
		openssl x509 -req -in "$T/a.csr" -CA "$T/away/$PKI_BELOW/gen/000001/cert.pem" -CAkey "$T/away/$PKI_BELOW/gen/000001/key.pem" \
			-passin "file:$T/away/ca.secret" -set_serial 0x1234 -days "$2" -extfile "$T/ext" -extensions e -out "$T/a.pem" "${@:3}" 2>/dev/null
	}
	refused 3 "there is no certificate authority here yet" cert request a --out "$T/a.csr"
	cert import "$T/away/$PKI_BELOW/gen/000001/cert.pem"
	cert request a --out "$T/a.csr"
	usage='keyUsage=critical,digitalSignature\n'
	sign "$usage" 1
	refused 3 "this certificate is not taken: it is good for servers and for clients" cert import "$T/a.pem"
	sign "${usage}extendedKeyUsage=serverAuth\n" 1
	refused 3 "this certificate is not taken: unsuitable certificate purpose" cert import "$T/a.pem"
	sign "${usage}extendedKeyUsage=clientAuth,serverAuth\n" 1
	refused 3 "it is good for servers and for clients" cert import "$T/a.pem"
	sign "${usage}extendedKeyUsage=clientAuth\n" 1 -subj /CN=ci-b
	refused 3 "this certificate is not taken: its common name is not the one that was requested" cert import "$T/a.pem"
	run -3 faketime -f +2d "$SYSBOXUP" --root "$R" cert import "$T/a.pem"
	[[ ${lines[0]} == "sysboxup: this certificate is not taken: certificate has expired" ]]
	sign "${usage}extendedKeyUsage=clientAuth\n" 1
	cert import "$T/a.pem"
	[ "$(cert_json show a | jq -r 'select(.serial).serial')" = 1234 ]
	run -0 cert_sane
}

@test "what is imported by mistake: strangers, ends, nonsense; exit codes and words" {
	elsewhere
	mkdir "$T/second"
	R=$T/second cert_ca
	R=$T/second cert issue a
	R=$T/second cert crl
	refused 3 "this certificate is not taken: no request of this host waits for it" cert import "$T/second/$PKI_BELOW/gen/000002/ci-a/cert.pem"
	refused 3 "this list is not taken: the authority did not sign it" cert import "$T/second/$PKI_BELOW/crl.pem"
	refused 3 "there is a certificate authority already" cert import "$T/second/$PKI_BELOW/gen/000001/cert.pem"
	echo nonsense >"$T/x"
	refused 2 "this is neither a certificate nor a revocation list in PEM" cert import "$T/x"
	refused 2 "cannot open '$T/none': no such file or directory" cert import "$T/none"
	refused 3 "the authority's key is not on this host" cert rotate-ca
	refused 2 "cannot read '/dev/null': not a regular file" cert import /dev/null
	cert request a --out "$T/a.csr"
	refused 2 "'$T/a.csr' exists already" cert request b --out "$T/a.csr"
	refused 3 "a request for 'client-a' waits for its certificate already" cert request a --algorithm rsa3072 --out "$T/a2.csr"
	refused 2 "'cert request' needs --out FILE" cert request b
	R=$T/away refused 3 "the request is not for 'ci-b'" cert issue b --request "$T/a.csr"
	R=$T/away refused 2 "cannot read the request: " cert issue a --request "$T/x"
	R=$T/away refused 2 "--request is for one certificate" cert issue a --count 2 --request "$T/a.csr"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/k" -subj /CN=srv -addext 'subjectAltName=DNS:*.example' -out "$T/w.csr" 2>/dev/null
	R=$T/away refused 3 "the request is refused: the name '*.example' is a wildcard" cert issue srv --server --request "$T/w.csr"
	openssl req -new -key "$T/k" -subj /CN=srv -out "$T/w.csr"
	R=$T/away refused 3 "the request is refused: it has no names" cert issue srv --server --request "$T/w.csr"
}

@test "cert request: the same again writes the request anew, of the key that waits; with other names it is refused" {
	local ask=(request srv --server --san a.example --san 10.0.0.5)
	elsewhere
	cert "${ask[@]}" --out "$T/1.csr"
	rm "$T/1.csr"
	cert "${ask[@]}" --out "$T/1.csr"
	cert "${ask[@]}" --out "$T/2.csr"
	for i in 1 2; do openssl req -in "$T/$i.csr" -verify -noout -pubkey >"$T/$i.pub"; done
	openssl pkey -in "$P/requests/server-srv/key.pem" -pubout | cmp - "$T/1.pub"
	cmp "$T/1.pub" "$T/2.pub"
	refused 3 "a request for 'server-srv' waits for its certificate already" cert request srv --server --san a.example --out "$T/3.csr"
	[[ $stderr == *"try:  import that, or rm -r '/var/lib/sysboxup/pki/requests/server-srv'"* ]]
	[ ! -e "$T/3.csr" ]
	# a client of that name is another one
	cert request srv --out "$T/3.csr"
	away issue srv --server --request "$T/2.csr"
	cert import "$T/away/$PKI_BELOW/gen/000002/srv/cert.pem"
	[ "$(ls "$P/requests")" = client-srv ]
	# what has its certificate is no more: the same is a renewal, of another key
	cert "${ask[@]}" --out "$T/4.csr"
	run ! cmp -s <(openssl req -in "$T/4.csr" -noout -pubkey) "$T/1.pub"
	run -0 cert_sane
}

# bring NAME [--server --san X]: a key and a request here, signed by the other host, what came back imported here.
bring() {
	local name=$1 kind=()
	[ $# -eq 1 ] || kind=(--server)
	rm -f "$T/$name.csr"
	cert request "$@" --out "$T/$name.csr"
	away issue "$name" "${kind[@]}" --request "$T/$name.csr" >&2
	"$SYSBOXUP" --root "$R" cert import "$(R=$T/away cert_dir "$name")/cert.pem"
}

# The path of the newest authority below $R.
newest() { cert_json show | jq -r 'select(.event == "authority").path'; }

@test "rotate-ca --import: an authority elsewhere is replaced by another; servers keep theirs of the old one until its last client is over" {
	local later=(faketime -f +25h) next
	elsewhere --permit example.org
	bring a
	bring gone
	bring srv --server --san a.example.org
	away revoke gone 2>/dev/null
	cert import "$T/away/$PKI_BELOW/crl.pem"
	run -3 "$SYSBOXUP" --root "$R" cert rotate-ca
	[ "${lines[0]}" = "sysboxup: the authority's key is not on this host" ]
	[ "${lines[1]}" = "  try:  sysboxup cert rotate-ca --import FILE, the certificate of the new authority" ]
	away rotate-ca
	next=$(R=$T/away newest)
	run -0 "$SYSBOXUP" --root "$R" cert rotate-ca --import "$next"
	[[ ${lines[0]} == "Took a certificate authority beside the old one, good until "*"/gen/000006/cert.pem" ]]
	[[ ${lines[1]} == *"two authorities are trusted; of the old one 1 client is in force, the last until "* ]]
	[[ $output == *"try: sysboxup cert request NAME --out FILE, to be signed by the new authority: a"* ]]
	cmp "$next" "$(authority 6)"
	cat "$CA" "$next" | cmp - "$P/trust.pem"
	run -0 cert_sane
	# clients change over, servers are renewed by the old one, and each is accepted by whoever trusts both
	cp "$(cert_dir a)/cert.pem" "$T/old-a.pem"
	bring a
	openssl verify -x509_strict -CAfile "$next" "$(cert_dir a)/cert.pem"
	bring srv --server --san a.example.org
	openssl verify -x509_strict -CAfile "$CA" "$(cert_dir srv)/cert.pem"
	cert export a --out "$T/a"
	cmp "$T/a/ca.pem" "$P/trust.pem"
	# lists of both come in one file; revoked stays revoked
	away crl
	cert import "$T/away/$PKI_BELOW/crl.pem"
	[ "$(grep -c BEGIN "$P/crl.pem")" -eq 2 ]
	for cert in "$T/old-a.pem" "$(cert_dir a)/cert.pem"; do openssl verify -crl_check -CRLfile "$P/crl.pem" -CAfile "$P/trust.pem" "$cert"; done
	run ! openssl verify -crl_check -CRLfile "$P/crl.pem" -CAfile "$P/trust.pem" "$(cert_dir gone)/cert.pem"
	[ "$(cert_json show gone | jq -r 'select(.state).state')" = revoked ]
	# the end waits for the last client, and for the server's certificate of the new one
	run -0 "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[ "$output" = "Nothing is due." ]
	refused 3 "of the old authority 1 client is in force, the last until " cert rotate-ca
	refused 2 "the new authority is there already: --import comes too late" cert rotate-ca --import "$next"
	run -3 "${later[@]}" "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[ "${lines[0]}" = "sysboxup: no certificate of the new authority waits for these servers: srv" ]
	[ "${lines[1]}" = "  try:  sysboxup cert request srv --server --out FILE, to be signed by the new authority" ]
	away rotate-ca --now >&2
	run -0 bring srv --server --san a.example.org
	[[ $output == *"This certificate is good, and waits until the old authority is dropped."* ]]
	openssl verify -x509_strict -CAfile "$CA" "$(cert_dir srv)/cert.pem"
	run -0 cert_sane
	run -0 "${later[@]}" "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[ "${lines[0]}" = "The old authority is dropped." ]
	[[ ${lines[2]} == "srv "*" server  valid "* ]]
	openssl verify -x509_strict -attime $(($(date +%s) + 25 * 3600)) -CAfile "$P/trust.pem" "$(cert_dir srv)/cert.pem"
	cmp "$P/trust.pem" "$next"
	cmp "$P/trust.pem" "$P/gen/000001/trust.pem"
	[ -z "$(ls "$P/requests")" ]
	run -0 "${later[@]}" "$SYSBOXUP" --root "$R" cert rotate-ca --due
	[ "$output" = "Nothing is due." ]
	run -0 cert_sane
}

@test "rotate-ca --import, then --now: the old one goes at once, servers without a certificate are named; each authority counts its own lists" {
	local next=$T/next/$PKI_BELOW
	elsewhere
	bring a
	bring srv --server --san a.example
	away crl
	away crl
	cert import "$T/away/$PKI_BELOW/crl.pem"
	mkdir "$T/next"
	R=$T/next cert_ca
	R=$T/next cert crl
	cert rotate-ca --import "$next/gen/000001/cert.pem"
	cert import "$next/crl.pem"
	[ "$(cert_json show | jq 'select(.event == "authority").crl_number')" = 1 ]
	refused 3 "this list is not taken: it has no number above 1" cert import "$next/crl.pem"
	refused 3 "this list is not taken: it has no number above 2" cert import "$T/away/$PKI_BELOW/crl.pem"
	away revoke a 2>/dev/null
	cert import "$T/away/$PKI_BELOW/crl.pem"
	[ "$(cert_json show a | jq -r 'select(.state).state')" = revoked ]
	[ "$(awk '$1 == "crl" { printf "%s ", $2 }' "$P/ledger")" = "2 1 3 " ]
	[ "$(grep -c BEGIN "$P/crl.pem")" -eq 2 ]
	# a crash before the list was written: the same is taken once more, and only then
	R=$T/away cert crl
	cp "$P/crl.pem" "$T/crl.pem"
	cert import "$T/away/$PKI_BELOW/crl.pem"
	cp "$T/crl.pem" "$P/crl.pem"
	cert import "$T/away/$PKI_BELOW/crl.pem"
	refused 3 "this list is not taken: it has no number above 4" cert import "$T/away/$PKI_BELOW/crl.pem"
	run -0 cert_sane
	refused 3 "no certificate of the new authority waits for these servers: srv" cert rotate-ca
	run --separate-stderr -0 "$SYSBOXUP" --root "$R" cert rotate-ca --now
	[ "${lines[0]}" = "The old authority is dropped." ]
	[ "${stderr_lines[0]}" = "warning: no certificate of the new authority waits for these servers: srv" ]
	cmp "$P/trust.pem" "$next/gen/000001/cert.pem"
	[ "$(cert_json show srv | jq -r 'select(.state).state')" = dropped ]
	away crl
	refused 3 "this list is not taken: the authority did not sign it" cert import "$T/away/$PKI_BELOW/crl.pem"
	# the timer has nothing to do, until the list that was brought is nearly over
	run -0 "$SYSBOXUP" --root "$R" cert crl --due
	[ "$output" = "Nothing is due." ]
	run -7 faketime -f +21d "$SYSBOXUP" --root "$R" cert crl --due
	[[ ${lines[0]} == "sysboxup: the revocation list ends at "*", and the authority's key is not on this host" ]]
	# what was dropped is never trusted again
	refused 3 "its key is that of an authority that was replaced before" cert rotate-ca --import "$CA"
	run -0 cert_sane
}

# forged NAME EXTENSIONS [OPTION...]: an authority by openssl.
forged() {
	printf '[e]\nsubjectKeyIdentifier=hash\n%b' "$2" >"$T/ext"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/forged.key" -subj "/CN=$1" -days 10 -config <(printf '[req]\ndistinguished_name=d\n[d]\n'; cat "$T/ext") \
		-extensions e -out "$T/$1.pem" "${@:3}" 2>/dev/null
}

@test "rotate-ca --import: what cannot take the place of an authority, in one line each" {
	local basic='basicConstraints=critical,CA:TRUE,pathlen:0\n' usage='keyUsage=critical,keyCertSign,cRLSign\n'
	no() { refused 3 "$1" cert rotate-ca --import "$2"; }
	forged good "$basic$usage"
	no "there is no certificate authority here yet" "$T/good.pem"
	elsewhere
	bring srv --server --san a.example.org
	bring a
	no "this certificate is not taken: its key is that of the authority that it is to replace" "$CA"
	no "this certificate is not taken: it is no authority's" "$(cert_dir a)/cert.pem"
	forged x "$basic"
	no "this certificate is not taken: it is no authority's" "$T/x.pem"
	forged x "$basic"'keyUsage=critical,cRLSign\n'
	no "this certificate is not taken: it is no authority's" "$T/x.pem"
	forged x "basicConstraints=critical,CA:TRUE\n$usage"
	no "it may make further authorities, for its path length is not 0" "$T/x.pem"
	forged x "basicConstraints=critical,CA:TRUE,pathlen:1\n$usage"
	no "it may make further authorities, for its path length is not 0" "$T/x.pem"
	forged x "basicConstraints=CA:TRUE,pathlen:0\n$usage"
	no "this certificate is not taken: its basic constraints are not critical" "$T/x.pem"
	forged x "$basic${usage}nameConstraints=critical,permitted;DNS:other.test\n"
	no "this certificate is not taken: it forbids the names of the server 'srv': permitted subtree violation" "$T/x.pem"
	faketime -f +2d bash -c "$(declare -f forged); T='$T' forged early '$basic$usage'"
	no "this certificate is not taken: certificate is not yet valid" "$T/early.pem"
	run -3 faketime -f +11d "$SYSBOXUP" --root "$R" cert rotate-ca --import "$T/good.pem"
	[ "${lines[0]}" = "sysboxup: this certificate is not taken: it is over" ]
	echo nonsense >"$T/x.pem"
	refused 2 "cannot read the certificate: " cert rotate-ca --import "$T/x.pem"
	refused 2 "cannot open '$T/none': no such file or directory" cert rotate-ca --import "$T/none"
	refused 2 "--import and --now exclude each other" cert rotate-ca --import "$T/good.pem" --now
	refused 2 "--import and --ttl exclude each other" cert rotate-ca --import "$T/good.pem" --ttl 300d
	refused 3 "there is a certificate authority already, good until " cert import "$T/good.pem"
	[ "${stderr_lines[1]}" = "  try:  sysboxup cert rotate-ca --import FILE, if it is to replace that" ]
	mkdir "$T/second"
	R=$T/second cert_ca
	R=$T/second no "the key of the authority is on this host, and --import is for one that is elsewhere" "$T/good.pem"
	# and in the overlap: no second one, and no client by the old one
	cert rotate-ca --import "$T/good.pem"
	forged other "$basic$usage"
	refused 2 "the new authority is there already: --import comes too late" cert rotate-ca --import "$T/other.pem"
	cert request b --out "$T/b.csr"
	away issue b --request "$T/b.csr"
	refused 3 "this certificate is not taken: the authority that signed it is being replaced: the new one has to" cert import "$(R=$T/away cert_dir b)/cert.pem"
	run -0 cert_sane
}

@test "seal names the authority and its certificates, which clones must not share" {
	printf 'ID=debian\nVERSION_ID="12"\n' >"$R/etc/os-release"
	cert_ca
	cert issue a
	run -7 "$SYSBOXUP" --root "$R" seal
	[[ $output == *"certificates: /var/lib/sysboxup/pki/gen"* ]]
	run "$SYSBOXUP" --root "$R" seal --fix
	[ -e "$P/ledger" ]
}
