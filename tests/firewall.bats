#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Who reaches the port of the Docker API, with hosts as network namespaces around a guest with a real Docker: those that are
# allowed, those that are not, a container, another interface, IPv6; and that no other port is ever concerned.
# GUEST_SUITE=trixie: the same on Debian 13.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	export G=firewall-$$
	reach_setup "$BATS_FILE_TMPDIR"
	snap before
}

setup() {
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	# shellcheck source=tests/lib/points.bash
	. "$REPO/tests/lib/points.bash"
	profile "$SOME"
}

teardown_file() {
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	guest_destroy "$G"
}

# What a test leaves, pass or fail, is taken back: the guest is the file's. One of them edits our file.
teardown() {
	guest_run "$G" sh -c 'touch /root/stop; sysboxup -q recover; sysboxup -q uninstall || sysboxup -q uninstall --force
		rm -rf /etc/sysboxup; nft delete table inet theirs; true' 2>/dev/null
}

# api_alone: the API is open, and no firewall there.
api_alone() {
	profile ''
	up -q apply
	profile "$SOME"
}

@test "applied, only the allowed reach the API, SSH is everybody's; the second run has nothing to do; taken back without a trace" {
	run -0 up plan
	[[ $output == *"/etc/sysboxup/firewall.nft  create"*"+	10.1.0.2"* ]] || { echo "$output"; false; }
	[[ $output == *"table inet sysboxup  loaded as /etc/sysboxup/firewall.nft says"* ]]
	run -0 up apply
	guarded
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]] || { echo "$output"; false; }
	run -0 up verify
	[[ $output == *"ok      firewall-loaded: "*"ok      firewall-saved: "* ]] || { echo "$output"; false; }
	run -0 up status
	run -0 guest_run "$G" sysboxup rollback
	as_before
}

# stream NAME NETNS KNOCK-OPTION...: connections to the API from there until finished; its report is /root/NAME.
stream() {
	guest_run "$G" sh -c 'rm -f /root/stop; name=$1; net=$2; shift 2
		nsenter --net="/run/netns/$net" /root/knock "$@" -s /root/stop '"$ADDRESS"' 2376 >"/root/$name" 2>&1 &' sh "$@"
}

# finished NAME...: the streams end.
finished() {
	guest_run "$G" touch /root/stop
	guest_wait "$G" sh -c 'for f; do grep -q tried "/root/$f" || exit 1; done' sh "$@"
}

@test "while it comes, changes and is loaded again and again, no connection of the allowed is lost; of a stranger none gets in" {
	api_alone
	stream allowed ci -a -f 10.1.0.2 -n 10000 -w 60000
	up -q apply
	stream stranger stranger -c 64 -w 20
	profile '"10.1.0.0/24", "fd01::2", "10.5.0.0/16"'
	up -q apply
	profile "$SOME"
	up -q apply
	guest_run "$G" sh -ec 'i=0; while [ $i -lt 200 ]; do nft -f /etc/sysboxup/firewall.nft; i=$((i + 1)); done'
	finished allowed stranger
	run -0 guest_run "$G" cat /root/allowed
	[[ $output == "tried "*", again 0" ]] || { echo "$output"; false; }
	[[ $output =~ ^tried\ ([0-9]+),\ open\ ([0-9]+), ]]
	[ "${BASH_REMATCH[1]}" -ge 10000 ]
	[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
	run -0 guest_run "$G" cat /root/stranger
	[[ $output == "tried "*", open 0, "* ]] || { echo "$output"; false; }
	# negative control: the stream sees a port that is closed for an instant
	guest_run "$G" systemctl stop sysboxup-firewall-watch
	guest_run "$G" nft 'reset counter inet sysboxup refused'
	stream allowed ci -f 10.1.0.2 -w 300
	guest_run "$G" nft 'flush set inet sysboxup allow4'
	guest_wait "$G" sh -c '! nft list counter inet sysboxup refused | grep -q "packets 0 "'
	guest_run "$G" nft -f /etc/sysboxup/firewall.nft
	finished allowed
	run -0 guest_run "$G" cat /root/allowed
	[[ $output =~ ^tried\ ([0-9]+),\ open\ ([0-9]+),\ again\ ([0-9]+)$ ]]
	[ "${BASH_REMATCH[1]}" -gt "${BASH_REMATCH[2]}" ] || [ "${BASH_REMATCH[3]}" -gt 0 ]
}

# back: the watcher has brought it all back.
back() {
	guest_wait "$G" sysboxup -q --profile /root/profile.json verify --quick
}

@test "without the watcher: restarts of nftables and Docker and a boot bring it back; a flush is drift, named, and apply mends it" {
	up -q apply
	guest_run "$G" sh -ec 'printf "#!/usr/sbin/nft -f\nflush ruleset\n" >/etc/nftables.conf; systemctl stop sysboxup-firewall-watch
		systemctl start nftables; systemctl restart nftables; systemctl restart nftables'
	guest_wait "$G" nft list chain inet sysboxup input
	guest_run "$G" systemctl restart docker
	guard_counts
	guest_run "$G" sh -ec 'nft flush ruleset; systemctl stop sysboxup-firewall-watch'
	run -7 up status
	[[ $output == *"nftables:sysboxup"*"the table inet sysboxup is not loaded"* ]] || { echo "$output"; false; }
	run -7 up verify
	[[ $output == *"firewall-loaded: the table inet sysboxup is not loaded"*"ok      firewall-saved"* ]] || { echo "$output"; false; }
	# the second layer alone: nobody who is not allowed gets past the socket's own filter
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	[ "$(answers)" = "ci 400;stranger 000;" ] || { answers; false; }
	up -q apply
	guest_run "$G" sh -ec 'systemctl stop sysboxup-firewall-watch; nft insert rule inet sysboxup api tcp dport 2376 accept; nft add chain inet sysboxup theirs'
	run -7 up status
	[[ $output == *"chain "*" is not as it was loaded"* ]] || { echo "$output"; false; }
	up -q apply
	run -0 up status
	guest_run "$G" sh -c 'systemctl stop sysboxup-firewall-watch; echo "# mine" >>/etc/sysboxup/firewall.nft'
	run -7 up status
	[[ $output == *"/etc/sysboxup/firewall.nft: changed"* ]] || { echo "$output"; false; }
	[[ $output == *"nftables:sysboxup: '/etc/sysboxup/firewall.nft' is not what was loaded"* ]]
	run -7 up verify
	[[ $output == *"ok      firewall-loaded"*"firewall-saved: '/etc/sysboxup/firewall.nft' is not as the profile wants it"* ]] || { echo "$output"; false; }
	up -q apply
	guest_run "$G" systemctl disable -q --now nftables
	boot_again
	guard_counts
}

# answers: what plain HTTP brings on the API's port, to the allowed and to a stranger; 400 is Docker's, 000 nothing.
answers() {
	local who
	for who in ci stranger; do
		echo "$who $(nsenter --net="/proc/$(guest_pid "$G")/root/run/netns/$who" curl -s --connect-timeout 10 -m 120 -o /dev/null -w '%{http_code}' "http://$ADDRESS:2376/_ping")"
	done | tr '\n' ';'
}

@test "the watcher: whoever flushes, changes or deletes the table, it is back; its own changes and counters are no reason" {
	local deed times
	up -q apply
	guest_run "$G" sh -ec 'printf "#!/usr/sbin/nft -f\nflush ruleset\n" >/etc/nftables.conf'
	for deed in 'nft flush ruleset' 'nft delete table inet sysboxup' 'nft flush set inet sysboxup allow4' 'nft flush chain inet sysboxup api' \
		'nft insert rule inet sysboxup api accept' 'nft add chain inet sysboxup theirs' 'nft -f /etc/nftables.conf' 'systemctl start nftables' \
		'systemctl reload nftables' 'systemctl restart nftables' 'systemctl stop nftables'; do
		guest_run "$G" sh -c "$deed"
		back || { echo "$deed"; false; }
	done
	guarded
	run -0 said_by_watcher
	[[ $output == *"the firewall was changed by somebody else, and is back: the table inet sysboxup is not loaded"* ]] || { echo "$output"; false; }
	[[ $output == *"set allow4: 10.1.0.2 is missing"* ]]
	times=$(grep -c 'is back' <<<"$output")
	guest_run "$G" sh -ec 'nft -f /etc/sysboxup/firewall.nft; nft reset counter inet sysboxup refused >/dev/null
		sysboxup -q firewall allow 10.9.0.2 --for 10m'
	[ "$(said_by_watcher | grep -c 'is back')" = "$times" ]
}

# What the watcher has said so far. It says that the table is back when it is: one that was ended has said all. The next one
# listens to nftables (12, in a group) by then.
said_by_watcher() {
	guest_run "$G" systemctl restart sysboxup-firewall-watch
	guest_wait "$G" awk '$2 == 12 && $4 !~ /^0*$/ { found = 1 } END { exit !found }' /proc/net/netlink
	guest_run "$G" sh -ec 'journalctl --sync; journalctl -q -u sysboxup-firewall-watch -o cat'
}

@test "for a while: one address is let in, over a flush and a boot with the time that is left, and its connections end with it" {
	up -q apply
	run -0 guest_run "$G" sysboxup firewall allow 10.9.0.2 --for 20m --comment 'job 4711'
	[ "$output" = "10.9.0.2 reaches the API for 1200 seconds" ]
	[[ $(matrix 2376 "stranger yes;") == *"second no;"*"stranger yes;stranger-v6 no;"* ]] || { matrix 2376; false; }
	[ "$(answers)" = "ci 400;stranger 400;" ] || { answers; false; }
	guest_run "$G" nft flush ruleset
	back
	[[ $(matrix 2376 "stranger yes;") == *"stranger yes;stranger-v6 no;"* ]] || { matrix 2376; false; }
	run -0 guest_run "$G" sh -c 'sysboxup --json firewall list'
	[[ $output == *'"address":"10.9.0.2","seconds":1200,"left":1'*'"comment":"job 4711"'* ]] || { echo "$output"; false; }
	# a list that gets narrower ends a live connection, and a time that is over does; that of the allowed stays
	hold ci
	profile '"10.1.0.3"'
	up -q apply
	guest_wait "$G" test -e /root/ended.ci
	profile "$SOME"
	up -q apply
	hold ci
	hold stranger
	guest_run "$G" sysboxup -q firewall deny 10.9.0.2
	guest_wait "$G" test -e /root/ended.stranger
	guest_run "$G" sh -c '! test -e /root/ended.ci'
	guest_run "$G" sh -c 'kill $(cat /root/holder.ci)'
	guarded
	run -3 guest_run "$G" sysboxup firewall deny 10.9.0.2
	guest_run "$G" sysboxup -q firewall allow 10.9.0.2 --for 20m
	boot_again
	guest_wait "$G" sh -c 'nft list set inet sysboxup timed4 | grep -q "10.9.0.2 timeout 20m expires 1[0-9]m"'
	[[ $(matrix 2376 "stranger yes;") == *"stranger yes;stranger-v6 no;"* ]] || { matrix 2376; false; }
	run -2 guest_run "$G" sysboxup firewall allow 10.9.0.0/24
	run -2 guest_run "$G" sysboxup firewall allow ci.example.org
	run -2 guest_run "$G" sysboxup firewall allow 10.9.0.2 --comment 'a"b'
	run -2 guest_run "$G" sysboxup firewall allow 10.9.0.2 --for 90d
	guest_run "$G" sysboxup -q firewall allow 10.9.0.2 --for 2s
	guest_wait "$G" sh -c '! nft list set inet sysboxup timed4 | grep -q elements && ! test -e /run/systemd/system/sysboxup-api.socket.d/60-sysboxup-timed.conf'
	guarded
}

# hold NETNS: an open connection to the API from there; /root/ended.NETNS is made when it ends.
hold() {
	guest_run "$G" sh -c 'rm -f /root/ended.$1 /root/held.$1
		nsenter --net=/run/netns/$1 bash -c "exec 3<>/dev/tcp/$2/2376 && echo \$\$ >/root/holder.$1 && touch /root/held.$1
			cat <&3 >/dev/null 2>&1; touch /root/ended.$1" >/dev/null 2>&1 &' sh "$1" "$ADDRESS"
	guest_wait "$G" test -e "/root/held.$1"
}

# The matrix, and that what is refused is counted.
guard_counts() {
	guarded
	guest_run "$G" sh -c '! nft list counter inet sysboxup refused | grep -q "packets 0 "'
}

@test "a list that keeps everybody out is undone by itself when nobody confirms: the one of before is back, saved and loaded" {
	up -q apply
	profile '"203.0.113.0/24"'
	up -q apply --confirm-within 2s
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ]
	guest_wait "$G" test ! -e /var/lib/sysboxup/unfinished
	run -0 guest_run "$G" sysboxup --json history --limit 1
	[[ $output == *'"state":"not confirmed, undone"'* ]] || { echo "$output"; false; }
	guarded
	run -0 up status
}

@test "an nft that fails after its own check: all of it is undone" {
	api_alone
	guest_run "$G" sh -ec 'mkdir -p /root/real; cp /usr/sbin/nft /root/real; printf "%s\n" "#!/bin/sh" \
		"case \$* in -f*) echo \"Error: no room\" >&2; exit 1 ;; esac" "exec /root/real/nft \"\$@\"" >/root/false
		chmod 755 /root/false; mount --bind /root/false /usr/sbin/nft'
	run up apply
	guest_run "$G" umount /usr/sbin/nft
	[ "$status" -eq 1 ]
	[[ $output == *"nft cannot load the firewall's table: Error: no room"* ]] || { echo "$output"; false; }
	[ "$(matrix 2376 "$EVERYBODY")" = "$EVERYBODY" ]
	run guest_run "$G" test -e /etc/sysboxup/firewall.nft
	[ "$status" -eq 1 ]
}

@test "where another firewall drops, or there is no nft, it is refused with the line to add; with that line it works" {
	guest_run "$G" sh -ec 'nft -f - <<-EOF
		table inet theirs {
			chain input {
				type filter hook input priority 0; policy drop;
				iifname "lo" accept
				meta l4proto { icmp, icmpv6 } accept
				tcp dport 22 accept
			}
		}
	EOF'
	refused "nothing in 'inet theirs input' accepts port 2376" "nft insert rule inet theirs input ip saddr 10.1.0.2 tcp dport 2376 accept"
	profile '"10.1.0.2"' ', "backend": "iptables"'
	refused "nothing in 'inet theirs input' accepts port 2376" "nft insert rule inet theirs input ip saddr 10.1.0.2 tcp dport 2376 accept"
	profile "$SOME"
	guest_run "$G" nft 'insert rule inet theirs input tcp dport 2376 accept'
	up -q apply
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	up -q rollback
	guest_run "$G" nft delete table inet theirs
	guest_run "$G" mount --bind /dev/null /usr/sbin/nft
	run up apply
	guest_run "$G" umount /usr/sbin/nft
	[ "$status" -eq 3 ]
	[[ $output == *"there is no nft on this host"*"install the package nftables"* ]] || { echo "$output"; false; }
}

# killed_all_the_way POINTS CHECK: apply of /root/profile.json is killed before that many of its calls, spread over all of them
# (`make check-firewall`: before each); after each the host next door still reaches SSH, and recover leaves what CHECK wants: or,
# behind the commit and from there on, what the profile wants. Counted in TRIED.
killed_all_the_way() {
	local n total i count=$1 committed=0
	total=$(guest_run "$G" sh -c 'rm -f /root/calls; SYSBOXUP_FAULT=log:/root/calls /root/faults -q --profile /root/profile.json apply && wc -l </root/calls')
	guest_run "$G" sysboxup -q rollback
	[ "$total" -gt 50 ]
	[ -z "${SYSBOXUP_EVERY:-}" ] || count=$((total - 1))
	for ((i = 1; i <= count; i++)); do
		n=$((total * i / (count + 1)))
		run guest_run "$G" env SYSBOXUP_FAULT="die-before:$n" SYSBOXUP_FAULT_ALONE=1 /root/faults -q --profile /root/profile.json apply
		# one call more or less is made where a change of another's comes in between: then this was behind the last
		[ "$status" -eq 137 ] || { [ "$status" -eq 0 ] && [ "$n" -gt $((total - 10)) ]; } || { echo "$n of $total: $status $output"; false; }
		guest_run "$G" nsenter --net=/run/netns/stranger /root/knock -w 60000 "$ADDRESS" 22
		guest_run "$G" sysboxup -q recover
		if [ "$(guest_run "$G" sysboxup --json history --limit 1 | jq -r 'select(.event == "transaction") | "\(.command), \(.state)"')" = "apply, committed" ]; then
			[ "$committed" -gt 0 ] || committed=$n
			guest_run "$G" sysboxup -q --profile /root/profile.json verify --quick
			guest_run "$G" sysboxup -q rollback
		else
			[ "$committed" -eq 0 ] || [ "$n" -lt $((committed + 10)) ] || { echo "undone at $n of $total, committed at $committed"; false; }
		fi
		$2 || { echo "after $n of $total"; false; }
		guest_run "$G" sysboxup -q status
		TRIED=$((TRIED + 1))
	done
	[ "$committed" -gt 0 ] || [ "$count" -lt "$((total - 1))" ]
}

none_there() {
	run guest_run "$G" sh -c 'test -e /etc/sysboxup/firewall.nft || nft list table inet sysboxup || systemctl -q is-active sysboxup-firewall'
	[ "$status" -ne 0 ]
}

first_list() {
	guest_run "$G" sysboxup -q --profile /root/first.json verify --quick
}

@test "a narrower list that nobody confirms goes, and the one of before is loaded again" {
	up -q apply
	guest_run "$G" cp /root/profile.json /root/first.json
	profile '"10.1.0.3"'
	up -q apply --confirm-within 40s
	[[ $(matrix 2376 'ci-3 yes;') == *"ci-2 no;ci-3 yes;"* ]] || { matrix 2376; false; }
	guest_wait "$G" sysboxup -q --profile /root/first.json verify --quick
	guarded
}

@test "it leaves the profile: the next apply takes it back, the API stays open; a rollback of that guards it again" {
	up -q apply
	profile ''
	run -0 up apply
	[ "$(matrix 2376 "$EVERYBODY")" = "$EVERYBODY" ] || { matrix 2376; false; }
	none_there
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]] || { echo "$output"; false; }
	run -0 guest_run "$G" sysboxup rollback
	guarded
	run -0 guest_run "$G" sysboxup status
}

@test "a daemon of its own for CI, in a network namespace of its own, is guarded where it listens" {
	echo "{ \"version\": 1, \"api\": { \"listen\": [\"$ADDRESS:2376\", \"[$ADDRESS6]:2376\"], \"daemon\": \"dedicated\" },
		\"firewall\": { \"allow\": [ \"10.1.0.2\", \"fd01::2\", \"fd0a::/64\" ] } }" | guest_run "$G" sh -c 'cat >/root/profile.json'
	up -q apply
	guarded
	guest_run "$G" systemctl restart docker-ci
	guarded
	run -0 up status
	# the second layer alone: its socket's own filter
	guest_run "$G" sh -ec 'systemctl stop sysboxup-firewall-watch; nft delete table inet sysboxup'
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	# without that too, who came in while the table was gone is cut, and the allowed stays
	guest_run "$G" sh -ec 'rm /etc/systemd/system/docker-ci.socket.d/50-sysboxup-firewall.conf; systemctl daemon-reload'
	hold ci
	hold stranger
	guest_run "$G" systemctl start sysboxup-firewall-watch
	guest_wait "$G" test -e /root/ended.stranger
	guest_run "$G" sh -ec '! test -e /root/ended.ci; kill $(cat /root/holder.ci)'
	guarded
}

@test "a Docker that writes no rules of its own: guarded all the same" {
	guest_run "$G" sed -i 's/"live-restore": true/&, "iptables": false/' /root/profile.json
	up -q apply --allow-restart
	guest_run "$G" sh -ec 'for table in nat filter; do iptables -t $table -F; iptables -t $table -X; done; iptables -P FORWARD ACCEPT; systemctl restart docker'
	run guest_run "$G" sh -c 'iptables-save | grep -i docker'
	[ "$status" -eq 1 ] || { echo "$output"; false; }
	guarded
	run -0 up status
	up -q rollback --allow-restart
	guest_run "$G" sh -ec 'systemctl restart docker; docker start box >/dev/null; iptables-save | grep -q DOCKER'
}

@test "backend nftables beside ufw, the real one, and iptables-legacy: refused with their own line; with it the API is open to the allowed alone, over a reload" {
	api_alone
	profile "$SOME" ', "backend": "nftables"'
	guest_run "$G" sh -ec 'apt-get -qq -y install ufw >/dev/null 2>&1; ufw allow 22/tcp >/dev/null; ufw --force enable >/dev/null'
	refused "nothing in 'ip filter INPUT' accepts port 2376" 'ufw allow proto tcp from 10.1.0.2 to any port 2376'
	[[ $output == *"another firewall (ufw) drops"* ]]
	guest_run "$G" sh -ec 'ufw allow proto tcp from 10.1.0.2 to any port 2376 >/dev/null'
	refused "nothing in 'ip6 filter INPUT' accepts port 2376" 'ufw allow proto tcp from fd01::2 to any port 2376'
	guest_run "$G" sh -ec 'for from in fd01::2 fd0a::/64; do ufw allow proto tcp from $from to any port 2376 >/dev/null; done'
	up -q apply
	guarded
	guest_run "$G" ufw reload
	guarded
	# ours goes, theirs stays; without ours ufw alone is in charge, and knows the bridge no better than before
	up -q rollback
	run -0 guest_run "$G" ufw status
	[[ $output == *"2376/tcp "*"ALLOW "*"10.1.0.2"* ]]
	guest_run "$G" sh -ec 'ufw --force disable >/dev/null; apt-get -qq -y purge ufw >/dev/null 2>&1; rm -rf /etc/ufw'
	guest_run "$G" sh -ec 'iptables -F; iptables -P INPUT ACCEPT; ip6tables -F; ip6tables -P INPUT ACCEPT; systemctl restart docker
		iptables-legacy -A INPUT -i lo -j ACCEPT; iptables-legacy -A INPUT -p tcp --dport 22 -j ACCEPT; iptables-legacy -P INPUT DROP'
	refused "nothing in 'iptables-legacy INPUT' accepts port 2376" 'iptables-legacy -I INPUT -s 10.1.0.2 -p tcp --dport 2376 -j ACCEPT'
	guest_run "$G" iptables-legacy -I INPUT -s 10.1.0.2 -p tcp --dport 2376 -j ACCEPT
	up -q apply
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	guest_run "$G" sh -ec 'iptables-legacy -P INPUT ACCEPT; iptables-legacy -F INPUT'
}

@test "killed at calls all the way, when it comes and when it changes: recover brings back what was, and SSH is never concerned" {
	make -s -C "$REPO" BUILD="${SYSBOXUP_BUILD#"$REPO/"}" "${SYSBOXUP_BUILD#"$REPO/"}/sysboxup-faults"
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup-faults" /root/faults
	TRIED=0
	api_alone
	killed_all_the_way 5 none_there
	[ "$(matrix 2376 "$EVERYBODY")" = "$EVERYBODY" ]
	up -q apply
	guest_run "$G" cp /root/profile.json /root/first.json
	profile '"10.1.0.3"'
	killed_all_the_way 5 first_list
	guarded
	points firewall "$TRIED"
}

# hit_timed FAULT BEGIN VERB ARG...: `firewall VERB` is hit by each FAULT (N: at each call) while 10.9.0.2 is let in for BEGIN (0: not
# at all). It is in no longer than the list says then; and the same again ends it.
hit_timed() {
	run -0 guest_run "$G" bash -c '
		fault=$1 begin=$2
		shift 2
		number() { local n; n=$(grep -o "$1" | grep -o "[0-9]*$"); echo "${n:-0}"; }
		loaded() { nft -j list set inet sysboxup timed4 | number "\"val\": \"10.9.0.2\"[^}]*\"expires\": [0-9]*"; }
		listed() { sysboxup --json firewall list | number "\"address\":\"10.9.0.2\".*\"left\":[0-9]*"; }
		filtered() { systemctl show -P IPAddressAllow sysboxup-api.socket | grep -q 10.9.0.2; }	# as systemd has read it
		again() {
			sysboxup -q firewall deny 10.9.0.2
			[ "$begin" = 0 ] || sysboxup -q firewall allow 10.9.0.2 --for "$begin"
		} 2>/dev/null
		sysboxup -q firewall allow 10.9.0.2	# whose directory under /run is made once
		again
		rm -f /root/calls
		SYSBOXUP_FAULT=log:/root/calls /root/faults -q firewall "$@"
		total=$(wc -l </root/calls)
		for ((n = 1; n <= total; n++)); do
			again
			SYSBOXUP_FAULT=${fault/N/$n} SYSBOXUP_FAULT_ALONE=1 /root/faults -q firewall "$@" >/root/said 2>&1
			rc=$?
			[[ $fault:$rc =~ ^(die.*:137|fail.*:[01])$ ]] || { echo "$fault at $n of $total: exit $rc"; cat /root/said; exit 1; }
			[ "$(loaded)" -le $(($(listed) + 1)) ] || { echo "$fault at $n of $total: in for $(loaded) s, listed for $(listed)"; exit 1; }
			sysboxup -q firewall "$@"
			rc=$?
			case $1:$rc:$(loaded):$(listed) in
			deny:[03]:0:0) ! filtered ;;
			allow:0:[1-9]*:[1-9]*) filtered ;;
			*) false ;;
			esac || { echo "$fault at $n of $total, and again: exit $rc, in for $(loaded) s, listed for $(listed)"; exit 1; }
		done
		echo "tried $total"' bash "$@" || { echo "$output"; false; }
	[[ ${lines[-1]} =~ ^tried\ ([0-9]+)$ ]] || { echo "$output"; false; }
	TRIED=$((TRIED + BASH_REMATCH[1]))
}

@test "allow and deny, killed and failed at each call: nobody is in for longer than the list says, and the same again ends it" {
	make -s -C "$REPO" BUILD="${SYSBOXUP_BUILD#"$REPO/"}" "${SYSBOXUP_BUILD#"$REPO/"}/sysboxup-faults"
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup-faults" /root/faults
	TRIED=0
	up -q apply
	hit_timed die-before:N 0 allow 10.9.0.2 --for 20m
	hit_timed die-before:N 20m allow 10.9.0.2 --for 5m
	hit_timed die-before:N 20m deny 10.9.0.2
	hit_timed fail:N:EIO 20m deny 10.9.0.2
	guarded
	# the firewall outlives forget, which takes away the directory of its lock
	guest_run "$G" sh -c 'mv /var/lib/sysboxup /root/state; nft flush ruleset'
	guest_wait "$G" nft list table inet sysboxup
	guest_run "$G" sh -c 'rmdir /var/lib/sysboxup; mv /root/state /var/lib/sysboxup'
	# of a table that is not there nobody has to be taken out
	guest_run "$G" sh -ec 'sysboxup -q firewall allow 10.9.0.2; systemctl stop sysboxup-firewall-watch; nft delete table inet sysboxup
		sysboxup -q firewall deny 10.9.0.2; systemctl start sysboxup-firewall-watch'
	run -0 guest_run "$G" sysboxup firewall list
	[ "$output" = "Nobody is let in for a while." ]
	guest_wait "$G" nft list table inet sysboxup
	guarded
	points verb-firewall "$TRIED"
}
