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
	make -s -C "$REPO/tests/tools"
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
	. "$REPO/tests/lib/hit.bash"
	hit_setup 5
	RECORDS=1 ACKNOWLEDGED=1 F=$BATS_FILE_TMPDIR FROM=$BATS_FILE_TMPDIR/root
}

# What a run before may have left beside the tree.
hit_begin() {
	rm -rf "$T/e" "$T"/c.csr "$T"/.c.csr*
	BEFORE=$(records)
}

records() { if [ -e "$R/$PKI_BELOW/ledger" ]; then grep -c '^+ ' "$R/$PKI_BELOW/ledger"; else echo 0; fi; }

# Of its first certificate.
serial_of() { awk -v name="$1" '$8 == name { print $2; exit }' "$R/$PKI_BELOW/ledger"; }

# Of an authority that is dropped there are no lists.
is_out() { cert_listed "$1" || grep -q '^drop 1$' "$R/$PKI_BELOW/ledger"; }

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

# has COUNT WORD|WORD: so many of these lines are in the ledger.
has() { [ "$(grep -cE "^($2) " "$R/$PKI_BELOW/ledger")" -eq "$1" ]; }

# What is so of each verb: what was said to be done is there before anybody cleans up; and nothing of what was said not to be.
acknowledged() {
	if grep -q 'nothing was touched' "$T/out" && [ "$(records)" -ne "$BEFORE" ]; then
		echo "a record more, and 'nothing was touched'"
		return 1
	fi
	[ "$STATUS" -ne 0 ] || [ "$(records)" -ge $((BEFORE + ACKNOWLEDGED)) ] || { echo "done, and not in the ledger"; return 1; }
}

# In the ledger is revoked, whatever became of the list.
one_more() {
	acknowledged || return 1
	if grep -q "^revoke $(serial_of second) " "$R/$PKI_BELOW/ledger"; then
		still_good "$BEFORE" && cert_listed "$(serial_of second)"
	else
		still_good "$BEFORE"
	fi
}

batch() {
	local n
	acknowledged || return 1
	# all of the batch or none
	n=$(cert list | grep -c '^ci-batch-')	# half a record has some of them, and is none
	[ "$n" = 0 ] || [ "$n" = 3 ] || { echo "$n of a batch of 3"; return 1; }
	[ "$STATUS" -ne 0 ] || [ "$(cd "$R/$PKI_BELOW/gen/000005" && echo *)" = "ci-batch-1 ci-batch-2 ci-batch-3" ] || return 1
	still_good "$BEFORE"
}

@test "cert issue of a batch, hit at each call" {
	hit cert-issue batch cert issue batch --count 3
}

@test "cert renew, hit at each call" {
	hit cert-renew one_more cert renew second
}

# on_copy WORD...: cert WORD... as the first that is run behind it; $COPY is what it leaves, $R stays for the others. Refusing is fine.
on_copy() {
	local rc=0
	COPY=$T/copy
	rm -rf "$COPY"
	cp -a "$R" "$COPY"
	R=$COPY cert "$@" >/dev/null 2>"$T/copy.err" || rc=$?
	[ "$rc" -eq 0 ] || [ "$rc" -eq 3 ] || { echo "behind it 'cert $*' ends with $rc"; cat "$T/copy.err"; return 1; }
}

# listed_behind WORD...: that alone brings it into the list.
listed_behind() {
	on_copy "$@" || return 1
	R=$COPY cert_listed "$(serial_of second)" || { echo "behind 'cert $*' it is not in the list"; return 1; }
}

revoked() {
	[ "$STATUS" -ne 0 ] || cert_listed "$(serial_of second)" || return 1
	listed_behind revoke second || return 1
	if grep -q "^revoke $(serial_of second) " "$R/$PKI_BELOW/ledger"; then listed_behind crl --due || return 1; fi
	one_more
}

@test "cert revoke, hit at each call" {
	hit cert-revoke revoked cert revoke second
}

@test "cert crl, hit at each call" {
	hit cert-crl one_more cert crl
}

# Two authorities and one dropped, or the way there; the same again gets there.
rotated() {
	local trusted
	acknowledged || return 1
	[ "$STATUS" -ne 0 ] || grep -q '^drop 1$' "$R/$PKI_BELOW/ledger" || return 1
	# of each that is trusted there is a list when the timer has been there
	on_copy crl --due || return 1
	trusted=$(grep -c 'BEGIN CERTIFICATE' "$COPY/$PKI_BELOW/trust.pem")
	[ "$(grep -c 'BEGIN X509 CRL' "$COPY/$PKI_BELOW/crl.pem")" -eq "$trusted" ] || { echo "not a list of each of $trusted"; return 1; }
	grep -q '^drop 1$' "$R/$PKI_BELOW/ledger" || cert rotate-ca --now >/dev/null || return 1
	has 3 'ca|drop' && still_good "$BEFORE" || return 1
	# behind a run that cleaned up: before, what the newest record made may have its first name
	openssl verify -CAfile "$R/$PKI_BELOW/trust.pem" "$(cert_dir srv)/cert.pem" >/dev/null
}

@test "cert rotate-ca --now, hit at each call: one authority, two of them, or the new one; and the same again ends it" {
	FROM=$T/from RECORDS=3 ACKNOWLEDGED=2	# a list that cannot be written is a warning
	[ "$STEP" -eq 1 ] || STEP=10
	cp -a "$F/root" "$FROM"
	R=$FROM cert issue srv --server --san a.example
	hit cert-rotate rotated cert rotate-ca --now
}

an_authority() {
	if grep -q 'nothing was touched' "$T/out" && [ -e "$R/ca.secret" ]; then
		echo "a key file, and 'nothing was touched'"
		return 1
	fi
	if ! cert show >/dev/null 2>&1; then
		[ "$STATUS" -ne 0 ] && cert_ca || return 1
	fi
	cert issue later >/dev/null && cert_sane
}

@test "cert ca, hit at each call: one authority or none, and then one can be made" {
	FROM=$T/from
	mkdir "$FROM"
	hit cert-ca an_authority cert ca --key-file /ca.secret
}

@test "cert ca: a key file that is there already is synced, it and its directory, before anything is locked with it" {
	FROM=$T/from
	mkdir -p "$FROM/secrets"
	again
	rm -f "$T/log"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert ca --key-file /secrets/ca >/dev/null
	n=$(grep -n ' fsync .*/secrets/\.ca\.tmp$' "$T/log")
	again
	SYSBOXUP_FAULT=die-after:$((${n%%:*} + 2)) run -137 "$SYSBOXUP-faults" --root "$R" -q cert ca --key-file /secrets/ca
	[ -e "$R/secrets/ca" ]	# it has its name, which is not synced
	rm "$T/log"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert ca --key-file /secrets/ca >/dev/null
	awk '/ fsync .*\/secrets\/ca$/ { file = NR } / fsync .*\/secrets$/ { dir = NR } /\/\.new-/ && !new { new = NR }
		END { exit !(file && dir && new && file < new && dir < new) }' "$T/log" || { cat "$T/log"; false; }
}

no_halves() { [ -z "$(find "$1" -maxdepth 1 -name '.e.*')" ] || { echo "something half made lies beside the export"; return 1; }; }

exported() {
	[ "$STATUS" -ne 0 ] || [ -e "$T/e" ] || return 1
	# what is half made has the key in it: the same again takes it away, in whatever form
	if [ ! -e "$T/e" ]; then
		cp -a "$T" "$T.copy"
		cert export second --format kubernetes --out "$T.copy/e" && no_halves "$T.copy" || return 1
		rm -rf "$T.copy"
		cert export second --out "$T/e" || return 1
	fi
	no_halves "$T" || return 1
	cmp "$T/e/key.pem" "$(cert_dir second)/key.pem" && cmp "$T/e/cert.pem" "$(cert_dir second)/cert.pem" || return 1
	[ "$(stat -c %a "$T/e" "$T/e/key.pem" | tr '\n' ' ')" = "700 400 " ]
}

@test "export, hit at each call: the directory is there whole or not at all, and the next one works" {
	hit cert-export exported cert export second --out "$T/e"
	# of a form that is a file
	again
	: >"$T/.e.tmp"
	cert export second --out "$T/e"
	[ ! -e "$T/.e.tmp" ]
}

# unsynced WORD...: cert WORD... on a fresh copy, whose ledger cannot be synced. $T/whole is the ledger with the record, as the disk may
# have it all the same: what takes that away again is not synced either.
unsynced() {
	local n pid rc=0
	again
	rm -f "$T/log"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert "$@" >/dev/null
	n=$(grep -n " fsync .*/ledger$" "$T/log" | head -n 1)
	n=${n%%:*}
	again
	SYSBOXUP_FAULT=fail:$n:EIO,stop-before:$((n + 1)) "$SYSBOXUP-faults" --root "$R" -q cert "$@" >"$T/out" 2>&1 3>&- &
	pid=$!
	until grep -q ') T ' "/proc/$pid/stat"; do sleep 0.01; done
	cp "$R/$PKI_BELOW/ledger" "$T/whole"
	kill -CONT "$pid"
	wait "$pid" || rc=$?
	cat "$T/out"
	[ "$rc" -eq 1 ]
	[[ $(<"$T/out") == "sysboxup: cannot write into the ledger: input/output error"* ]]
}

@test "a ledger that cannot be synced: whether the record is there shows to the next run, which has the ledger synced first" {
	unsynced issue third
	run ! grep -q third "$R/$PKI_BELOW/ledger"
	cp "$T/whole" "$R/$PKI_BELOW/ledger"
	cert_json list | grep -q '"third"'
	cert issue later >/dev/null
	cert_sane
	unsynced issue third
	rm "$T/log"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q cert issue third >/dev/null
	cert_sane
	# the first ones of the ledger and of what waited
	awk '/ fsync .*\/ledger$/ && !s { s = NR } /\/\.new-/ && !n { n = NR } END { exit !(s && n && s < n) }' "$T/log"
	# a first authority that had a record and no files was the end of all verbs
	FROM=$T/from
	mkdir "$FROM"
	unsynced ca --key-file /ca.secret
	cp "$T/whole" "$R/$PKI_BELOW/ledger"
	cert issue first >/dev/null
	cert_sane
}

# ---- an authority whose key is elsewhere ----

# elsewhere: $FROM has authority $AWAY, without its key, and a server of it.
elsewhere() {
	AWAY=$T/away FROM=$T/here
	mkdir "$AWAY" "$FROM"
	R=$AWAY cert_ca
	R=$FROM cert import "$AWAY/$PKI_BELOW/gen/000001/cert.pem"
	R=$FROM cert request srv --server --san a.example --out "$T/srv.csr"
	R=$AWAY cert issue srv --server --request "$T/srv.csr"
}

requested() {
	local waiting=$R/$PKI_BELOW/requests
	if grep -q 'nothing was touched' "$T/out" && [ -e "$waiting/server-c" ]; then
		echo "a key waits, and 'nothing was touched'"
		return 1
	fi
	[ "$STATUS" -ne 0 ] || [ -e "$T/c.csr" ] || return 1
	# what is there is whole; where nothing is, the same again makes it, and takes away what was half made
	[ -e "$T/c.csr" ] || cert request c --server --san a.example --out "$T/c.csr" || return 1
	[ -z "$(find "$T" -maxdepth 1 -name '.c.csr*')" ] || { echo "something half made lies beside the request"; return 1; }
	openssl req -in "$T/c.csr" -noout -pubkey | cmp - <(openssl pkey -in "$waiting/server-c/key.pem" -pubout) || return 1
	[ "$(ls -A "$waiting")" = server-c ] && cert_sane
}

@test "cert request, hit at each call: the key waits or not, and the same again writes the request for it" {
	AWAY=$T/away FROM=$T/here
	mkdir "$AWAY" "$FROM"
	R=$AWAY cert_ca
	R=$FROM cert import "$AWAY/$PKI_BELOW/gen/000001/cert.pem"
	hit cert-request requested cert request c --server --san a.example --out "$T/c.csr"
}

imported() {
	[ "$STATUS" -ne 0 ] || has 1 cert || return 1
	if ! cert list | grep -q srv || [ -e "$R/$PKI_BELOW/requests/server-srv" ]; then
		cert import "$AWAY/$PKI_BELOW/gen/000002/srv/cert.pem" >/dev/null || return 1
	fi
	cert request b --out "$T/b.csr" && rm "$T/b.csr" || return 1
	[ "$(ls "$R/$PKI_BELOW/requests")" = client-b ] && cert_sane
}

@test "cert import of a certificate, hit at each call: it waits still, or is there; and the next import takes it" {
	elsewhere
	hit cert-import imported cert import "$AWAY/$PKI_BELOW/gen/000002/srv/cert.pem"
}

trusted() { openssl verify -CAfile "$R/$PKI_BELOW/trust.pem" "$(cert_dir srv)/cert.pem" >/dev/null; }

begun() {
	cert list >/dev/null && trusted || return 1
	[ "$STATUS" -ne 0 ] || has 2 ca || return 1
	has 2 ca || cert rotate-ca --import "$NEXT/$PKI_BELOW/gen/000001/cert.pem" >/dev/null || return 1
	# it goes on from there: both are trusted, none is dropped
	rm -f "$T/srv2.csr"
	cert request srv --server --san a.example --out "$T/srv2.csr" || return 1
	has 2 'ca|drop' && trusted && cert_sane
}

ended() {
	[ "$STATUS" -ne 0 ] || has 1 drop || return 1
	cert list >/dev/null || return 1
	grep -q '^drop 1$' "$R/$PKI_BELOW/ledger" || cert rotate-ca >/dev/null || return 1
	has 5 'ca|drop|cert' || return 1
	# what was taken over waits no more
	rm -f "$T/srv3.csr"
	cert request srv --server --san a.example --out "$T/srv3.csr" || return 1
	[ "$(ls "$R/$PKI_BELOW/requests")" = server-srv ] && trusted && cert_sane
}

@test "cert rotate-ca of an authority elsewhere, hit at each call of its two phases: the old one and its server, both, or the new one with its own" {
	NEXT=$T/next
	[ "$STEP" -eq 1 ] || STEP=10
	elsewhere
	mkdir "$NEXT"
	R=$NEXT cert_ca
	R=$FROM cert import "$AWAY/$PKI_BELOW/gen/000002/srv/cert.pem"
	hit cert-elsewhere-begun begun cert rotate-ca --import "$NEXT/$PKI_BELOW/gen/000001/cert.pem"
	R=$FROM cert rotate-ca --import "$NEXT/$PKI_BELOW/gen/000001/cert.pem"
	rm -f "$T/srv2.csr"
	R=$FROM cert request srv --server --san a.example --out "$T/srv2.csr"
	R=$NEXT cert issue srv --server --request "$T/srv2.csr"
	R=$FROM cert import "$NEXT/$PKI_BELOW/gen/000002/srv/cert.pem"
	hit cert-elsewhere ended cert rotate-ca
}

# seen MESSAGE SCRIPT: what SCRIPT makes of the authority's directory is said to be wrong so.
seen() {
	rm -rf "$R"
	cp -a "$F/root" "$R"
	(cd "$R/$PKI_BELOW" && eval "$2")
	run -1 cert_sane
	echo "$output"
	[[ $output == *": $1"* ]]
}

@test "negative control: what is not in the ledger, not whole, not the authority's, too open, from the future or left over is seen" {
	R=$T/other
	mkdir "$R"
	cert_ca
	cert issue second
	cert crl
	OTHER=$R/$PKI_BELOW R=$T/root
	cp -a "$F/root" "$R"
	cert_sane
	cert crl
	cp "$R/$PKI_BELOW/crl.pem" "$T/later.pem"
	seen "0 times in record 3 of the ledger: " "sed -i '/^+ 3 /,\$d' ledger"
	seen "1 certificates, the ledger has 2" "rm -r gen/000003"
	seen "list 2, but the ledger knows of 1" "cp '$T/later.pem' crl.pem"
	seen "list 1 is no authority's" "cp '$OTHER/crl.pem' crl.pem"
	seen "no list in " ": >crl.pem"
	seen "left over: " "mkdir gen/.new-000009"
	seen "no certificate: " "truncate -s 100 gen/000003/ci-second/cert.pem"
	seen "not its key: " "cp gen/000002/ci-first/key.pem gen/000003/ci-second/key.pem"
	seen "0 times in record 3 of the ledger: " "cp -T gen/000002/ci-first gen/000003/ci-second -r"
	seen "mode 0444: " "chmod 444 gen/000003/ci-second/key.pem"
	seen "trust.pem has more than the authorities of the ledger" "cat gen/000001/cert.pem >>trust.pem"
	seen "trust.pem is not the authorities of the ledger, from byte 0 on" "cp '$OTHER/trust.pem' trust.pem"
	seen "unable to get local issuer certificate: " "cp '$OTHER/gen/000001/cert.pem' gen/000001/cert.pem; cp '$OTHER/trust.pem' trust.pem"
}
