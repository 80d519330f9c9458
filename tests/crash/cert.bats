#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each verb of `cert` that writes, killed, torn and failed at its calls: at every fifth, SYSBOXUP_EVERY=1 tries them all. Before or after, nothing else: no key
# without its record and none of a batch without the others; what was acknowledged stays, a list's number never falls;
# and the next run goes on as if nothing had been.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults}
	. "$REPO/tests/lib/cert.bash"
	SYSBOXUP=$SYSBOXUP_BUILD/sysboxup R=$BATS_FILE_TMPDIR/root
	mkdir "$R"
	cert_ca
	cert issue first
	cert issue second
	cert revoke first 2>/dev/null
}

setup() {
	. "$REPO/tests/lib/cert.bash"
	. "$REPO/tests/lib/points.bash"
	export SYSBOXUP=$SYSBOXUP_BUILD/sysboxup SYSBOXUP_FAULT_ALONE=1
	STEP=5 RECORDS=1 ACKNOWLEDGED=1
	[ -z "${SYSBOXUP_EVERY:-}" ] || STEP=1
	F=$BATS_FILE_TMPDIR FROM=$BATS_FILE_TMPDIR/root T=$BATS_TEST_TMPDIR R=$BATS_TEST_TMPDIR/root
}

records() { grep -c '^+ ' "$R/$PKI_BELOW/ledger"; }

in_list() {
	openssl crl -in "$R/$PKI_BELOW/crl.pem" -noout -text | grep -qi "Serial Number: $1"
}

# Of its first certificate.
serial_of() { awk -v name="$1" '$8 == name { print $2; exit }' "$R/$PKI_BELOW/ledger"; }

# Of an authority that is dropped there are no lists.
is_out() { in_list "$1" || grep -q '^drop 1$' "$R/$PKI_BELOW/ledger"; }

# What must be so whatever was hit: the ledger grew by the verb's records, some of them or none, and the next runs work.
still_good() {
	local before=$1 n
	n=$(records)
	((n >= before && n <= before + RECORDS)) || { echo "$before records, then $n"; return 1; }
	cert issue later >/dev/null || return 1
	cert crl >/dev/null || return 1
	is_out "$(serial_of first)" || { echo "first is not revoked any more"; return 1; }
	cert_sane
}

# one_point FAULT WORD...
one_point() {
	local fault=$1 status=0 before n
	shift
	rm -rf "$R"
	cp -a "$FROM" "$R"
	before=$(records)
	SYSBOXUP_FAULT=$fault "$SYSBOXUP-faults" --root "$R" -q cert "$@" >"$T/out" 2>&1 || status=$?
	case $fault:$status in die*:137 | tear*:137 | fail*:[013]) ;; *) echo "exit status $status"; return 1 ;; esac
	[ "$status" -ne 0 ] || [ "$(records)" -ge $((before + ACKNOWLEDGED)) ] || { echo "done, and not in the ledger"; return 1; }
	case "$*" in
	issue*)
		# all of the batch or none; and what was said to be done is there before anybody cleans up
		n=$(grep -cE '^cert .* client batch-' "$R/$PKI_BELOW/ledger")
		[ "$n" = 0 ] || [ "$n" = 3 ] || { echo "$n of a batch of 3"; return 1; }
		[ "$status" -ne 0 ] || [ "$(cd "$R/$PKI_BELOW/gen/000005" && echo *)" = "ci-batch-1 ci-batch-2 ci-batch-3" ]
		;;
	rotate-ca*)
		# two authorities and one dropped, or the way there; the same again gets there
		[ "$status" -ne 0 ] || grep -q '^drop 1$' "$R/$PKI_BELOW/ledger" || return 1
		grep -q '^drop 1$' "$R/$PKI_BELOW/ledger" || cert rotate-ca --now >/dev/null || return 1
		[ "$(grep -cE '^(ca|drop) ' "$R/$PKI_BELOW/ledger")" -eq 3 ] || return 1
		[ "$(openssl x509 -noout -subject -in "$(cert_dir srv)/cert.pem")" ] || return 1
		openssl verify -CAfile "$R/$PKI_BELOW/trust.pem" "$(cert_dir srv)/cert.pem" >/dev/null
		;;
	revoke*) [ "$status" -ne 0 ] || in_list "$(serial_of second)" ;;
	esac || return 1
	# in the ledger is revoked, whatever became of the list
	if grep -q "^revoke $(serial_of second) " "$R/$PKI_BELOW/ledger"; then
		still_good "$before" && in_list "$(serial_of second)"
	else
		still_good "$before"
	fi
}

# campaign NAME WORD...
campaign() {
	local name=$1 total n fault points=0 from=0
	shift
	cp -a "$FROM" "$R"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert "$@" >/dev/null 2>&1
	total=$(wc -l <"$T/log")
	for fault in die-before:N die-after:N tear:N fail:N:ENOSPC fail-from:N:EIO; do
		# each kind begins at another call, so that together they hit each of them
		from=$((from % STEP + 1))
		for ((n = from; n <= total; n += STEP)); do
			one_point "${fault/:N/:$n}" "$@" || {
				echo "$fault at call $n of $total: $(sed -n "${n}p" "$T/log")"
				cat "$T/out"
				ls -lAR "$R/$PKI_BELOW"
				return 1
			}
			points=$((points + 1))
		done
	done
	points "$name" "$points"
}

@test "cert issue of a batch, hit at each call" {
	campaign cert-issue issue batch --count 3
}

@test "cert renew, hit at each call" {
	campaign cert-renew renew second
}

@test "cert revoke, hit at each call" {
	campaign cert-revoke revoke second
}

@test "cert crl, hit at each call" {
	campaign cert-crl crl
}

@test "cert rotate-ca --now, hit at each call: one authority, two of them, or the new one; and the same again ends it" {
	FROM=$T/from RECORDS=3 ACKNOWLEDGED=2	# a list that cannot be written is a warning
	[ "$STEP" -eq 1 ] || STEP=10
	cp -a "$F/root" "$FROM"
	R=$FROM cert issue srv --server --san a.example
	campaign cert-rotate rotate-ca --now
}

@test "cert ca, hit at each call: one authority or none, and then one can be made" {
	local total n fault points=0 status from=0
	mkdir "$R"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert ca --key-file /ca.secret >/dev/null
	total=$(wc -l <"$T/log")
	for fault in die-before:N die-after:N tear:N fail:N:ENOSPC; do
		from=$((from % STEP + 1))
		for ((n = from; n <= total; n += STEP)); do
			rm -rf "$R"
			mkdir "$R"
			status=0
			SYSBOXUP_FAULT=${fault/:N/:$n} "$SYSBOXUP-faults" --root "$R" -q cert ca --key-file /ca.secret >"$T/out" 2>&1 || status=$?
			case $fault:$status in fail*:[01] | *:137) ;; *) cat "$T/out"; return 1 ;; esac
			if ! cert show >/dev/null 2>&1; then
				[ "$status" -ne 0 ]
				cert_ca
			fi
			cert issue later >/dev/null
			cert_sane
			points=$((points + 1))
		done
	done
	points cert-ca "$points"
}

@test "export, hit at each call: the directory is there whole or not at all, and the next one works" {
	local total n fault points=0 from=0
	cp -a "$F/root" "$R"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert export second --out "$T/e"
	total=$(wc -l <"$T/log")
	for fault in die-before:N die-after:N tear:N fail:N:ENOSPC; do
		from=$((from % STEP + 1))
		for ((n = from; n <= total; n += STEP)); do
			rm -rf "$T/e"
			SYSBOXUP_FAULT=${fault/:N/:$n} "$SYSBOXUP-faults" --root "$R" -q cert export second --out "$T/e" >"$T/out" 2>&1 || :
			[ -e "$T/e" ] || cert export second --out "$T/e"
			cmp "$T/e/key.pem" "$(cert_dir second)/key.pem"
			cmp "$T/e/cert.pem" "$(cert_dir second)/cert.pem"
			[ "$(stat -c %a "$T/e" "$T/e/key.pem" | tr '\n' ' ')" = "700 400 " ]
			points=$((points + 1))
		done
	done
	points cert-export "$points"
}

@test "cert import of a certificate, hit at each call: it waits still, or is there; and the next import takes it" {
	local total n fault points=0 from=0 away=$T/away here=$T/here
	mkdir "$away" "$here"
	R=$away cert_ca
	R=$here cert import "$away/$PKI_BELOW/gen/000001/cert.pem"
	R=$here cert request a --out "$T/a.csr"
	R=$away cert issue a --request "$T/a.csr"
	cp -a "$here" "$R"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert import "$away/$PKI_BELOW/gen/000002/ci-a/cert.pem" >/dev/null
	total=$(wc -l <"$T/log")
	for fault in die-before:N die-after:N tear:N fail:N:ENOSPC; do
		from=$((from % STEP + 1))
		for ((n = from; n <= total; n += STEP)); do
			rm -rf "$R"
			cp -a "$here" "$R"
			SYSBOXUP_FAULT=${fault/:N/:$n} "$SYSBOXUP-faults" --root "$R" -q cert import "$away/$PKI_BELOW/gen/000002/ci-a/cert.pem" >"$T/out" 2>&1 || :
			if ! cert list | grep -q ci-a || [ -e "$R/$PKI_BELOW/requests/client-a" ]; then
				cert import "$away/$PKI_BELOW/gen/000002/ci-a/cert.pem" >/dev/null
			fi
			cert request b --out "$T/b.csr"
			rm "$T/b.csr"
			[ "$(ls "$R/$PKI_BELOW/requests")" = client-b ]
			cert_sane
			points=$((points + 1))
		done
	done
	points cert-import "$points"
}

@test "cert rotate-ca of an authority elsewhere, hit at each call of its end: the old one and its server, or the new one with its own" {
	local total n fault points=0 from=0 away=$T/away here=$T/here next=$T/next
	[ "$STEP" -eq 1 ] || STEP=10
	mkdir "$away" "$here" "$next"
	R=$away cert_ca
	R=$next cert_ca
	R=$here cert import "$away/$PKI_BELOW/gen/000001/cert.pem"
	R=$here cert request srv --server --san a.example --out "$T/srv.csr"
	R=$away cert issue srv --server --request "$T/srv.csr"
	R=$here cert import "$away/$PKI_BELOW/gen/000002/srv/cert.pem"
	R=$here cert rotate-ca --import "$next/$PKI_BELOW/gen/000001/cert.pem"
	R=$here cert request srv --server --san a.example --out "$T/srv2.csr"
	R=$next cert issue srv --server --request "$T/srv2.csr"
	R=$here cert import "$next/$PKI_BELOW/gen/000002/srv/cert.pem"
	cp -a "$here" "$R"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert rotate-ca >/dev/null
	total=$(wc -l <"$T/log")
	for fault in die-before:N die-after:N tear:N fail:N:ENOSPC; do
		from=$((from % STEP + 1))
		for ((n = from; n <= total; n += STEP)); do
			rm -rf "$R"
			cp -a "$here" "$R"
			SYSBOXUP_FAULT=${fault/:N/:$n} "$SYSBOXUP-faults" --root "$R" -q cert rotate-ca >"$T/out" 2>&1 || :
			cert list >/dev/null
			grep -q '^drop 1$' "$R/$PKI_BELOW/ledger" || cert rotate-ca >/dev/null
			[ "$(grep -cE '^(ca|drop|cert) ' "$R/$PKI_BELOW/ledger")" -eq 5 ]
			# what was taken over waits no more
			rm -f "$T/srv3.csr"
			cert request srv --server --san a.example --out "$T/srv3.csr"
			[ "$(ls "$R/$PKI_BELOW/requests")" = server-srv ]
			openssl verify -CAfile "$R/$PKI_BELOW/trust.pem" "$(cert_dir srv)/cert.pem" >/dev/null
			cert_sane
			points=$((points + 1))
		done
	done
	points cert-elsewhere "$points"
}

@test "negative control: a key without its record, a record without its key, a list from the future are seen" {
	cp -a "$F/root" "$R"
	cert_sane
	sed -i '/^+ 3 /,$d' "$R/$PKI_BELOW/ledger"
	run ! cert_sane
	rm -rf "$R"
	cp -a "$F/root" "$R"
	rm -r "$R/$PKI_BELOW/gen/000003"
	run ! cert_sane
	rm -rf "$R"
	cp -a "$F/root" "$R"
	cert crl
	cp "$F/root/$PKI_BELOW/ledger" "$R/$PKI_BELOW/ledger"
	run ! cert_sane
	rm -rf "$R"
	cp -a "$F/root" "$R"
	mkdir "$R/$PKI_BELOW/gen/.new-000009"
	run ! cert_sane
}
