#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Under firewalld, the real one: nobody but the allowed gets through by our table, and the allowed get through firewalld by a policy
# of our own and, until its next reload, by rules at runtime. The hosts around are those of firewall.bats, all in its default zone;
# containers are in Docker's, which lets them through. On Debian 13, whose systemd keeps a socket's filter over a reload: who is let
# in again says whether it is gone. GUEST_SUITE=bookworm: the same on Debian 12.
bats_require_minimum_version 1.5.0

# What a boot writes, and the first one behind a package that came into /usr.
OTHERS=(--skip /var/log --skip /var/tmp --skip /tmp --skip /etc/.updated --skip /var/.updated --skip /var/lib/systemd/catalog)
POLICY=/etc/firewalld/policies/sysboxup.xml

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	export G=firewalld-$$ GUEST_SUITE=${GUEST_SUITE:-trixie}
	reach_setup "$BATS_FILE_TMPDIR"
	guest_run "$G" sh -ec 'apt-get -qq -y install --no-install-recommends firewalld >/dev/null 2>&1
		docker rm -f box >/dev/null; systemctl restart docker; firewall-cmd -q --permanent --add-port=8080/tcp; firewall-cmd -q --reload'
	box
	profile ''
	up -q apply
	guest_run "$G" cp -a /etc/firewalld /root/firewalld
	says >"$BATS_FILE_TMPDIR/says"
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

# What a test leaves, pass or fail: the API open and no firewall of ours, firewalld as it was set up.
teardown() {
	guest_run "$G" umount -q /usr/bin/firewall-cmd || :
	profile ''
	guest_run "$G" sh -c 'sysboxup -q recover; sysboxup -q --profile /root/profile.json apply || :
		systemctl start firewalld; rm -rf /etc/firewalld; cp -a /root/firewalld /etc/; firewall-cmd -q --reload' 2>/dev/null
}

CLOSED='box yes;ci-2 no;ci-3 no;ci-v6 no;second no;self yes;self-v6 yes;six no;stranger no;stranger-v6 no;'

fw() {
	guest_run "$G" firewall-cmd -q "$@"
}

# All that firewalld knows at runtime. A policy that was loaded once stays there until its next reload, without a rule.
says() {
	guest_run "$G" sh -ec 'firewall-cmd --list-all-zones; firewall-cmd --list-all-policies' |
		awk '/^sysboxup / { ours = 1 } /^$/ { if (ours) { ours = 0; next } } /^\t/ || !ours'
}

# As before in files and at runtime, and to everybody around.
untouched() {
	as_before "${OTHERS[@]}"
	diff "$BATS_FILE_TMPDIR/says" <(says)
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ] || { matrix 2376; false; }
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ] || { matrix 22; false; }
}

# Whom the policy lets in, one a line.
kept() {
	guest_run "$G" sed -n 's/.*source address="\(.*\)".*/\1/p' $POLICY
}

nothing_to_do() {
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]] || { echo "$output"; false; }
}

@test "firewalld: the allowed get through, over its reload, a change and a boot; taken back byte for byte" {
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ] || { matrix 2376; false; }
	run -0 up plan
	[[ $output == *"firewalld  allow 10.1.0.2 to port 2376"*"firewalld  allow fd0a::/64 to port 2376"* ]] || { echo "$output"; false; }
	fw --add-port=9999/tcp	# at runtime alone: a reload would lose it
	up -q apply
	guarded
	fw --query-port=9999/tcp
	fw --remove-port=9999/tcp
	[ "$(kept)" = $'10.1.0.2\nfd01::2\nfd0a::/64' ]
	fw --check-config
	nothing_to_do
	run -0 up verify
	[[ $output == *"ok      firewall-open: firewalld lets through whom the profile allows"* ]] || { echo "$output"; false; }
	run -0 up status
	guest_run "$G" sysboxup -q rollback
	untouched
	up -q apply
	fw --reload
	guarded
	nothing_to_do
	profile '"10.1.0.2", "fd01::2"'
	up -q apply
	[ "$(kept)" = $'10.1.0.2\nfd01::2' ]
	run fw --policy=sysboxup --query-rich-rule='rule family="ipv6" source address="fd0a::/64" port port="2376" protocol="tcp" accept'
	[ "$status" -eq 1 ]
	guest_run "$G" sysboxup -q rollback
	guarded
	boot_again
	guarded
	run -0 up status
	guest_run "$G" sysboxup -q rollback
	untouched
}

@test "firewalld: what others have or add stays; their equal rule is not taken for ours; what they make permanent of ours goes with ours" {
	local theirs='rule family="ipv4" source address="10.1.0.2" port port="2376" protocol="tcp" accept'
	fw --add-rich-rule="$theirs"
	fw --permanent --add-rich-rule="$theirs"
	up -q apply
	guarded
	[ "$(kept)" = $'fd01::2\nfd0a::/64' ]
	fw --runtime-to-permanent
	guest_run "$G" grep -q 'priority="-23761"' /etc/firewalld/zones/public.xml
	fw --permanent --zone=public --add-port=9999/tcp
	run -0 up status
	profile ''
	up -q apply
	run -1 guest_run "$G" grep -rl -e 'priority="-23761"' -e fd01::2 /etc/firewalld --include=*.xml
	guest_run "$G" grep -q 'source address="10.1.0.2"' /etc/firewalld/zones/public.xml
	guest_run "$G" grep -q 9999 /etc/firewalld/zones/public.xml
	fw --query-rich-rule="$theirs"
	run -0 guest_run "$G" firewall-cmd --zone=public --list-rich-rules
	[ "$output" = "$theirs" ] || { echo "$output"; false; }
}

@test "firewalld: a rule of ours that somebody took out of what runs, or the policy, is drift, named, and apply mends it" {
	up -q apply
	fw --remove-rich-rule='rule priority="-23761" family="ipv4" source address="10.1.0.2" port port="2376" protocol="tcp" accept'
	run -7 up status
	[[ $output == *"the rule for 10.1.0.2 to port 2376 is not loaded"* ]] || { echo "$output"; false; }
	run -7 up verify
	[[ $output == *"firewall-open: firewalld does not let through 10.1.0.2 to port 2376"* ]] || { echo "$output"; false; }
	up -q apply
	guarded
	run -0 up status
	guest_run "$G" rm $POLICY
	run -7 up status
	[[ $output == *"the rule for fd01::2 to port 2376 is not kept for the next boot"* ]] || { echo "$output"; false; }
	guest_run "$G" test ! -e $POLICY
	up -q apply
	run -0 up status
	fw --reload
	guarded
	run -0 guest_run "$G" sysboxup firewall allow 10.9.0.2 --for 20m
	[[ $output == *"firewalld has no rule for 10.9.0.2"*"firewall-cmd"*'source address="10.9.0.2"'* ]] || { echo "$output"; false; }
	guest_run "$G" sysboxup -q firewall deny 10.9.0.2
}

@test "firewalld: refused where it says no itself, for an interface of a closed zone, and where there is none; where it fails, all is undone" {
	fw --add-rich-rule='rule family="ipv4" source address="10.1.0.2" port port="2376" protocol="tcp" reject'
	refused 'firewalld has a rule of its own that keeps out 10.1.0.2 to port 2376' 'take it out of firewalld'
	fw --reload
	fw --add-rich-rule='rule priority="100" log prefix="left over: " drop'	# behind all that let in: no word against ours
	run -0 up plan
	fw --reload
	profile '"10.1.0.2", "interface:second"'
	refused 'the zone of interface second has port 2376 closed' 'firewall-cmd --permanent --zone=public --add-port=2376/tcp'
	fw --zone=trusted --add-interface=second
	up -q apply
	[ "$(matrix 2376)" = 'box no;ci-2 yes;ci-3 no;ci-v6 no;second yes;self yes;self-v6 yes;six no;stranger no;stranger-v6 no;' ] || { matrix 2376; false; }
	guest_run "$G" sysboxup -q rollback
	fw --reload
	# the second rule fails
	profile "$SOME"
	guest_run "$G" sh -ec 'cp -n /usr/bin/firewall-cmd /root/real-firewall-cmd; printf "%s\n" "#!/bin/sh" \
		"case \$* in *--add-rich-rule*fd01::2*) echo Error: no luck >&2; exit 1 ;; esac" "exec python3 /root/real-firewall-cmd \"\$@\"" >/root/false
		chmod 755 /root/false; mount --bind /root/false /usr/bin/firewall-cmd'
	run -1 up apply
	[[ $output == *"firewalld: "*"no luck"* ]] || { echo "$output"; false; }
	guest_run "$G" umount /usr/bin/firewall-cmd
	untouched
	profile '"10.1.0.2"' ', "backend": "firewalld"'
	guest_run "$G" mv /usr/bin/firewall-cmd /usr/bin/firewall-cmd.away
	run up apply
	guest_run "$G" mv /usr/bin/firewall-cmd.away /usr/bin/firewall-cmd
	[ "$status" -eq 3 ]
	[[ $output == *'there is no firewalld on this host'* ]] || { echo "$output"; false; }
	# stopped for a while it is told by its file
	guest_run "$G" systemctl stop firewalld
	up -q apply
	guest_run "$G" systemctl start firewalld
	[ "$(matrix 2376)" = 'box no;ci-2 yes;ci-3 no;ci-v6 no;second no;self yes;self-v6 yes;six no;stranger no;stranger-v6 no;' ] || { matrix 2376; false; }
	run -0 up status
	guest_run "$G" sysboxup -q rollback
	untouched
}

# struck CONDITION ARG...: sysboxup ARG..., killed behind the first call of firewall-cmd for which CONDITION (of its shell) holds, both
# of its processes.
struck() {
	guest_run "$G" sh -ec 'cp -n /usr/bin/firewall-cmd /root/real-firewall-cmd; printf "%s\n" "#!/bin/sh" \
		"$1 || exec python3 /root/real-firewall-cmd \"\$@\"" "python3 /root/real-firewall-cmd \"\$@\"" \
		"kill -9 \$(ps -o ppid= -p \$PPID) \$PPID" >/root/strike; chmod 755 /root/strike; mount --bind /root/strike /usr/bin/firewall-cmd' sh "$1"
	run guest_run "$G" sysboxup -q "${@:2}"
	[ "$status" -eq 137 ] || { echo "$status $output"; false; }
	guest_wait "$G" umount /usr/bin/firewall-cmd 2>/dev/null	# busy until what stood in for it is gone too
}

# half POLICY ZONE: negative control, it is half done: is there a policy (yes, no), and is 10.1.0.2 let in by the zone (yes, no)?
half() {
	run guest_run "$G" sh -c '[ -e '$POLICY' ] && echo yes || echo no
		firewall-cmd -q --zone=public --query-rich-rule="rule priority=\"-23761\" family=\"ipv4\" source address=\"10.1.0.2\" port port=\"2376\" protocol=\"tcp\" accept" &&
			echo yes || echo no'
	[ "$output" = "$1"$'\n'"$2" ] || { echo "$output"; false; }
}

@test "firewalld, killed behind a rule that it put or took: recover, and a boot, bring back what was, at runtime and in its file" {
	struck 'echo "$*" | grep -q -- --add-rich-rule' --profile /root/profile.json apply
	half no yes
	guest_run "$G" sysboxup -q recover
	untouched
	up -q apply
	struck 'echo "$*" | grep -q -- --remove-rich-rule' rollback
	half yes no
	guest_run "$G" sysboxup -q recover
	guarded
	half yes yes
	guest_run "$G" sysboxup -q rollback
	# all is in place, and not yet committed; nobody recovers: the boot does, in front of firewalld
	struck '[ -e '$POLICY' ]' --profile /root/profile.json apply
	half yes yes
	guest_kill "$G"
	guest_reboot "$G"
	hosts
	guest_run "$G" docker rm -f box >/dev/null
	box
	untouched
}
