#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# sysboxup cert on a host with systemd: the authority's key by systemd-creds, and the units that renew what is due.
bats_require_minimum_version 1.5.0

load_libs() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$BATS_TEST_DIRNAME/lib/install.bash"
	export BUILD=${SYSBOXUP_BUILD:-$BATS_TEST_DIRNAME/../build}
}

setup_file() {
	export GUEST_DOCKER=--iptables=false
	load_libs
	make -s -C "$BATS_TEST_DIRNAME/.." BUILD="$BUILD" "$BUILD/sysboxup"
	install_prepare "$BATS_FILE_TMPDIR"
	guest_boot certs
	install_into certs "$BATS_FILE_TMPDIR"
	guest_run certs systemctl daemon-reload
}

setup() {
	load_libs
	guest_run certs rm -rf /var/lib/sysboxup/pki
	guest_run certs systemctl stop sysboxup-cert.path sysboxup-cert.timer
	guest_run certs systemctl reset-failed
}

teardown_file() {
	load_libs
	guest_destroy certs
	guest_destroy others 2>/dev/null || :
}

number() {
	guest_run certs sh -c 'sysboxup --json cert show' | sed -n 's/.*"crl_number":\([0-9]*\).*/\1/p'
}

# Waits for systemd to have taken note; the deadline is the test's own.
until_active() {
	until [ "$(guest_run certs systemctl is-active "$1")" = active ]; do :; done
}

@test "the timer runs from the moment that there is an authority, and writes the list once" {
	[ "$(guest_run certs systemctl show -P WantedBy sysboxup-cert.path)" = paths.target ]
	guest_run certs systemctl start sysboxup-cert.path
	[ "$(guest_run certs systemctl is-active sysboxup-cert.timer)" = inactive ]
	guest_run certs sysboxup -q cert ca --systemd-creds
	until_active sysboxup-cert.timer
	guest_run certs sysboxup -q cert issue runner --ttl 1h --auto-renew
	guest_run certs systemctl start sysboxup-cert.service
	[ "$(number)" -eq 1 ]
	guest_run certs systemctl start sysboxup-cert.service
	[ "$(number)" -eq 1 ]
	[ "$(guest_run certs sysboxup -q cert list | grep -c ci-runner)" -eq 1 ]
}

@test "systemd-creds opens the authority's key on this host alone" {
	guest_run certs sysboxup -q cert ca --systemd-creds
	guest_run certs sysboxup -q cert issue a
	guest_run certs mv /var/lib/systemd/credential.secret /var/lib/systemd/kept
	run guest_run certs sysboxup -q cert issue b
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "sysboxup: 'systemd-creds decrypt --name=sysboxup-ca - -' failed: "* ]]
	[[ $output == *"host: nothing was touched"* ]]
	guest_run certs mv /var/lib/systemd/kept /var/lib/systemd/credential.secret
	guest_run certs sysboxup -q cert issue b
	# what opened the old authority opens the new one, and the timer's unit ends what is over by then
	guest_run certs sysboxup -q cert rotate-ca
	guest_run certs sh -c 'cmp /var/lib/sysboxup/pki/gen/000001/secret.cred /var/lib/sysboxup/pki/gen/000004/secret.cred'
	guest_run certs sysboxup -q cert revoke a b
	guest_run certs systemctl start sysboxup-cert.service
	run -0 guest_run certs sysboxup cert list --all
	[[ $output != *"two authorities"* ]]
	[ "$(guest_run certs grep -c BEGIN /var/lib/sysboxup/pki/trust.pem)" -eq 1 ]
	guest_run certs sysboxup -q cert issue c
}

@test "what is due of an authority that only a person opens fails the unit, and says why in the journal" {
	guest_run certs sh -c 'echo secret | sysboxup -q cert ca --passphrase-fd 0'
	run guest_run certs systemctl start sysboxup-cert.service
	[ "$status" -ne 0 ]
	run -0 guest_run certs sh -c 'journalctl --sync; journalctl -q -b -u sysboxup-cert.service -o cat'
	[[ $output == *"sysboxup: the authority's key needs a passphrase, and there is no terminal to ask at"* ]]
	guest_run certs sh -c 'echo secret | sysboxup -q cert crl --passphrase-fd 0'
	guest_run certs systemctl start sysboxup-cert.service
}

@test "without an authority the service is not started" {
	guest_run certs systemctl start sysboxup-cert.service
	[ "$(guest_run certs systemctl show -P ConditionResult sysboxup-cert.service)" = no ]
	guest_run certs test ! -e /var/lib/sysboxup/pki
}

@test "with the OpenSSL of the other Debian: made, read again, revoked, and judged by openssl there" {
	local other=trixie algorithm
	[ "$(. /etc/os-release && echo "$VERSION_CODENAME")" != trixie ] || other=bookworm
	guest_boot others "$other"
	install_into others "$BATS_FILE_TMPDIR"
	for algorithm in p256 rsa3072 ed25519; do
		guest_run others rm -rf /var/lib/sysboxup/pki /root/e
		guest_run others sh -c "echo secret | sysboxup -q cert ca --passphrase-fd 0 --permit example.org --algorithm $algorithm"
		guest_run others sh -c "echo secret | sysboxup -q cert issue srv --server --san a.example.org --passphrase-fd 0 --algorithm $algorithm"
		guest_run others sh -c "echo secret | sysboxup -q cert issue runner --passphrase-fd 0 --algorithm $algorithm"
		guest_run others sh -c "echo secret | sysboxup -q cert revoke runner --passphrase-fd 0"
		guest_run others sysboxup -q cert export srv --out /root/e
		guest_run others openssl verify -x509_strict -purpose sslserver -verify_hostname a.example.org -crl_check \
			-CRLfile /var/lib/sysboxup/pki/crl.pem -CAfile /root/e/ca.pem /root/e/cert.pem
		run guest_run others openssl verify -x509_strict -crl_check -CRLfile /var/lib/sysboxup/pki/crl.pem -CAfile /root/e/ca.pem \
			/var/lib/sysboxup/pki/gen/000003/ci-runner/cert.pem
		[[ $output == *"certificate revoked"* ]]
	done
	run guest_run others sh -c 'echo wrong | sysboxup -q cert issue b --passphrase-fd 0'
	[ "$status" -eq 3 ]
	[[ ${lines[0]} == *"the secret is the wrong one, or the file is damaged" ]]
}
