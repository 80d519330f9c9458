#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Under the firewall managers of others, the real ones: nobody but the allowed gets through by our table, and the allowed get through
# the manager by rules of ours in it, put, kept and taken by its own tool. The hosts around are those of firewall.bats.
# GUEST_SUITE=trixie: the same on Debian 13.
bats_require_minimum_version 1.5.0

# What a boot writes, and what the tests do with ufw.
OTHERS=(--skip /var/log --skip /var/tmp --skip /tmp --skip /etc/default/ufw --skip /etc/ufw/ufw.conf)

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/lib/reach.bash
	. "$REPO/tests/lib/reach.bash"
	export G=managers-$$
	reach_setup "$BATS_FILE_TMPDIR"
	guest_run "$G" sh -ec 'apt-get -qq -y install ufw >/dev/null 2>&1; ufw allow 22/tcp >/dev/null
		ufw allow proto tcp from 10.7.0.0/24 to any port 8080 comment web >/dev/null; ufw --force enable >/dev/null; cp -a /etc/ufw /root/ufw'
	profile ''
	up -q apply
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

# What a test leaves, pass or fail: the API open and no firewall of ours, ufw as it was set up (its reload writes its rules anew).
teardown() {
	guest_run "$G" umount -q /usr/sbin/ufw || :
	profile ''
	guest_run "$G" sh -c 'sysboxup -q recover; sysboxup -q --profile /root/profile.json apply || :
		sed -i s/IPV6=no/IPV6=yes/ /etc/default/ufw; cp -a /root/ufw/. /etc/ufw/; ufw reload >/dev/null; cp -a /root/ufw/. /etc/ufw/' 2>/dev/null
}

CLOSED='box no;ci-2 no;ci-3 no;ci-v6 no;second no;self yes;self-v6 yes;six no;stranger no;stranger-v6 no;'

ufw() {
	guest_run "$G" ufw "$@" >/dev/null
}

# rules: whom ufw lets in to 2376, with the comment, a line for each, of both families.
rules() {
	guest_run "$G" sed -n 's/^### tuple ### \([a-z]*\) tcp 2376 [^ ]* any \([^ ]*\) in\(.*\)/\1 \2\3/p' /etc/ufw/user.rules /etc/ufw/user6.rules
}

OURS=comment=$(printf 'sysboxup: Docker API' | od -An -tx1 | tr -d ' \n')

@test "ufw: its own rules let the allowed through, over its reload, disable and enable, a change and a boot; taken back byte for byte" {
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ] || { matrix 2376; false; }
	run -0 up plan
	[[ $output == *"ufw  allow 10.1.0.2 to port 2376"*"ufw  allow fd0a::/64 to port 2376"* ]] || { echo "$output"; false; }
	[ -z "$(rules)" ]
	up -q apply
	guarded
	[ "$(rules)" = "allow 10.1.0.2 $OURS
allow fd01::2 $OURS
allow fd0a::/64 $OURS" ] || { rules; false; }
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]] || { echo "$output"; false; }
	run -0 up verify
	[[ $output == *"ok      firewall-open: ufw lets through whom the profile allows"* ]] || { echo "$output"; false; }
	run -0 up status
	ufw reload
	guarded
	ufw disable
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]] || { echo "$output"; false; }
	ufw --force enable
	guarded
	profile '"10.1.0.2", "fd01::2"'
	up -q apply
	[ "$(rules)" = "allow 10.1.0.2 $OURS
allow fd01::2 $OURS" ] || { rules; false; }
	guest_run "$G" sysboxup -q rollback
	boot_again
	guarded
	guest_run "$G" sysboxup -q rollback
	as_before "${OTHERS[@]}"
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ] || { matrix 2376; false; }
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ]
}

@test "ufw: what others add, change or have had stays when ours goes; their equal rule is not taken for ours" {
	ufw allow proto tcp from 10.1.0.2 to any port 2376 comment 'of mine'
	up -q apply
	guarded
	[ "$(rules)" = "allow 10.1.0.2 comment=6f66206d696e65
allow fd01::2 $OURS
allow fd0a::/64 $OURS" ] || { rules; false; }
	ufw allow proto tcp from 10.9.0.0/24 to any port 9999
	ufw allow proto tcp from fd0a::/64 to any port 2376 comment 'mine now'
	run -7 up status
	[[ $output == *"openings:ufw"*"the rule for fd0a::/64 to port 2376 was changed by somebody else"* ]] || { echo "$output"; false; }
	ufw insert 1 deny 2376/tcp
	run -7 up status
	[[ $output == *"the rule for fd01::2 to port 2376 "*"somebody else"* ]] || { echo "$output"; false; }
	profile ''
	run -0 up apply
	[[ $output == *"ufw: the rule for fd0a::/64 to port 2376 was changed by somebody else, and stays"* ]] || { echo "$output"; false; }
	ufw delete deny 2376/tcp
	[ "$(rules)" = "allow 10.1.0.2 comment=6f66206d696e65
allow fd0a::/64 comment=6d696e65206e6f77" ] || { rules; false; }
	guest_run "$G" grep -q 'tuple.* 9999 .* 10.9.0.0/24' /etc/ufw/user.rules
	run -0 up status
}

@test "ufw: where nobody confirms, its rules are out again with our table, byte for byte" {
	up -q apply --confirm-within 2s
	guest_wait "$G" sh -c '[ "$(systemctl is-active sysboxup-pending.timer)" = inactive ] && [ ! -e /var/lib/sysboxup/unfinished ]'
	run -0 guest_run "$G" sysboxup --json history --limit 1
	[[ $output == *'"state":"not confirmed, undone"'* ]] || { echo "$output"; false; }
	as_before "${OTHERS[@]}"
	[ -z "$(rules)" ]
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ] || { matrix 2376; false; }
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ]
}

@test "ufw: a rule of ours that somebody took out, or unloaded, is drift, named, and apply mends it" {
	up -q apply
	ufw delete allow proto tcp from 10.1.0.2 to any port 2376
	guest_run "$G" ip6tables -D ufw6-user-input -p tcp --dport 2376 -s fd01::2 -j ACCEPT
	run -7 up status
	[[ $output == *"the rule for 10.1.0.2 to port 2376 is gone, the rule for fd01::2 to port 2376 is not loaded"* ]] || { echo "$output"; false; }
	run -7 up verify
	[[ $output == *"firewall-open: ufw does not let through 10.1.0.2 to port 2376, fd01::2 to port 2376"* ]] || { echo "$output"; false; }
	up -q apply
	run -0 up status
	guarded
	run -0 guest_run "$G" sysboxup firewall allow 10.9.0.2 --for 20m
	[[ $output == *"ufw has no rule for 10.9.0.2"*"ufw allow proto tcp from 10.9.0.2 to any port 2376"* ]] || { echo "$output"; false; }
	guest_run "$G" sysboxup -q firewall deny 10.9.0.2
}

@test "ufw: refused where it says no itself, is cut short, does not do IPv6 or is not there; where it fails after that, all is undone" {
	ufw deny proto tcp from 10.1.0.2 to any port 2376
	refused 'ufw has a rule of its own that keeps out 10.1.0.2 to port 2376' 'take it out of ufw'
	ufw delete deny proto tcp from 10.1.0.2 to any port 2376
	ufw insert 1 deny 2376/tcp
	refused 'ufw has a rule of its own that keeps out 10.1.0.2 to port 2376' 'take it out of ufw'
	ufw delete deny 2376/tcp
	guest_run "$G" sed -i 's/IPV6=yes/IPV6=no/' /etc/default/ufw
	refused 'ufw does not manage IPv6 on this host' 'set IPV6=yes in /etc/default/ufw'
	guest_run "$G" sh -ec 'sed -i s/IPV6=no/IPV6=yes/ /etc/default/ufw; : >/etc/ufw/user.rules'
	refused "'/etc/ufw/user.rules' is cut short" 'have ufw make a new one'
	guest_run "$G" cp -a /root/ufw/. /etc/ufw/
	as_before "${OTHERS[@]}"
	# the second call of it fails
	guest_run "$G" sh -ec 'cp /usr/sbin/ufw /root/real-ufw; printf "%s\n" "#!/bin/sh" "case \$* in *fd01::2*) echo ERROR: no luck >&2; exit 1 ;; esac" \
		"exec python3 /root/real-ufw \"\$@\"" >/root/false; chmod 755 /root/false; mount --bind /root/false /usr/sbin/ufw'
	run -1 up apply
	[[ $output == *"ufw: fd01::2 to port 2376: "*"no luck"* ]] || { echo "$output"; false; }
	guest_run "$G" umount /usr/sbin/ufw
	as_before "${OTHERS[@]}"
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ]
	guest_run "$G" sh -ec 'mv /usr/sbin/ufw /usr/sbin/ufw.away'
	profile '"10.1.0.2"' ', "backend": "ufw"'
	run up apply
	guest_run "$G" mv /usr/sbin/ufw.away /usr/sbin/ufw
	[ "$status" -eq 3 ]
	[[ $output == *'there is no ufw on this host'* ]] || { echo "$output"; false; }
}

# struck WORDS COMMAND...: ufw is killed where it has emptied the file and is about to fill it, in the call with these words, and
# sysboxup with it, both of its processes.
struck() {
	guest_run "$G" sh -ec 'cp -n /usr/sbin/ufw /root/real-ufw; printf "%s\n" "#!/bin/sh" "case \$* in *\"$1\"*) ;; *) exec python3 /root/real-ufw \"\$@\" ;; esac" \
		"strace -o /dev/null -e trace=sendfile -e inject=sendfile:signal=KILL:when=1 python3 /root/real-ufw \"\$@\"" \
		"kill -9 \$(ps -o ppid= -p \$PPID) \$PPID" >/root/strike; chmod 755 /root/strike; mount --bind /root/strike /usr/sbin/ufw' sh "$1"
	run guest_run "$G" sysboxup -q "${@:2}"
	[ "$status" -eq 137 ] || { echo "$status $output"; false; }
	guest_wait "$G" umount /usr/sbin/ufw 2>/dev/null	# busy until what stood in for ufw is gone too
}

empty() {
	[ "$(guest_run "$G" stat -c %s "/etc/ufw/$1")" = 0 ]
}

@test "ufw, killed where it has emptied its rules: recover, and a boot, bring them back, and SSH is never cut off" {
	# negative control: without us ufw does not load at the next boot what it left, and drops everything
	struck 'from 10.1.0.2' --profile /root/profile.json apply
	empty user.rules
	run guest_run "$G" sh -c '/lib/ufw/ufw-init stop; /lib/ufw/ufw-init start'
	[ "$status" -ne 0 ]
	[[ $(matrix 22) == *"stranger no;"* ]] || { matrix 22; false; }
	guest_run "$G" sysboxup -q recover
	as_before "${OTHERS[@]}"
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ] || { matrix 22; false; }
	# on the way back: our rules are in again
	up -q apply
	struck 'delete allow proto tcp from fd01::2' rollback
	empty user6.rules
	guest_run "$G" sysboxup -q recover
	guarded
	run -0 up status
	guest_run "$G" sysboxup -q rollback
	as_before "${OTHERS[@]}"
	# nobody recovers: the boot does, in front of ufw
	struck 'from fd0a::/64' --profile /root/profile.json apply
	empty user6.rules
	guest_kill "$G"
	guest_reboot "$G"
	hosts
	guest_run "$G" docker rm -f box >/dev/null
	box
	as_before "${OTHERS[@]}"
	[ "$(matrix 22 "$EVERYBODY")" = "$EVERYBODY" ] || { matrix 22; false; }
	[ "$(matrix 2376 "$CLOSED")" = "$CLOSED" ]
	run -0 guest_run "$G" ufw status
	[[ $output == "Status: active"* ]]
}
