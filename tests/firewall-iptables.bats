#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Under rules of the operator's own in iptables, the real one, of both variants, whose INPUT drops: nobody but the allowed gets through
# by our table, and the allowed get through iptables by a chain of ours. The hosts around are those of firewall.bats.
# What a boot loads is loaded by a stand-in for netfilter-persistent. GUEST_SUITE=trixie: the same on Debian 13.
bats_require_minimum_version 1.5.0

# What a boot writes.
OTHERS=(--skip /var/log --skip /var/tmp --skip /tmp)

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	export G=iptables-$$
	reach_setup "$BATS_FILE_TMPDIR"
	guest_run "$G" sh -ec '
		mkdir /etc/iptables
		rules() { printf "%s\n" "# of mine" "*filter" ":INPUT DROP [0:0]" ":FORWARD ACCEPT [0:0]" ":OUTPUT ACCEPT [0:0]" "# local" "-A INPUT -i lo -j ACCEPT" \
			"-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" "-A INPUT -p $1 -j ACCEPT" "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT" COMMIT; }
		rules icmp >/etc/iptables/rules.v4; rules ipv6-icmp >/etc/iptables/rules.v6
		printf "[Unit]\nDefaultDependencies=no\nBefore=network-pre.target docker.service\nWants=network-pre.target\nConditionPathExists=/etc/iptables\n
			[Service]\nType=oneshot\nExecStart=iptables-restore /etc/iptables/rules.v4\nExecStart=ip6tables-restore /etc/iptables/rules.v6\n
			[Install]\nWantedBy=multi-user.target\n" >/etc/systemd/system/netfilter-persistent.service
		systemctl -q enable netfilter-persistent; cp -a /etc/iptables /root/iptables'
	profile ''
	up -q apply
	theirs
	snap before "${OTHERS[@]}"
}

setup() {
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	profile "$SOME"
}

teardown_file() {
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	guest_destroy "$G"
}

# What a test leaves, pass or fail: the API open and no firewall of ours, iptables as it was set up.
teardown() {
	guest_run "$G" sh -c 'for tool in /usr/sbin/*.real; do [ ! -e "$tool" ] || mv "$tool" "${tool%.real}"; done'
	profile ''
	guest_run "$G" sh -c 'sysboxup -q recover; sysboxup -q --profile /root/profile.json apply' 2>/dev/null || :
	theirs
}

# The rules of the operator, saved and loaded, and nothing else in INPUT.
theirs() {
	guest_run "$G" sh -ec 'rm -rf /etc/iptables; cp -a /root/iptables /etc/
		for tool in iptables ip6tables; do
			if grep -q filter /proc/net/$(echo $tool | sed s/tables/_tables/)_names; then $tool-legacy -P INPUT ACCEPT; $tool-legacy -F INPUT; fi
			$tool-nft -F INPUT
		done
		iptables-nft-restore -n /etc/iptables/rules.v4; ip6tables-nft-restore -n /etc/iptables/rules.v6'
}

CLOSED='box no;ci-2 no;ci-3 no;ci-v6 no;second no;self yes;self-v6 yes;six no;stranger no;stranger-v6 no;'

# All that both variants have, without what they count; and the tables that are there.
tables() {
	guest_run "$G" sh -ec 'for tool in iptables ip6tables; do $tool-nft-save; $tool-legacy-save; done 2>/dev/null | sed "/^#/d; s/\[.*\]//"
		nft list tables; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names'
}

# What is not Docker's, whose tables and chains stand in another order after a boot; nor an empty table of the legacy kind.
input() {
	guest_run "$G" sh -ec 'for tool in iptables ip6tables; do $tool-nft-save -t filter; $tool-legacy-save; done 2>/dev/null | sed -n "s/ \[.*\]//; /^:INPUT ACCEPT/d; /INPUT\|SYSBOXUP/p"'
}

# untouched ASK WAS: as before in files and, asked by `tables` or `input`, in what runs, and to everybody around.
untouched() {
	as_before "${OTHERS[@]}"
	diff <(echo "$2") <("$1")
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ] || { matrix 2376; false; }
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ] || { matrix 22; false; }
}

# ours SAVE: whom our chain lets in by what this says, one a line.
ours() {
	guest_run "$G" sh -c "$1" | sed -n 's/^-A SYSBOXUP \(-[si] \)\?\([^ ]*\) .*/\2/p'
}

nothing_to_do() {
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]] || { echo "$output"; false; }
}

JUMP='-A INPUT -p tcp -m comment --comment "sysboxup: Docker API" -j SYSBOXUP'

@test "iptables: a chain of our own lets the allowed through, over a change, a Docker restart and a boot; what others add stays, ours goes byte for byte" {
	local was input
	was=$(tables)
	input=$(input)
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ] || { matrix 2376; false; }
	# as on RHEL 8: known by its plain name alone
	guest_run "$G" sh -ec 'cd /usr/sbin; for tool in ip*tables-nft-* ip*tables-save ip*tables-restore; do mv -n $tool $tool.real; done
		for tool in iptables ip6tables; do ln -s xtables-nft-multi $tool-save; ln -s xtables-nft-multi $tool-restore; done'
	run -0 up plan
	guest_run "$G" sh -ec 'for tool in /usr/sbin/*.real; do mv $tool ${tool%.real}; done'
	[[ $output == *"iptables  allow 10.1.0.2 to port 2376"*"iptables  allow fd0a::/64 to port 2376"* ]] || { echo "$output"; false; }
	up -q apply
	guarded
	[ "$(ours iptables-nft-save)" = 10.1.0.2/32 ]
	[ "$(ours ip6tables-nft-save)" = $'fd01::2/128\nfd0a::/64' ]
	[ "$(ours 'cat /etc/iptables/rules.v4')" = 10.1.0.2/32 ]
	[ "$(ours 'cat /etc/iptables/rules.v6')" = $'fd01::2/128\nfd0a::/64' ]
	[ "$(guest_run "$G" iptables-nft-save -t filter | grep -m1 '^-A INPUT')" = "$JUMP" ]
	nothing_to_do
	run -0 up verify
	[[ $output == *"ok      firewall-open: iptables lets through whom the profile allows"* ]] || { echo "$output"; false; }
	guest_run "$G" sysboxup -q rollback
	untouched tables "$was"
	up -q apply
	guest_run "$G" systemctl restart docker
	guest_run "$G" docker start box >/dev/null
	guarded
	profile '"10.1.0.2", "fd01::2"'
	up -q apply
	[ "$(ours ip6tables-nft-save)$(ours 'cat /etc/iptables/rules.v6')" = fd01::2/128fd01::2/128 ]
	guest_run "$G" sysboxup -q rollback
	boot_again
	guarded
	run -0 up status
	# what others have in it, save, and count, meanwhile
	guest_run "$G" sh -ec 'iptables -A INPUT -s 10.9.0.0/24 -p tcp --dport 9999 -j ACCEPT; iptables-save -c -t filter >/etc/iptables/rules.v4'
	guest_run "$G" sysboxup -q rollback
	guest_run "$G" sh -ec 'grep -q "10.9.0.0/24.* 9999 " /etc/iptables/rules.v4; iptables -D INPUT -s 10.9.0.0/24 -p tcp --dport 9999 -j ACCEPT
		! grep SYSBOXUP /etc/iptables/rules.v4; cp -a /root/iptables/. /etc/iptables'
	untouched input "$input"
}

@test "iptables: equal rules of others are theirs, what says no is not overruled, drift is named; of a host that saves nothing a boot takes all, and nothing is red" {
	guest_run "$G" sh -ec 'iptables -A INPUT -s 10.1.0.0/24 -p tcp --dport 2376 -j ACCEPT; nft delete table ip6 filter; rm -r /etc/iptables'
	up -q apply
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	run -1 guest_run "$G" nft list table ip6 filter	# where nothing drops nothing is made
	run -1 guest_run "$G" iptables -S SYSBOXUP
	guest_run "$G" iptables -D INPUT -s 10.1.0.0/24 -p tcp --dport 2376 -j ACCEPT
	run -7 up verify
	[[ $output == *"firewall-open: iptables does not let through 10.1.0.2 to port 2376"* ]] || { echo "$output"; false; }
	guest_run "$G" iptables -I INPUT -s 10.1.0.2 -j DROP
	run -3 up apply
	[[ $output == *"iptables has a rule of its own that keeps out 10.1.0.2 to port 2376"*"take it out of iptables"*"nothing was touched"* ]] || { echo "$output"; false; }
	guest_run "$G" iptables -D INPUT -s 10.1.0.2 -j DROP
	up -q apply
	[ "$(ours iptables-nft-save)" = 10.1.0.2/32 ]
	guest_run "$G" iptables -I INPUT -p tcp --dport 2376 -j REJECT
	run -7 up status
	[[ $output == *"the rule for 10.1.0.2 to port 2376 does not count: one of somebody else says no"* ]] || { echo "$output"; false; }
	guest_run "$G" sh -ec "iptables -D INPUT 1; iptables -D INPUT ${JUMP#-A INPUT }"
	run -7 up status
	[[ $output == *"the rule for 10.1.0.2 to port 2376 is not loaded"* ]] || { echo "$output"; false; }
	up -q apply
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	# saved from now on, and not by us
	guest_run "$G" cp -a /root/iptables /etc/
	run -7 up status
	[[ $output == *"the rule for 10.1.0.2 to port 2376 is not kept for the next boot"* ]] || { echo "$output"; false; }
	up -q apply
	[ "$(ours 'cat /etc/iptables/rules.v4')" = 10.1.0.2/32 ]
	run -0 guest_run "$G" sysboxup firewall allow 10.9.0.2 --for 20m
	[[ $output == *"iptables has no rule for 10.9.0.2"*"iptables -I INPUT -s 10.9.0.2 -p tcp --dport 2376 -j ACCEPT"* ]] || { echo "$output"; false; }
	guest_run "$G" sh -ec 'sysboxup -q firewall deny 10.9.0.2; rm -r /etc/iptables'
	boot_again
	run -1 guest_run "$G" iptables -S SYSBOXUP
	[ "$(matrix 2376 "$ALLOWED")" = "$ALLOWED" ] || { matrix 2376; false; }
	run -0 up status
	run -0 up verify
	nothing_to_do
	profile ''
	run -0 up apply
	[[ $output != *"changed by somebody else"* ]] || { echo "$output"; false; }
	run -0 up status
}

@test "iptables-legacy beside the other, both dropping: each is opened, an interface too; taken back, both are as they were" {
	local was
	guest_run "$G" sh -ec 'for tool in iptables ip6tables; do
		for v in "-i lo" "-p tcp --dport 22" "-p ipv6-icmp"; do $tool-legacy -A INPUT $v -j ACCEPT; done
		$tool-legacy -A INPUT -j REJECT; done; ip6tables-nft -P INPUT ACCEPT; ip6tables-nft -F INPUT'
	was=$(tables)
	profile '"10.1.0.2", "interface:six", "fd01::2"'
	up -q apply
	guarded
	[ "$(ours iptables-nft-save)" = $'10.1.0.2/32\nsix' ]
	[ "$(ours iptables-legacy-save)" = $'10.1.0.2/32\nsix' ]
	[ "$(ours ip6tables-legacy-save)" = $'fd01::2/128\nsix' ]
	[ -z "$(ours ip6tables-nft-save)" ]
	nothing_to_do
	run -0 up status
	guest_run "$G" sysboxup -q rollback
	as_before "${OTHERS[@]}"
	diff <(echo "$was") <(tables)
	# the port is nobody's to open, by name or not, in a table that is not of iptables
	profile '"10.1.0.2"' ', "backend": "nftables"'
	run -3 up apply
	[[ $output == *"nothing in 'ip filter INPUT' accepts port 2376"* ]] || { echo "$output"; false; }
}

# struck TOOL CONDITION ARG...: sysboxup ARG..., killed when that tool has done what it was told and the condition holds, both of its
# processes.
struck() {
	guest_run "$G" sh -ec 'mv /usr/sbin/$1 /usr/sbin/$1.real; printf "%s\n" "#!/bin/sh" "xtables-nft-multi \"${1%%-*}-${1##*-}\" \"\$@\" || exit" \
		"if $2; then kill -9 \$(ps -o ppid= -p \$PPID) \$PPID; fi" >/usr/sbin/$1; chmod 755 /usr/sbin/$1' sh "$1" "$2"
	run guest_run "$G" sysboxup -q "${@:3}"
	[ "$status" -eq 137 ] || { echo "$status $output"; false; }
	guest_run "$G" mv "/usr/sbin/$1.real" "/usr/sbin/$1"
}

@test "iptables, killed behind what it did: recover, and a boot, bring back what was, in what runs and in its files; a failure is undone" {
	local was input
	was=$(tables)
	input=$(input)
	struck iptables-nft-restore : --profile /root/profile.json apply
	[ "$(ours iptables-nft-save),$(ours ip6tables-nft-save),$(ours 'cat /etc/iptables/rules.v4')" = 10.1.0.2/32,, ]	# it is half done
	guest_run "$G" sysboxup -q recover
	untouched tables "$was"
	# the second call fails
	guest_run "$G" sh -ec 'mv /usr/sbin/ip6tables-nft-restore /usr/sbin/ip6tables-nft-restore.real
		printf "#!/bin/sh\necho no luck >&2; exit 1\n" >/usr/sbin/ip6tables-nft-restore; chmod 755 /usr/sbin/ip6tables-nft-restore'
	run -1 up apply
	[[ $output == *"iptables: "*"no luck"* ]] || { echo "$output"; false; }
	guest_run "$G" mv /usr/sbin/ip6tables-nft-restore.real /usr/sbin/ip6tables-nft-restore
	untouched tables "$was"
	up -q apply
	struck ip6tables-nft-restore : rollback
	[ -z "$(ours ip6tables-nft-save)" ]
	guest_run "$G" sysboxup -q recover
	guarded
	run -0 up status
	guest_run "$G" sysboxup -q rollback
	untouched tables "$was"
	# nobody recovers: the boot does, in front of what loads the files
	struck ip6tables-nft-save 'grep -q SYSBOXUP /etc/iptables/rules.v6' --profile /root/profile.json apply
	guest_kill "$G"
	guest_reboot "$G"
	hosts
	guest_run "$G" docker rm -f box >/dev/null
	box
	untouched input "$input"
}
