#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The whole job on a whole host, by deb: killed, torn and failed at calls of ours and of all our children, which are apt,
# our init in the shield, dpkg, maintainer scripts and triggers (man-db's), systemctl. Then `recover`, and the host is exactly
# before or exactly after, nothing of ours runs, Docker was never touched. Here some calls each; all of them, which takes
# days, in `make check-killhost`.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD"/tools/{ask,killat,hostdiff}
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	. "$BATS_TEST_DIRNAME/livehost.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0 0.7.1
	export G=killhost-$$
	host_new
}

# A first run has more calls than others: it fills our cache. Nobody has fetched anything with this apt, as far as it can be seen.
host_new() {
	live_boot "$G" deb "$BATS_FILE_TMPDIR" man-db && guest_run "$G" rmdir /var/lib/apt/lists/auxfiles && live_keep before &&
		live_up apply --force container && live_up rollback
}

teardown_file() {
	. "$REPO/tests/guest/guest.bash"
	guest_destroy "$G"
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	. "$REPO/tests/lib/points.bash"
	. "$BATS_TEST_DIRNAME/livehost.bash"
	LIVE=$G TOTAL=0
	[ ! -e "$BATS_FILE_TMPDIR/broken" ] || { rm "$BATS_FILE_TMPDIR/broken" && host_new; }
	APPLY=(apply --force container) ROLLBACK=(rollback) RECOVER=(recover)
}

# traced OPTION... -- ARG...: sysboxup ARG... under the tracer; its status in $rc, what it said in $said.
traced() {
	local options=()
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	rc=0
	said=$(guest_run "$G" timeout -k 5 600 /root/killat "${options[@]}" -- /usr/bin/sysboxup \
		--profile /srv/demo/profile.json -q "$@" </dev/null 2>&1) || rc=$?
}

# begin STATE: from before or after, whatever STATE comes of. Torn: an apply was killed when all is in place, half way to the
# commit; torn-back: a rollback, when all is gone.
begin() {
	case $1 in
	before | after) return 0 ;;
	torn) traced --own --exact --at "$TORN" kill -- "${APPLY[@]}" ;;
	torn-back) traced --own --exact --at "$TORN" kill -- "${ROLLBACK[@]}" ;;
	esac
	[ "$rc" -eq 137 ] || { why="not killed at $TORN: $said"; return 1; }
}

# learn STATE VERB...: what calls there are, from an untouched run; in /root/log and /root/log.STATE. The host is then as it was
# before.
learn() {
	begin "$1" || return 1
	traced --log /root/log -- "${@:2}"
	[ "$rc" -eq 0 ] || { why="untouched, exit $rc: $said"; return 1; }
	guest_run "$G" cp /root/log "/root/log.$1"
	case $1 in
	before) live_keep after && live_settle before ;;
	after) live_settle after ;;
	esac
}

# learn_torn STATE VERB...: TORN, the call of our own half way between the last one of dpkg and the end. A test before may have
# learned it.
learn_torn() {
	guest_run "$G" test -e "/root/log.$1" || learn "$@" || return 1
	TORN=$(guest_run "$G" awk '$3 == "sysboxup" && $5 ~ /K/ { own++ } $3 == "dpkg" { last = own } END { print int((last + own) / 2) }' "/root/log.$1")
}

# sample LETTER COUNT: so many of the calls that can be hit so, evenly spread; or all.
sample() {
	guest_run "$G" awk -v letter="$1" '$5 ~ letter { print ++n }' /root/log | awk -v want="$2" -v every="${SYSBOXUP_EVERY:-}" '
		{ call[NR] = $1 }
		END {
			if (every || want > NR)
				want = NR
			for (i = 0; i < want; i++)
				print call[int((i + 0.5) * NR / want) + 1]
		}'
}

letter_of() {
	case $1 in
	kill | one) echo K ;; tear) echo T ;; ENOSPC*) echo S ;; EIO*) echo I ;; EROFS*) echo R ;; EMFILE*) echo M ;; EINTR*) echo E ;;
	esac
}

# one_point STATE MODE N VERB...
one_point() {
	local state=$1 mode=$2 n=$3 action=$2 began=before ended=after options=()
	case $state in
	torn) ended=before ;;
	after) began=after ended=before ;;
	torn-back) began=after ;;
	esac
	begin "$state" || return 1
	[ "$mode" != one ] || { action=kill options=(--one); }
	traced --exact --at "$n" "$action" --hit /root/hit "${options[@]}" -- "${@:4}"
	case $(guest_get "$G" /root/hit | wc -l)-$mode-$rc in
	0-*-0) ;;	# a run has some calls more or less than another: this one was untouched
	1-kill-137 | 1-tear-137 | 1-one-* | 1-E*) TOTAL=$((TOTAL + 1)) ;;
	*) why="exit $rc: $said"; return 1 ;;
	esac
	case $mode-$rc in
	E*-0) live_swallowed "$state" "$said" ;;
	*) live_judge "$rc" "$said" "$began" "$ended" ;;
	esac
}

# each STATE "MODE/COUNT..." VERB...
each() {
	local state=$1 modes=$2 mode n tried
	shift 2
	learn "$state" "$@" || { echo "$why"; return 1; }
	for mode in $modes; do
		tried=$TOTAL
		for n in $(sample "$(letter_of "${mode%/*}")" "${mode#*/}"); do
			one_point "$state" "${mode%/*}" "$n" "$@" || {
				echo "$* from $state, $mode at call $n: $why"
				echo "it was hit at: $(guest_get "$G" /root/hit)"
				touch "$BATS_FILE_TMPDIR/broken"
				return 1
			}
		done
		echo "# $* from $state: $mode: $((TOTAL - tried)) calls" >&3
	done
}

@test "control: the judge sees a file, a setting, a unit and a process that were not there" {
	live_settle before
	guest_run "$G" touch /etc/left-behind
	! live_is before || false
	[ "$why" = "/etc/left-behind only after" ]
	guest_run "$G" sh -c 'rm /etc/left-behind; echo 129 >/proc/sys/fs/inotify/max_user_instances'
	! live_is before || false
	[[ $why == *"max_user_instances 129"* ]]
	guest_run "$G" sh -c 'echo 128 >/proc/sys/fs/inotify/max_user_instances; cp /bin/sleep /run/dpkg; systemd-run -q --unit left /run/dpkg 100000'
	! live_is before || false
	[[ $why == *"dpkg" ]]
	guest_run "$G" sh -c 'systemctl stop left; rm /run/dpkg; ! systemd-run -q --wait --unit failed false'
	! live_is before || false
	[[ $why == *"failed.service"* ]]
	guest_run "$G" systemctl reset-failed failed
	live_is before
}

@test "apply by deb, killed, torn or failed at calls of ours and our children's: before or after, nothing left running" {
	live_settle before
	each before "${KILLHOST_MODES:-kill/4 tear/1 one/2 ENOSPC/1 EIO/1}" "${APPLY[@]}"
	# apt makes a directory for itself where its lists are
	one_point before kill "$(guest_run "$G" awk '$5 ~ /K/ { n++ } $4 ~ /^mkdir/ && /auxfiles/ { print n + 1; exit }' /root/log)" "${APPLY[@]}" ||
		{ echo "$why"; false; }
	[ "$(guest_get "$G" /root/hit | wc -l)" -eq 1 ]
	points killhost-apply "$TOTAL"
}

@test "rollback by deb, killed, torn or failed at calls of ours and our children's: after or before, nothing left running" {
	live_settle before
	live_apply
	each after "${KILLHOST_MODES:-kill/3 one/1 EROFS+/1}" "${ROLLBACK[@]}"
	points killhost-rollback "$TOTAL"
}

# Torn half way between the last call of dpkg and the commit: all is there, and all goes.
@test "recover by deb, killed or torn at calls of its own and of its children: before" {
	live_settle before
	learn_torn before "${APPLY[@]}" || { echo "$why"; return 1; }
	each torn "${KILLHOST_MODES:-kill/2 tear/1}" "${RECOVER[@]}"
	points killhost-recover "$TOTAL"
}

# Torn when dpkg has purged it already: all of it comes back.
@test "recover of a rollback by deb, killed or torn at calls of its own and of its children: after" {
	live_settle before
	live_apply
	learn_torn after "${ROLLBACK[@]}" || { echo "$why"; return 1; }
	each torn-back "${KILLHOST_MODES:-kill/2 tear/1}" "${RECOVER[@]}"
	points killhost-recover-back "$TOTAL"
}

# want VERSION: the profile.
want() {
	guest_run "$G" sed -i -E "s/\"version\": \"[a-z0-9.]+\", *\"method\"/\"version\": \"$1\", \"method\"/" /srv/demo/profile.json
}

# Before is here a Sysbox that came by its own package and was adopted; after, another version of it, or none.
@test "an adopted Sysbox, its upgrade and its removal by deb killed at calls of ours and our children's: as it was adopted, or after" {
	local id
	touch "$BATS_FILE_TMPDIR/broken"	# whoever comes next needs a host without
	live_settle before
	# its own scripts want no container to be there
	guest_run "$G" bash -ec '
		docker rm -f one two
		apt-get install -y -qq fuse3 rsync jq lsb-release
		apt-get install -y -qq /srv/demo/sysbox-ce_0.7.0-0.linux_standin.deb
		docker run -d --name one bb:1 sleep 100000
		docker run -d --name two --restart always bb:1 sleep 100000' >/dev/null 2>&1
	want 0.7.0
	run -0 live_up "${APPLY[@]}"
	id=$(guest_run "$G" sysboxup --json history --limit 1 | jq 'select(.event == "transaction") | .id')
	[[ $(guest_run "$G" sysboxup history show "$id") == *"adopt: Sysbox 0.7.0 is here, installed by its own package"* ]]
	live_keep before
	want 0.7.1
	each before "${KILLHOST_MODES:-kill/2}" "${APPLY[@]}"
	want absent
	each before "${KILLHOST_MODES:-kill/2}" "${APPLY[@]}"
	points killhost-adopted "$TOTAL"
}
