#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Docker API of a golden image: no key is in the image; each machine that boots it makes its own and opens by them, or stays
# closed and says so.
bats_require_minimum_version 1.5.0

# The guest has this address from the beginning; what is behind it is a network namespace of its own.
ADDRESS=192.0.2.2

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	local build=${SYSBOXUP_BUILD#"$REPO/"}
	make -s -C "$REPO" BUILD="$build" "$build/sysboxup"
	make -s -C "$REPO" BUILD="$build" install DESTDIR="$BATS_FILE_TMPDIR/tree" PREFIX=/usr >/dev/null
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/image.bash"
	G=bakeapi-$BATS_TEST_NUMBER-$$
	UP=$SYSBOXUP_BUILD/sysboxup W=$BATS_TEST_TMPDIR
	profile '{ "listen": ["'$ADDRESS':2376"], "names": ["ci.example.org"] }'
}

teardown() {
	guest_destroy "$G"
	guest_destroy "$G-b"
}

# profile API [CLIENTS [FIREWALL]]
profile() {
	echo "{ \"version\": 1, \"docker\": { \"settings\": { \"live-restore\": true } }, \"api\": $1,
		\"clients\": [ ${2:-{ \"name\": \"runner\", \"ttl\": \"24h\" \}} ], \"firewall\": { \"allow\": [\"${3:-198.51.100.0/24}\"] } }" >"$W/profile.json"
}

# A made tree with the program in it, and a Docker that could start.
tree() {
	image_make "$W/root"
	cp -a "$BATS_FILE_TMPDIR"/tree/. "$W/root"
	touch "$W/root/usr/lib/systemd/systemd" "$W/root"/usr/bin/{nft,dockerd}
	chmod 0755 "$W/root"/usr/bin/{nft,dockerd}
	printf '[Service]\nExecStart=/usr/bin/dockerd -H fd://\n' >"$W/root/usr/lib/systemd/system/docker.service"
}

bake_tree() {
	SOURCE_DATE_EPOCH=1700000000 "$UP" --root "$W/root" --profile "$W/profile.json" "$@"
}

@test "baked: the plan says what is left to the first boot; no key, no address and no table is in the tree, and a seal finds nothing" {
	tree
	run -0 bake_tree apply
	[[ $output == *"warning: api: whoever holds a client certificate is root on this host"* ]] || { echo "$output"; false; }
	[[ $output == *"warning: api: not now: the first boot makes keys of its own and opens $ADDRESS:2376"* ]]
	[[ $output == *"warning: clients: not now: the first boot issues their certificates"* ]]
	[[ $output == *"warning: firewall: not now: the first boot loads it, in front of the API"* ]]
	[[ $output == *"+ /var/lib/sysboxup/first-boot  create"* ]]
	[ ! -e "$W/root/var/lib/sysboxup/pki" ] && [ ! -e "$W/root/etc/sysboxup" ]
	run ! grep -rlE 'tlsverify|PRIVATE KEY|ListenStream=.*2376' "$W/root/etc" "$W/root/var"
	run -0 "$UP" --root "$W/root" seal
	run -0 bake_tree apply
	[[ $output == *"Nothing to do"* ]] || { echo "$output"; false; }
	# nothing else to do is enough of a reason for a first boot
	rm -r "$W/root"
	tree
	sed -i 's/"docker": {[^}]*} },//' "$W/profile.json"
	run -0 bake_tree apply
	[ -e "$W/root/var/lib/sysboxup/first-boot" ]
}

# refused WORDS: and $output is one line, because what to try is broken where it is long.
refused() {
	run -3 bake_tree apply
	output=$(tr -s ' \n' ' ' <<<"$output")
	[[ $output == *"$1"* ]] || { echo "$output"; false; }
	[[ $output == *"host: nothing was touched"* ]]
	[ ! -e "$W/root/var/lib/sysboxup/first-boot" ]
}

@test "what the first boot would refuse is refused when it is baked; so is an authority's key in the image" {
	tree
	profile '{ "listen": ["'$ADDRESS':2376"] }'
	sed -i 's,-H fd://,& -H tcp://127.0.0.1:2375,' "$W/root/usr/lib/systemd/system/docker.service"
	refused "Docker listens on TCP already: 'tcp://127.0.0.1:2375'"
	sed -i 's,tcp://127.0.0.1:2375,unix:///run/other.sock,' "$W/root/usr/lib/systemd/system/docker.service"
	mv "$W/root/usr/bin/nft" "$W"
	refused "there is no nft in this image, which the firewall needs"
	mv "$W/nft" "$W/root/usr/bin/"
	mv "$W/root/usr/bin/sysboxup" "$W"
	refused "sysboxup is not in it for that"
	[[ $output == *"make install DESTDIR=$W/root"* ]] || { echo "$output"; false; }
	mv "$W/sysboxup" "$W/root/usr/bin/"
	profile '{ "listen": ["'$ADDRESS':2376"], "daemon": "dedicated" }'
	refused "a dedicated daemon needs '"
	profile '{ "listen": ["'$ADDRESS':2376"] }' '{ "name": "x", "ttl": "36500d" }'
	run -2 bake_tree apply
	[[ $output == *"clients: the ttl '36500d' of 'x' is no time from 1m to 90d"* ]] || { echo "$output"; false; }
	profile '{ "listen": ["'$ADDRESS':2376"] }'
	"$UP" --root "$W/root" -q cert ca --key-file /etc/ca.secret
	refused "in '$W/root/var/lib/sysboxup/pki': every machine made from this image would have it"
	[[ $output == *"rm -r $W/root/var/lib/sysboxup/pki, if nobody"* ]] || { echo "$output"; false; }
	rm -r "$W/root/var/lib/sysboxup/pki"
	run -0 bake_tree apply
}

# ---- a machine made from it ----

outside() {
	guest_run "$1" sh -ec 'ip netns add ci; ip link add ci0 type veth peer name eth0 netns ci
		ip addr add 198.51.100.1/24 dev ci0; ip link set ci0 up
		ip -n ci addr add 198.51.100.2/24 dev eth0; ip -n ci link set eth0 up; ip -n ci route add default via 198.51.100.1'
}

# ask GUEST SCHEME [CURL-OPTION...]: from there; the HTTP status, or what curl says.
ask() {
	nsenter --net="/proc/$(guest_pid "$1")/root/run/netns/ci" curl -sS -m 120 -o /dev/null -w '%{http_code}' "${@:3}" "$2://$ADDRESS:2376/_ping" 2>&1
}

closed() {
	[ "$(guest_run "$1" systemctl is-active sysboxup-api.socket)" = inactive ]
	run ask "$1" http
	[ "$status" -eq 7 ] # nobody listens
	run ! guest_run "$1" grep -q tls /etc/docker/daemon.json
	guest_run "$1" docker version >/dev/null
}

# What only the holder of a client's key can.
opened() {
	local file
	guest_run "$1" sysboxup -q cert export runner --out /root/runner
	mkdir -p "$W/$1"
	for file in ca cert key; do guest_get "$1" "/root/runner/$file.pem" >"$W/$1/$file.pem"; done
	[ "$(ask "$1" https --cacert "$W/$1/ca.pem" --cert "$W/$1/cert.pem" --key "$W/$1/key.pem")" = 200 ]
	run ! ask "$1" https --cacert "$W/$1/ca.pem"
	[ "$(ask "$1" http)" = 400 ]
	guest_run "$1" nft list table inet sysboxup | grep -q 198.51.100.0/24
}

first_boots() {
	guest_run "$1" sysboxup history --json | jq -r 'select(.event == "transaction" and .command == "first-boot") | .state' | tr '\n' ' '
}

# console GUEST WORDS: what is there now, or comes; nspawn hands it on, and long lines are broken.
console() {
	guest__until "$GUEST_DEADLINE" console_has "$@" || { tail -n 30 "$(guest_dir "$1")/log"; false; }
}

console_has() {
	tr -s ' \r\n' ' ' <"$(guest_dir "$1")/log" | grep -q "$2"
}

@test "booted: a clock before the build, a port that is taken, a loss of power with the socket open: closed, and said; the next boot opens it, by keys that no clone has" {
	local name
	profile '{ "listen": ["0.0.0.0:2376"], "any_address": true }'	# by what each machine is called itself
	guest_exec_root "$G" true
	guest_look "$G" tar -C . --keep-directory-symlink -xf - < <(tar -C "$BATS_FILE_TMPDIR/tree" --owner=0 --group=0 -cf - .)
	run -0 guest_look "$G" env SOURCE_DATE_EPOCH=1700000000 "$UP" --root . --profile "$W/profile.json" apply
	mkdir -p "$(guest_dir "$G-b")/root"
	cp --sparse=always "$(guest_dir "$G")/disk.img" "$(guest_dir "$G-b")/disk.img"
	guest_look "$G-b" rm usr/bin/systemd-creds	# an older systemd has none: what opens the authority's key is in a file then

	guest_look "$G" touch -d '2100-01-01 00:00:00Z' var/lib/sysboxup/first-boot
	guest_reboot "$G"
	outside "$G"
	console "$G" 'sysboxup: the first boot is not completed: no key is made: the clock says .*, and this image was built at 2100-01-01T00:00:00Z'
	console "$G" 'try: set the clock, then: systemctl restart sysboxup-firstboot-late'
	run -7 guest_run "$G" sysboxup status
	[[ $output == *"the first boot of this machine is not completed"* ]] || { echo "$output"; false; }
	[ "$(guest_run "$G" systemctl --failed --plain --no-legend | cut -d' ' -f1)" = sysboxup-firstboot-late.service ]
	closed "$G"
	run ! guest_run "$G" test -e /var/lib/sysboxup/pki

	# Certificates can be made, and somebody else has the port.
	guest_run "$G" sh -c 'touch -d @1700000000 /var/lib/sysboxup/first-boot; mkdir -p /run/systemd/system
		printf "[Socket]\nListenStream='$ADDRESS':2376\n" >/run/systemd/system/squatter.socket
		printf "[Service]\nExecStart=/bin/true\n" >/run/systemd/system/squatter.service
		systemctl daemon-reload; systemctl start squatter.socket'
	run ! guest_run "$G" systemctl restart sysboxup-firstboot-late
	console "$G" "sysboxup: the first boot is not completed: 'sysboxup-api.socket' did not open"
	[ "$(first_boots "$G")" = "failed, undone " ]
	guest_run "$G" systemctl stop squatter.socket
	closed "$G"

	# With the socket open systemd kills all of sysboxup while that waits for Docker, and then the power goes.
	guest_run "$G" sh -c 'mkdir -p /run/systemd/system/docker.service.d
		printf "[Service]\nExecStartPost=/bin/sh -c \"! systemctl is-active -q sysboxup-api.socket || systemctl kill --signal=KILL sysboxup-firstboot-late.service\"\n" >/run/systemd/system/docker.service.d/cut.conf
		systemctl daemon-reload'
	run ! guest_run "$G" systemctl restart sysboxup-firstboot-late
	run -6 guest_run "$G" sysboxup status
	[[ $output == *"(first-boot) was interrupted"* ]] || { echo "$output"; false; }
	guest_run "$G" systemctl is-active sysboxup-api.socket
	guest_run "$G" sync -f /
	guest_kill "$G"

	for name in "$G" "$G-b"; do
		guest_reboot "$name"
		run -0 guest_run "$name" sysboxup status
		[[ $output == *"first-boot, "*": committed"* ]] || { echo "$output"; false; }
		outside "$name"
		opened "$name"
		# serials and digests of keys: of the authority, the server, the client
		guest_get "$name" /var/lib/sysboxup/pki/ledger | grep -oE '\<[0-9a-f]{32,}\>' | sort -u >"$W/ids.$name"
		[ "$(wc -l <"$W/ids.$name")" -ge 6 ]
	done
	[ "$(first_boots "$G")" = "failed, undone failed, undone committed " ]
	[ "$(first_boots "$G-b")" = "committed " ]
	[ -z "$(comm -12 "$W/ids.$G" "$W/ids.$G-b")" ]
	run ! guest_run "$G" test -e /etc/sysboxup/ca.secret
	[ "$(guest_run "$G-b" stat -c '%a %U' /etc/sysboxup/ca.secret)" = '400 root' ]
	guest_run "$G-b" sysboxup -q cert issue another	# opened by it, without a person
	run -7 guest_run "$G-b" sysboxup seal
	[[ $output == *"/etc/sysboxup/ca.secret"* ]] || { echo "$output"; false; }
	run -0 guest_run "$G-b" sysboxup rollback
	closed "$G-b"
}
