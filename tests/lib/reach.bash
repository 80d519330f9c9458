# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Who reaches a guest: hosts around it as network namespaces, and the question whether a port is open, asked by all of them at
# once with tests/tools/knock.c. The guest is $G; REPO and SYSBOXUP_BUILD are set.
#
#   reach_setup DIR [VERSION...]   boots $G with sysboxup (install.bash) and knock, the hosts, an authority and a
#                                  certificate for the API, and a container
#   profile ALLOW [MORE]           /root/profile.json: ALLOW may reach the API (SOME: those of ALLOWED); "": no firewall
#   up ARG...                      sysboxup with that profile
#   matrix PORT [WANTED]           "who yes" or "who no" for each, sorted; EVERYBODY and ALLOWED are what it says then
#   guarded                        the API is open to the allowed alone, SSH to everybody
#   snap NAME [OPTION...]          the host as a snapshot (guest_snap)
#   as_before [OPTION...]          it is as in snapshot "before", and has no table of ours
#   refused WHAT REMEDY            apply refuses with these words, and nothing was touched
#   boot_again                     an orderly reboot, with the hosts around it again

# shellcheck source=tests/guest/guest.bash
. "$REPO/tests/guest/guest.bash"
# shellcheck source=tests/lib/install.bash
. "$REPO/tests/lib/install.bash"

ADDRESS=192.0.2.2
ADDRESS6=fd00::1
# shellcheck disable=SC2034 # who sources this uses it
SOME='"10.1.0.2", "fd01::2", "fd0a::/64"'

reach_setup() {
	local dir=$1 build=${SYSBOXUP_BUILD#"$REPO/"}
	make -s -C "$REPO" BUILD="$build" "$build/sysboxup" "$build/tools/hostdiff" "$build/tools/knock"
	BUILD=$build install_prepare "$dir" 0.7.0
	guest_boot "$G" "${GUEST_SUITE:-bookworm}"
	install_into "$G" "$dir"
	guest_put "$G" "$SYSBOXUP_BUILD/tools/knock" /root/knock
	hosts
	guest_run "$G" sh -ec 'sysboxup -q cert ca --key-file /root/ca.secret
		sysboxup -q cert issue api --server --san '"$ADDRESS"' --san '"$ADDRESS6"
	box
}

# The hosts around: ci with an allowed and another address, a stranger, one with IPv6 only, one behind an interface of its own.
# An SSH server is a listener on port 22, which systemd opens.
hosts() {
	guest_run "$G" sh -ec '
		host() {
			ip netns add "$1"; ip link add "$1" type veth peer name eth0 netns "$1"
			ip link set "$1" up; ip -n "$1" link set eth0 up; ip -n "$1" link set lo up
		}
		four() { ip addr add "$2.1/24" dev "$1"; ip -n "$1" addr add "$2.2/24" dev eth0; ip -n "$1" addr add "$2.3/24" dev eth0
			ip -n "$1" route add default via "$2.1"; }
		six() { ip addr add "$2::1/64" dev "$1" nodad; ip -n "$1" addr add "$2::2/64" dev eth0 nodad; ip -n "$1" -6 route add default via "$2::1"; }
		ip addr add '"$ADDRESS6"'/64 dev uplink0 nodad
		host ci; four ci 10.1.0; six ci fd01
		host stranger; four stranger 10.9.0; six stranger fd09
		host six; six six fd0a
		host second; four second 10.7.0
		mkdir -p /run/systemd/system
		printf "[Socket]\nListenStream=22\nAccept=yes\n" >/run/systemd/system/door.socket
		printf "[Service]\nExecStart=/bin/true\n" >/run/systemd/system/door@.service
		systemctl daemon-reload; systemctl start door.socket'
}

boot_again() {
	guest_run "$G" docker rm -f box >/dev/null
	guest_reboot "$G"
	hosts
	box
}

# A container on the bridge that Docker made.
box() {
	guest_run "$G" docker run -d --name box bb:1 sleep 100000 >/dev/null
}

# profile ALLOW [MORE [LISTEN]]: what is wanted; ALLOW "": no firewall.
profile() {
	local firewall=
	[ -z "$1" ] || firewall=", \"firewall\": { \"allow\": [ $1 ] ${2:-} }"
	echo "{ \"version\": 1, \"docker\": { \"settings\": { \"live-restore\": true } },
		\"api\": { \"listen\": [\"$ADDRESS:2376\", \"[$ADDRESS6]:2376\"] } $firewall }" |
		guest_run "$G" sh -c 'cat >/root/profile.json'
}

up() {
	guest_run "$G" sysboxup --profile /root/profile.json "$@"
}

snap() {
	guest_snap "$G" --skip /var/lib/sysboxup --skip /root --skip /run "${@:2}" >"$BATS_FILE_TMPDIR/$1"
}

as_before() {
	snap after "$@"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_FILE_TMPDIR/before" "$BATS_FILE_TMPDIR/after"
	run guest_run "$G" nft list table inet sysboxup
	[ "$status" -eq 1 ]
}

# matrix PORT [WANTED]: everybody asks at once; "who: yes" or "who: no" a line, sorted. Who is to be refused waits for a moment only,
# who is to get in for as long as a busy machine takes.
matrix() {
	guest_run "$G" sh -c '
		at() {
			who=$1; net=$2; shift 2; wait=700
			case $wanted in *"$who yes;"*) wait=60000 ;; esac
			(said=$(nsenter --net="$net" /root/knock -w $wait "$@" 2>&1)
			case $said in *"open 1"*) echo "$who yes" ;; *"open 0"*) echo "$who no" ;; *) echo "$who $said" ;; esac) &
		}
		n=/run/netns; port=$1; wanted=$2
		box=/proc/$(docker inspect -f "{{.State.Pid}}" box)/ns/net
		at ci-2 $n/ci -f 10.1.0.2 '"$ADDRESS"' $port; at ci-3 $n/ci -f 10.1.0.3 '"$ADDRESS"' $port; at ci-v6 $n/ci '"$ADDRESS6"' $port
		at stranger $n/stranger '"$ADDRESS"' $port; at stranger-v6 $n/stranger '"$ADDRESS6"' $port
		at six $n/six '"$ADDRESS6"' $port; at second $n/second '"$ADDRESS"' $port; at box "$box" '"$ADDRESS"' $port
		at self /proc/1/ns/net '"$ADDRESS"' $port; at self-v6 /proc/1/ns/net '"$ADDRESS6"' $port
		wait' sh "$1" "${2:-}" | sort | tr '\n' ';'
}

EVERYBODY='box yes;ci-2 yes;ci-3 yes;ci-v6 yes;second yes;self yes;self-v6 yes;six yes;stranger yes;stranger-v6 yes;'
ALLOWED='box no;ci-2 yes;ci-3 no;ci-v6 yes;second no;self yes;self-v6 yes;six yes;stranger no;stranger-v6 no;'

guarded() {
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ] || { matrix 22; false; }
}

refused() {
	run -3 up apply
	[[ $output == *"$1"*"$2"* ]] || { echo "$output"; false; }
	[[ $output == *"host: nothing was touched"* ]]
}
