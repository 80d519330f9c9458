#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Another version, an older one, none: by both methods, on a whole Debian with systemd and a real Docker, and back again
# by itself when the new one does not do. The packages are stand-ins; what is wrong with each is in tests/standin/build.
bats_require_minimum_version 1.5.0

# 0.8.1 and so on; the last one breaks daemon.json and then runs no container: breaking it alone comes to nothing.
BAD="no-start dies no-run hang-postinst half-postinst kill-dpkg break-config+no-run"

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup"
	make -s -C "$REPO/tests/tools"
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0 0.7.1
	local mode n=0 debs=("$BATS_FILE_TMPDIR"/debs/*.deb)
	for mode in $BAD; do
		n=$((n + 1))
		# shellcheck disable=SC2046 # words
		"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/debs/sysbox-ce_0.8.$n.deb" "0.8.$n.linux" $(tr + " " <<<"$mode")
		debs+=("$BATS_FILE_TMPDIR/debs/sysbox-ce_0.8.$n.deb")
	done
	"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/debs/sysbox-ce_0.7.2.deb" 0.7.2.linux conffile man
	catalog_make "$BATS_FILE_TMPDIR/catalog" /srv/demo "${debs[@]}" "$BATS_FILE_TMPDIR/debs/sysbox-ce_0.7.2.deb"
	cp -a "$BATS_FILE_TMPDIR/catalog" "$BATS_FILE_TMPDIR/short"	# a later one, without that version
	CATALOG_SERIAL=2 catalog_make "$BATS_FILE_TMPDIR/short" /srv/demo "${debs[@]}"
	# What each test begins with: a host, and one with the dependencies.
	. "$REPO/tests/guest/guest.bash"
	export GUEST_DOCKER=--iptables=false ALONE=upgrade-alone-$$ READY=upgrade-ready-$$
	guest_boot "$ALONE"
	install_into "$ALONE" "$BATS_FILE_TMPDIR"
	guest_run "$ALONE" bash -c 'printf "{\n\t\"debug\" : false,\n  \"labels\": [\"rack=7\"]}" >/etc/docker/daemon.json'
	guest_poweroff "$ALONE"
	GUEST_LIKE=$ALONE guest_boot "$READY"
	guest_run "$READY" bash -c 'apt-get install -y -qq fuse3 rsync jq lsb-release >/dev/null 2>&1'
	guest_poweroff "$READY"
}

teardown_file() {
	. "$REPO/tests/guest/guest.bash"
	guest_destroy "$READY"
	guest_destroy "$ALONE"
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	G=upgrade-$BATS_TEST_NUMBER-$$
}

teardown() {
	guest_destroy "$G"
}

# want VERSION METHOD: the profile.
want() {
	guest_run "$G" sed -i -E "s/\"version\": \"[^\"]*\", *\"method\": \"[a-z]*\"/\"version\": \"$1\", \"method\": \"$2\"/" \
		/srv/demo/profile.json
}

up() {
	guest_run "$G" sysboxup "$1" --profile /srv/demo/profile.json --force container "${@:2}"
}

snap() {
	guest_snap "$G" --skip /var/lib/sysboxup --skip /srv >"$BATS_TEST_TMPDIR/$1"
}

# same NAME: the host is as it was at `snap NAME`, and dpkg has nothing to complain about.
same() {
	snap now
	"$REPO/build/tools/hostdiff" compare "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/now"
	[ -z "$(guest_run "$G" dpkg --audit)" ]
}

# runs VERSION: that one is what runs: daemons, runtime, and a container with ids of its own.
runs() {
	run -0 guest_run "$G" systemctl is-active sysbox sysbox-mgr sysbox-fs
	run -0 guest_run "$G" sh -c '/proc/$(systemctl show -P MainPID sysbox-mgr)/exe --version'
	[[ $output == *"version: "*"$1"* ]]
	run -0 guest_run "$G" sysbox-runc --version
	[[ $output == *"version: "*"$1"* ]]
	run -0 guest_run "$G" docker run --rm --runtime sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ ^\ +0\ +[1-9][0-9]{5,}\ +65536$ ]]
}

# begin LIKE: this test's host.
begin() {
	GUEST_LIKE=$1 guest_boot "$G"
}

docker_pid() {
	guest_run "$G" systemctl show -P MainPID docker
}

# up, down, back, away, back: each is one transaction and exact.
versions() {
	local method=$1 arrow=$2 pid
	begin "$READY"
	snap none
	pid=$(docker_pid)
	want 0.7.0 "$method"
	run -0 up apply
	runs 0.7.0
	snap old

	want 0.7.1 "$method"
	run -7 up plan --check
	[[ $output == *"sysbox-ce 0.7.0 -> 0.7.1 ($arrow"* || $output == *"sysbox-ce  0.7.0 -> 0.7.1 ($arrow"* ]]
	[[ $output == *"sysbox-mgr.service, sysbox-fs.service, sysbox.service  restart"* ]]
	[[ $output != *"daemon.json"*"merge"* ]]
	run -0 up apply
	[[ $output == *"looking for 10 s whether sysbox-mgr.service and the others stay up"* ]]
	runs 0.7.1
	snap new
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	run -0 guest_run "$G" sysboxup status

	run -0 guest_run "$G" sysboxup rollback
	same old
	runs 0.7.0
	run -0 guest_run "$G" sysboxup rollback 3
	same new
	runs 0.7.1
	want 0.7.0 "$method"
	run -0 up apply
	[[ $output == *"0.7.1 -> 0.7.0 ($arrow"* ]]
	runs 0.7.0
	[ "$method" = files ] || same old	# files put anew have a time of their own
	snap old

	want absent "$method"
	run -7 up plan --check
	[[ $output == *"sysbox-mgr.service, sysbox-fs.service, sysbox.service  stop"* ]]
	run -0 up apply
	same none
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	run -0 guest_run "$G" sysboxup status
	run -0 guest_run "$G" sysboxup rollback
	same old
	runs 0.7.0
	run -0 guest_run "$G" sysboxup uninstall
	same none
	[ "$(docker_pid)" = "$pid" ]
	run guest_run "$G" docker info -f '{{json .Runtimes}}'
	[[ $output != *sysbox-runc* ]]
}

@test "by deb: up, down and away are one transaction each, said in the plan, and each is taken back exactly" {
	versions deb dpkg
}

@test "by files: up, down and away are one transaction each, said in the plan, and each is taken back exactly" {
	versions files files
}

# ---- a new version that does not do ----

# fails N METHOD WORDS [OPTION...]: version 0.8.N is applied, fails with WORDS, and all is as it was.
fails() {
	local words=$3
	want "0.8.$1" "$2"
	run -1 up apply "${@:4}"
	[[ $output == *"$words"* ]] || { echo "$output"; return 1; }
	[[ $output == *"host: as before"* ]] || { echo "$output"; return 1; }
	same old
	runs 0.7.0
}

old_one() {
	begin "$READY"
	want 0.7.0 "$1"
	run -0 up apply
	snap old
	DAEMON_JSON=$(guest_run "$G" sha256sum /etc/docker/daemon.json)
	PID=$(docker_pid)
}

@test "by deb: a new version that does not start, dies after 5 s, runs no container, or breaks daemon.json: the old one is back and works" {
	old_one deb
	fails 1 deb "sysbox-mgr.service did not start"
	fails 2 deb "did not stay up"
	fails 3 deb "FAILED  container: no container runs under runtime 'sysbox-runc'"
	fails 7 deb "FAILED  container: no container runs under runtime 'sysbox-runc'"
	[ "$(guest_run "$G" sha256sum /etc/docker/daemon.json)" = "$DAEMON_JSON" ]
	[ "$(docker_pid)" = "$PID" ]
	# control: without us that script does break it
	guest_run "$G" bash -c 'dpkg -i /srv/demo/sysbox-ce_0.8.7.deb >/dev/null 2>&1 </dev/null || :'
	[ "$(guest_run "$G" sha256sum /etc/docker/daemon.json)" != "$DAEMON_JSON" ]
}

@test "by deb: a postinst that hangs, fails half-way, or has its dpkg killed: the old version is back and works" {
	old_one deb
	fails 4 deb "took longer than" --deadline 8
	fails 5 deb "dpkg --install failed"
	fails 6 deb "dpkg"
	[ "$(docker_pid)" = "$PID" ]
}

@test "by files: a new version that does not start, dies after 5 s, or runs no container: the old one is back and works" {
	old_one files
	fails 1 files "sysbox-mgr.service did not start"
	fails 2 files "did not stay up"
	fails 3 files "FAILED  container: no container runs under runtime 'sysbox-runc'"
	[ "$(docker_pid)" = "$PID" ]
}

# ---- containers that run under it ----

# Two under Sysbox, one of which somebody else must not start, and one that has nothing to do with it.
containers() {
	guest_run "$G" bash -c '
		docker run -d --name first --runtime sysbox-runc bb:1 sleep 100000
		docker run -d --name second --restart always --runtime sysbox-runc bb:1 sleep 100000
		docker run -d --name other bb:1 sleep 100000
		docker create --name idle --runtime sysbox-runc bb:1 sleep 100000' >/dev/null
}

# What runs, and of `other` that it never stopped.
at_work() {
	guest_run "$G" docker ps --format '{{.Names}}' | sort | xargs
	guest_run "$G" docker inspect -f '{{.State.Pid}}' other
}

started_at() {
	guest_run "$G" docker inspect -f '{{.State.StartedAt}}' first second
}

@test "containers under Sysbox are named and refused; with --stop-containers exactly they stop and start again, also when it is undone" {
	local before started
	old_one deb
	containers
	before=$(at_work)
	started=$(started_at)
	want 0.7.1 deb
	run -7 up plan --check
	[[ $output == *"first, second  stop: runs under sysbox-runc, needs --stop-containers"* ]]
	[[ $output == *"first, second  start again"* ]]
	run -3 up apply
	[[ $output == *"containers run under sysbox-runc: first, second"*"--stop-containers"* ]]
	[ "$(started_at)" = "$started" ]
	want absent deb
	run -3 up apply
	[[ $output == *"containers run under sysbox-runc: first, second"* ]]

	want 0.8.3 deb
	run -1 up apply --stop-containers
	runs 0.7.0
	[ "$(at_work)" = "$before" ]
	[ "$(started_at)" != "$started" ]
	want 0.7.1 deb
	run -0 up apply --stop-containers
	[[ $output == *"stopping containers: first, second"*"starting containers: first, second"* ]]
	runs 0.7.1
	[ "$(at_work)" = "$before" ]
	run -3 guest_run "$G" sysboxup rollback
	run -0 guest_run "$G" sysboxup rollback --stop-containers
	runs 0.7.0
	[ "$(at_work)" = "$before" ]

	guest_run "$G" docker run -d --name lost --rm --runtime sysbox-runc bb:1 sleep 100000
	want 0.7.1 deb
	run -3 up apply --stop-containers
	[[ $output == *"container lost was started with --rm: stopped, it is gone"* ]]
	guest_run "$G" docker rm -f lost
	want absent deb
	run -0 up apply --stop-containers
	[ "$(at_work | head -n 1)" = other ]
}

@test "a container that does not start again on the way back is named with what to do, and the way back is over only when that is done" {
	old_one deb
	guest_run "$G" bash -c 'tar -C /srv -xf /root/bb.tar ./bin/busybox
		docker run -d --name job --runtime sysbox-runc --mount type=bind,src=/srv/bin/busybox,dst=/bin/busybox bb:1 sleep 100000
		docker run -d --name well --runtime sysbox-runc bb:1 sleep 100000
		rm /srv/bin/busybox' >/dev/null
	want 0.8.1 deb
	run -5 up apply --stop-containers
	[[ $output == *"cannot undo containers:sysbox-runc:stop: Docker does not start container job (HTTP "*"/srv/bin/busybox"* ]]
	[[ $output == *"docker start job"*"sysboxup"*"recover"* ]]
	runs 0.7.0		# the rest is as it was
	run -0 guest_run "$G" docker ps --format '{{.Names}}'
	[ "$output" = well ]
	run -5 guest_run "$G" sysboxup status
	[[ $output == *"not undone yet"* ]]
	run -5 guest_run "$G" sysboxup recover
	guest_run "$G" tar -C /srv -xf /root/bb.tar ./bin/busybox
	run -0 guest_run "$G" sysboxup recover
	run -0 guest_run "$G" docker ps --format '{{.Names}}'
	[ "$(sort <<<"$output" | xargs)" = "job well" ]
	run -0 guest_run "$G" sysboxup status
}

# ---- from one method to the other ----

@test "from one method to the other only by way of none: else refused, nothing touched" {
	local to
	begin "$READY"
	want 0.7.0 deb
	for to in files deb; do
		run -0 up apply
		snap old
		want 0.7.0 "$to"
		run -3 up apply
		[[ $output =~ Sysbox\ is\ installed\ here\ by\ \"(deb|files)\",\ and\ the\ profile\ wants\ it\ by\ \"$to\" ]]
		[ "${BASH_REMATCH[1]}" != "$to" ]
		[[ $output == *"set \"method\": \"${BASH_REMATCH[1]}\"; or go by way of none: apply with"* ]]
		same old
		runs 0.7.0
		want absent "$to"
		run -0 up apply
		want 0.7.0 "$to"
	done
	run -0 up apply
	runs 0.7.0
}

# ---- killed in the midst of it ----

# killed CONDITION...: an upgrade is killed, worker and supervisor, as soon as the command CONDITION succeeds; then recover.
killed() {
	guest_run "$G" sh -c '
		sysboxup apply --force container --stop-containers --profile /srv/demo/profile.json >/root/out 2>&1 & p=$!
		until w=$(pgrep -P $p) && "$@" >/dev/null 2>&1; do kill -0 $p || exit 9; done
		kill -KILL $p $w; wait $p; exit 0' sh "$@"
	run -6 up apply
	run -0 guest_run "$G" sysboxup recover
	guest_run "$G" rm -f /root/out
	same old
	runs 0.7.0
	run -0 guest_run "$G" docker ps --format '{{.Names}}'
	[ "$output" = job ]
}

@test "killed when the units are halted, while dpkg unpacks, in the maintainer scripts, while it is watched: recover brings the old version and its container back" {
	old_one deb
	guest_run "$G" docker run -d --name job --runtime sysbox-runc bb:1 sleep 100000
	snap old
	want 0.7.1 deb
	killed sh -c '! systemctl is-active sysbox-mgr'
	killed test -e /var/lib/dpkg/tmp.ci/control
	killed grep -q 0.7.1 /usr/share/doc/sysbox-ce/changelog
	killed pgrep -f '[s]ysbox-ce.postinst'
	killed grep -q 'looking for 10 s' /root/out
}

# ---- over and over ----

@test "installed and removed 20 times, by both methods in turn: daemon.json and the tree to the byte each time" {
	local i method
	begin "$READY"
	snap none
	for i in {1..20}; do
		method=$( ((i % 2)) && echo deb || echo files)
		want "0.7.$((i % 3 > 0))" "$method"
		run -0 up apply --quiet
		run -0 guest_run "$G" grep -q sysbox-runc /etc/docker/daemon.json
		want absent "$method"
		run -0 up apply --quiet
		same none
	done
}

# ---- what the new one needs besides ----

@test "a package that only the new version needs goes with the rollback of the upgrade, comes again with its own, and stays where somebody needs it" {
	local dir=$BATS_FILE_TMPDIR/lean
	begin "$ALONE"
	guest_run "$G" bash -c 'apt-get install -y -qq fuse3 rsync jq iptables >/dev/null 2>&1'
	if [ ! -d "$dir" ]; then
		mkdir "$dir"
		"$REPO/tests/standin/build" "$dir/sysbox-ce_0.7.0.deb" 0.7.0.linux lean
		catalog_make "$dir/catalog" /srv/demo "$dir/sysbox-ce_0.7.0.deb" "$BATS_FILE_TMPDIR"/debs/sysbox-ce_0.7.1*.deb
	fi
	tar -C "$dir/catalog" --owner=0 --group=0 --exclude=./gnupg --exclude=./keys.log -c . | guest_run "$G" tar -C /srv/demo -x --no-overwrite-dir
	snap none
	want 0.7.0 deb
	run up apply; [ "$status" -eq 0 ] || { echo "$output"; false; }
	run ! guest_run "$G" dpkg-query -W lsb-release
	snap old
	want 0.7.1 deb
	run up apply; [ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(guest_run "$G" dpkg-query -W -f '${db:Status-Abbrev}' lsb-release)" = "ii " ]
	snap new

	run -0 guest_run "$G" sysboxup rollback
	[[ $output == *"0.7.1.linux -> 0.7.0.linux (dpkg), without lsb-release if nobody else needs them"* ]] || { echo "$output"; false; }
	same old
	runs 0.7.0
	run -0 guest_run "$G" sysboxup rollback 3
	same new
	runs 0.7.1

	# undone in the midst of it: the newer one and what it needs are back
	guest_run "$G" sh -c 'sysboxup rollback >/root/out 2>&1 & p=$!
		until w=$(pgrep -P $p); do kill -0 $p || exit 9; done
		while dpkg-query -W lsb-release >/dev/null 2>&1; do kill -0 $p || exit 9; done
		kill -KILL $p $w; wait $p; exit 0'
	run -0 guest_run "$G" sysboxup recover
	guest_run "$G" rm -f /root/out
	same new

	guest_run "$G" sh -ec 'mkdir -p /root/p/DEBIAN
		printf "Package: needs-lsb\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t.example>\nDepends: lsb-release\nDescription: t\n" >/root/p/DEBIAN/control
		dpkg-deb -b /root/p /root/p.deb && dpkg -i /root/p.deb' >/dev/null
	run -0 guest_run "$G" sysboxup rollback
	runs 0.7.0
	[ "$(guest_run "$G" dpkg-query -W -f '${db:Status-Abbrev}' lsb-release)" = "ii " ]
	guest_run "$G" dpkg -P needs-lsb >/dev/null
	run -0 guest_run "$G" sysboxup uninstall
	run ! guest_run "$G" dpkg-query -W sysbox-ce
}

# ---- the way back is proven first ----

# lose [PATTERN]: the packages that were fetched are here no more, and those of this pattern nowhere.
lose() {
	guest_run "$G" bash -c "rm -f /var/lib/sysboxup/debs/*.deb /var/lib/sysboxup/cache/* ${1:+/srv/demo/sysbox-ce_$1*}"
}

# Of a version with a conffile and a manual page; its dependencies came with it.
old_two() {
	want 0.7.2 deb
	run -0 up apply
	snap old
}

REBUILT="rebuilt from the installed files"

@test "a version whose package is not to be had is rebuilt from what is installed, said in plan, status and history, and comes back exactly" {
	begin "$ALONE"
	snap none
	old_two
	lose
	want 0.7.1 deb
	run -0 up apply		# by its hash, from the catalog
	[[ $output == *"sysbox-ce 0.7.2: "* && $output != *"$REBUILT"* ]]
	run -0 guest_run "$G" sysboxup rollback
	same old

	lose 0.7.2		# listed, but not to be had
	run -0 up apply
	[[ $output == *"the package file of sysbox-ce 0.7.2.linux is not to be had: "* ]]
	[[ $output == *"sysbox-ce 0.7.2.linux: its package file was $REBUILT"* ]]
	runs 0.7.1
	run -0 guest_run "$G" sysboxup rollback
	same old
	runs 0.7.2

	lose			# not even listed
	guest_put "$G" "$BATS_FILE_TMPDIR/short/catalog.json" /srv/demo/catalog.json
	guest_put "$G" "$BATS_FILE_TMPDIR/short/catalog.json.sig" /srv/demo/catalog.json.sig
	run -7 up plan --check
	[[ $output == *"sysbox-ce 0.7.2 -> 0.7.1 (dpkg)"*"; for the way back what is there is $REBUILT"* ]]
	run -0 up apply
	runs 0.7.1
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"the version before it was $REBUILT"* ]]
	run -0 guest_run "$G" sysboxup history show 6
	[[ $output == *"for the way back what was there was $REBUILT"* ]]
	# dpkg-deb says the same of it as of the one that was published
	guest_put "$G" "$BATS_FILE_TMPDIR/debs/sysbox-ce_0.7.2.deb" /root/published.deb
	run -0 guest_run "$G" bash -c 'set -- /var/lib/sysboxup/debs/sysbox-ce_0.7.2.linux_*.rebuilt-*.deb
		[ $# = 1 ] && dpkg-deb --info "$1" | grep -q "^ Version: 0.7.2.linux$"
		mkdir /root/judge && cd /root/judge
		for deb in "$1" /root/published.deb; do
			n=$((n + 1))
			dpkg-deb --fsys-tarfile "$deb" | tar --numeric-owner -tv >list.$n
			dpkg-deb --control "$deb" control.$n
			rm -f control.$n/control control.$n/md5sums	# whose fields dpkg orders; which the published one has not
		done
		cmp list.1 list.2 && diff -r control.1 control.2'
	guest_run "$G" rm -r /root/judge /root/published.deb
	run -0 guest_run "$G" sysboxup rollback
	same old
	runs 0.7.2

	lose			# a new version that does not start
	want 0.8.1 deb
	run -1 up apply
	[[ $output == *"its package file was $REBUILT"* ]]
	same old
	runs 0.7.2

	lose			# away, with what it depends on, and back
	want absent deb
	run -7 up plan --check
	[[ $output == *"remove sysbox-ce (dpkg)"*"; for the way back what is there is fetched, or $REBUILT"* ]]
	run -0 up apply
	[[ $output == *"fuse3 "*": its package file was $REBUILT"* ]]
	same none
	run -0 guest_run "$G" sysboxup rollback
	[[ $output == *"from a package file $REBUILT"* ]]
	same old
	runs 0.7.2
}

@test "what cannot be rebuilt exactly is not replaced: a changed file, an edited conffile, no checksums are named, nothing is touched" {
	local way="this could not be undone: the package file of sysbox-ce 0.7.2.linux, which is installed, is not to be had, nor rebuilt"
	begin "$ALONE"
	old_two
	lose 0.7.2
	want 0.7.1 deb

	guest_run "$G" bash -c 'cd /usr/bin && cp -a sysbox-fs x && echo >>x && touch -r sysbox-fs x && mv x sysbox-fs'
	snap changed
	run -3 up apply
	[[ $output == *"$way: '/usr/bin/sysbox-fs' is not as its package had it"* ]]
	[[ $output == *"try:  install that package file again (dpkg -i), or name a catalog that has version 0.7.2.linux,"* ]]
	[[ $output == *"host: nothing was touched"* ]]
	same changed
	guest_run "$G" bash -c 'cd /usr/bin && cp -a sysbox-fs x && truncate -s -1 x && touch -r sysbox-fs x && mv x sysbox-fs'

	guest_run "$G" bash -c 'cd /etc && cp -a sysbox-standin.conf /root/ && echo mine >>sysbox-standin.conf'
	snap changed
	run -3 up apply
	[[ $output == *"$way: '/etc/sysbox-standin.conf' is a conffile that was edited: what its package had there is gone"* ]]
	same changed
	guest_run "$G" mv /root/sysbox-standin.conf /etc/

	guest_run "$G" mv /var/lib/dpkg/info/sysbox-ce.md5sums /root/
	snap changed
	run -3 up apply
	[[ $output == *"$way: '/var/lib/dpkg/info/sysbox-ce.md5sums' is missing: dpkg noted no checksums of its files"* ]]
	snap now	# not `same`: dpkg --audit misses them too
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/changed" "$BATS_TEST_TMPDIR/now"
	guest_run "$G" mv /root/sysbox-ce.md5sums /var/lib/dpkg/info/

	same old
	runs 0.7.2
	run -0 up apply		# control: with all of it as it was
	run -0 guest_run "$G" sysboxup rollback
	same old
}
