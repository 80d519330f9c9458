#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# docker.install through the package managers of other distributions, in one guest that says of itself that it is a Fedora
# or an Arch Linux: dnf, rpm and pacman are the real programs, and so is the Docker. Its packages are STAND-INS: the
# files of the guest's own, Debian's, in packages of the names, the parts and the scripts that theirs have.
# shellcheck disable=SC2016 # what is quoted is for the shell in the guest
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD/tools/hostdiff"
	load_libraries
	G=engines-$$
	export G
	BUILD=$SYSBOXUP_BUILD CATALOG_METHOD=files install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	guest_boot "$G"
	install_into "$G" "$BATS_FILE_TMPDIR"
	make_packages "$BATS_FILE_TMPDIR/pool"
	put_managers
	forget_docker
	jq '.docker.install = "distribution"' "$BATS_FILE_TMPDIR/catalog/profile.json" >"$BATS_FILE_TMPDIR/profile.json"
	guest_put "$G" "$BATS_FILE_TMPDIR/profile.json" /run/profile.json
}

teardown_file() {
	load_libraries
	guest_destroy "$G"
}

setup() {
	load_libraries
}

load_libraries() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	. "$REPO/tests/lib/machine.bash"
}

in_guest() {
	guest_run "$G" "$@"
}

# ---- the packages, and who installs them ----

# Programs and units of the guest's Docker, into DIR/PART: what Docker calls is containerd's and runc's.
take_docker() {
	local dir=$1 part
	for part in docker containerd runc; do
		mkdir -p "$dir/$part"
		in_guest bash -euc '
			dpkg -L "$@" 2>/dev/null | sed "s,^/\(lib\|bin\|sbin\)/,/usr/\1/," |
				grep -E "^/usr/s?bin/(docker|dockerd|docker-init|docker-proxy|containerd|containerd-shim-runc-v2|runc|tini-static)$|/systemd/system/" |
				while read -r f; do [ -d "$f" ] || echo "$f"; done | tar -C / -c -T - 2>/dev/null' take \
			"$(case $part in docker) echo docker.io ;; *) echo "$part" ;; esac)" \
			"$(case $part in docker) echo docker-cli ;; *) echo "$part" ;; esac)" | tar -C "$dir/$part" -x
	done
	sed -i 's,/etc/default/docker,/etc/sysconfig/docker,' "$dir/docker/usr/lib/systemd/system/docker.service"
	mkdir -p "$dir/docker/etc/sysconfig"
	echo 'DOCKER_OPTS=' >"$dir/docker/etc/sysconfig/docker"
}

make_packages() {
	local part
	mkdir -p "$1/rpm" "$1/pacman"
	take_docker "$1/files"
	[ -x "$1/files/docker/usr/sbin/dockerd" ] && [ -x "$1/files/runc/usr/sbin/runc" ]
	machine_rpm "$1/rpm" fuse3 "" fusermount3
	machine_rpm "$1/rpm" rsync "" rsync
	for part in containerd runc docker; do make_rpm "$1" $part; done
	createrepo_c -q "$1/rpm"
	machine_pacman "$1/pacman" fuse3 "" fusermount3
	machine_pacman "$1/pacman" rsync "" rsync
	for part in containerd runc docker; do make_pacman "$1" $part; done
}

# Fedora's name, its scripts as systemd's macros have them; the daemon.json and the data directory are openSUSE's.
make_rpm() {
	local pool=$1 part=$2 name=$2 tree=$1/files/$2
	[ "$part" != docker ] || name=moby-engine
	{
		cat <<-END
			Name: $name
			Version: 1.0
			Release: 1
			Summary: a stand-in
			License: none
			AutoReqProv: no
			%global debug_package %{nil}
			%global __os_install_post %{nil}
			%global _binary_payload w1.gzdio
			%global _build_id_links none
			%description
			a stand-in
			%install
			cp -a $tree/. %{buildroot}
		END
		[ "$part" != docker ] || cat <<-END
			mkdir -p %{buildroot}/etc/docker %{buildroot}/var/lib/docker
			echo '{ "debug": true }' >%{buildroot}/etc/docker/daemon.json
			%pre
			getent group docker >/dev/null || groupadd --system docker
			%post
			systemctl --no-reload preset docker.service docker.socket || :
			%preun
			[ \$1 -gt 0 ] || systemctl --no-reload disable --now docker.service docker.socket || :
			%files
			%dir /etc/docker
			%config(noreplace) /etc/docker/daemon.json
			%config(noreplace) /etc/sysconfig/docker
			%dir /var/lib/docker
		END
		[ "$part" = docker ] || echo "%files"
		(cd "$tree" && find . ! -type d ! -path './etc/*' | sed 's,^\.,,')
	} | sed "$([ "$part" = docker ] && echo '/^License/a Requires: containerd runc')" >"$pool/rpm/$name.spec"
	rpmbuild -bb --quiet --define "_topdir $pool/build" --define "_rpmdir $pool/rpm" \
		--define "_rpmfilename %%{name}-%%{version}.rpm" "$pool/rpm/$name.spec" >"$pool/log" 2>&1 || { cat "$pool/log"; return 1; }
}

make_pacman() {
	local dir=$1/pacman name=$2 tree=$1/pacman/build/$2 file=$2-1.0-1-any.pkg.tar needs=() parts=(.PKGINFO usr)
	mkdir -p "$tree" "$dir/db/$name-1.0-1"
	cp -al "$1/files/$name/usr" "$tree/usr"
	if [ "$name" = docker ]; then
		needs=(containerd runc)
		echo 'post_install() { getent group docker >/dev/null || groupadd --system docker; }' >"$tree/.INSTALL"
		parts+=(.INSTALL)
	fi
	printf '%s = %s\n' pkgname "$name" pkgbase "$name" pkgver 1.0-1 pkgdesc stand-in url none builddate 1700000000 \
		packager test size 100 arch any >"$tree/.PKGINFO"
	[ ${#needs[@]} -eq 0 ] || printf 'depend = %s\n' "${needs[@]}" >>"$tree/.PKGINFO"
	tar -C "$tree" --owner=0 --group=0 -cf "$dir/$file" "${parts[@]}"
	{
		printf '%%%s%%\n%s\n\n' FILENAME "$file" NAME "$name" VERSION 1.0-1 ARCH any CSIZE "$(stat -c %s "$dir/$file")" \
			SHA256SUM "$(sha256sum <"$dir/$file" | cut -d' ' -f1)"
		[ ${#needs[@]} -eq 0 ] || { echo %DEPENDS%; printf '%s\n' "${needs[@]}" ""; }
	} >"$dir/db/$name-1.0-1/desc"
	(cd "$dir/db" && tar -czf ../pool.db -- *)
}

# The managers of this machine and what they need, as far as the guest has it not: it is of the same release.
put_managers() {
	local names
	names=$(comm -23 <(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances rpm dnf pacman-package-manager | grep '^[a-z0-9]' | sort -u) \
		<(in_guest dpkg-query -W -f '${Package}\n' | sort -u) | comm -12 - <(dpkg-query -W -f '${Package}\n' | sort -u))
	# shellcheck disable=SC2086 # a list of names
	dpkg -L $names | grep -vE '^/(usr/share/(doc|man|locale)|etc)/' | sort -u |
		while read -r f; do { [ -d "$f" ] && [ ! -L "$f" ]; } || echo "$f"; done |
		tar -C / -c --no-recursion -T - 2>/dev/null | in_guest tar -C / -x --skip-old-files --keep-directory-symlink
	in_guest mkdir -p /etc/{sysconfig,rpm,dnf/{vars,aliases.d},yum.repos.d} /var/lib/pacman /srv/engine
	(cd "$BATS_FILE_TMPDIR/pool" && tar -c rpm/*.rpm rpm/repodata pacman/*.tar* pacman/pool.db) | in_guest tar -C /srv/engine -x
	in_guest bash -euc '
		echo "%_dbpath /var/lib/rpm" >/etc/rpm/macros
		echo 42 >/etc/dnf/vars/releasever
		printf "[pool]\nname=pool\nbaseurl=file:///srv/engine/rpm\ngpgcheck=0\nenabled=1\n" >/etc/yum.repos.d/pool.repo
		printf "[options]\nArchitecture = auto\nSigLevel = Never\n[pool]\nServer = file:///srv/engine/pacman\n" >/etc/pacman.conf
		rpm --initdb
		ldconfig
		pacman -Sy >/dev/null'
	# What the scripts are for: of Debian's shell rpm knows nothing.
	printf 'Name: shell\nVersion: 1\nRelease: 1\nSummary: .\nLicense: none\nBuildArch: noarch\nProvides: /bin/sh\n%%description\n.\n%%files\n' \
		>"$BATS_FILE_TMPDIR/shell.spec"
	rpmbuild -bb --quiet --define "_topdir $BATS_FILE_TMPDIR/build" --define "_rpmdir $BATS_FILE_TMPDIR" \
		--define "_rpmfilename shell.rpm" "$BATS_FILE_TMPDIR/shell.spec" >/dev/null 2>&1
	guest_put "$G" "$BATS_FILE_TMPDIR/shell.rpm" /srv/engine/shell.rpm
	in_guest rpm --install --justdb /srv/engine/shell.rpm
}

forget_docker() {
	in_guest bash -euc '
		systemctl stop docker.service docker.socket containerd.service
		dpkg --purge $(dpkg-query -W -f "\${Package}\n" | grep -xE "docker.io|docker-cli|containerd|runc") >/dev/null 2>&1
		rm -rf /var/lib/docker /var/lib/containerd /etc/docker /run/docker*
		groupdel docker
		ip link del docker0
		systemctl reset-failed
		[ ! -e /usr/sbin/dockerd ] && [ ! -e /usr/bin/rsync ]' forget
}

# be ID VERSION: what the guest says it is.
be() {
	in_guest sh -c 'rm -f /etc/os-release; printf "ID=%s\nVERSION_ID=%s\nPRETTY_NAME=\"%s for tests\"\n" "$1" "$2" "$1" >/etc/os-release' os "$1" "$2"
}

# The same, and how it is without Docker.
begin() {
	be "$@"
	BEFORE=$(installed)
	snap before
}

apply() {
	in_guest sysboxup --profile /run/profile.json apply --force container 2>&1
}

# What rpm's and pacman's databases say.
installed() {
	in_guest rpm --query --all --queryformat '%{NAME}\n' | sort | xargs
	in_guest sh -c 'pacman -Q 2>/dev/null || :' | cut -d' ' -f1 | xargs
}

snap() {
	in_guest sync -f /
	guest_snap "$G" >"$BATS_TEST_TMPDIR/$1"
}

# As before, but for what Docker's users own (its data, what it made in /etc/docker, the group), and for what the managers
# keep for themselves: databases of equal meaning, caches, logs, sums of what was downloaded, compiled Python.
as_before() {
	[ "$(installed)" = "$BEFORE" ]
	[ "$(in_guest systemctl is-active docker.service docker.socket containerd.service | sort -u)" = inactive ]
	snap now
	run "$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
	output=$(grep -vE '^/(var/(lib/(docker|containerd|rpm|dnf|pacman)|cache|log)|etc/docker|opt/containerd|srv/engine)[ /]|^/etc/g?(group|shadow) |/__pycache__' \
		<<<"$output" || :)
	echo "$output"
	[ -z "$output" ]
}

@test "the plan names package and manager; where the distribution has none of its own, the reason and what to type" {
	local it id version manager package
	in_guest sh -c 'printf "#!/bin/false\n" >/usr/bin/zypper; chmod 0755 /usr/bin/zypper'	# a plan runs none
	for it in fedora:42:dnf:moby-engine amzn:2023:dnf:docker opensuse-leap:15.6:zypper:docker arch:1:pacman:docker manjaro:1:pacman:docker; do
		IFS=: read -r id version manager package <<<"$it"
		be "$id" "$version"
		run -0 in_guest sysboxup --profile /run/profile.json plan --force container
		[[ $output == *"+ dependencies  install $package, "*"rsync"*" and what they depend on ($manager); compensating: "* ]]
		[[ $output == *"+ /etc/systemd/system/multi-user.target.wants/docker.service  link to /usr/lib/systemd/system/docker.service"* ]]
		[[ $output == *"+ containerd.service, docker.socket, docker.service  start"* ]]
		[[ $output == *"docker-present: Docker is not installed yet: $manager will install $package"* ]]
	done
	in_guest rm /usr/bin/zypper
	be rocky 9
	run -3 apply
	[[ $(tr -s ' \n' ' ' <<<"$output") == *"docker-present: Docker is not installed, and this distribution has none of its own"*"try: dnf install docker-ce"* ]]
}

@test "dnf: Docker comes in the same transaction as Sysbox and what that calls, a container proves it; rollback takes out the engine, never its data" {
	begin fedora 42
	run -0 apply
	[[ $output == *"'/etc/docker/daemon.json' of the packages is left out: it is as the profile says"* ]]
	[ "$(in_guest rpm --query --all --queryformat '%{NAME}\n' | sort | xargs)" = "containerd fuse3 moby-engine rsync runc shell" ]
	[ "$(guest_get "$G" /etc/docker/daemon.json | jq -c keys)" = '["runtimes"]' ]
	[ "$(in_guest systemctl is-enabled docker.service)" = enabled ]
	run -0 in_guest docker info -f '{{ range $k, $v := .Runtimes }}{{ $k }} {{ end }}'
	[[ $output == *sysbox-runc* ]]
	run -0 apply
	[[ $output == *othing* ]]
	run -0 in_guest sysboxup status

	in_guest sh -c 'docker import /root/bb.tar bb:1 && docker volume create kept && docker run -d --name busy -v kept:/v bb:1 sh -c "echo mine >/v/file; sleep 100000"' >/dev/null
	run -3 in_guest sysboxup rollback
	[[ $output == *"Docker would go, and containers run: busy"* ]]
	in_guest docker stop -t 1 busy >/dev/null
	run -0 in_guest sysboxup rollback
	as_before

	# Somebody's preset has the package's script enable it; all of it is there again, and goes by uninstall.
	in_guest sh -c 'mkdir -p /etc/systemd/system-preset; echo "enable docker.service" >/etc/systemd/system-preset/00-mine.preset'
	snap before
	run -0 apply
	[ "$(in_guest docker run --rm -v kept:/v bb:1 cat /v/file)" = mine ]
	in_guest docker rm busy >/dev/null
	run -0 in_guest sysboxup -q uninstall
	as_before
	in_guest rm /etc/systemd/system-preset/00-mine.preset
}

# killed_when PATH: apply, and with it rpm, are killed as soon as that is there. Where we were too late, or it was committed by
# then, it is taken back and tried again.
killed_when() {
	local try
	for try in 1 2 3 4 5; do
		in_guest sh -c 'sysboxup --profile /run/profile.json apply --force container >/run/out 2>&1 & p=$!
			until [ -e "$1" ]; do kill -0 $p || exit 0; done
			kill -KILL $p $(pgrep -P $p); wait $p; exit 0' sh "$1"
		run apply
		if [ "$status" -eq 6 ]; then
			run -0 in_guest sysboxup recover
			as_before
			return
		fi
		[ "$status" -eq 0 ] || { echo "try $try: $output"; return 1; }
		in_guest sysboxup -q rollback
	done
	return 1
}

@test "killed while rpm unpacks Docker, and when Docker has started: recover takes it out again" {
	begin fedora 42
	killed_when /usr/sbin/dockerd
	killed_when /run/docker.pid
}

@test "dnf: a Docker that does not start takes all of it back" {
	begin fedora 42
	in_guest sh -c 'mkdir -p /run/systemd/system/docker.service.d; printf "[Service]\nExecStartPre=/bin/false\n" >/run/systemd/system/docker.service.d/no.conf; systemctl daemon-reload'
	run apply
	in_guest rm -r /run/systemd/system/docker.service.d
	in_guest systemctl daemon-reload
	[ "$status" -eq 1 ]
	[[ $output =~ "docker."(socket|service)" did not start".*"host: as before" ]]
	as_before
}

@test "pacman: Docker comes, runs a container, goes" {
	begin arch rolling
	run -0 apply
	[[ $output == *"docker-present: Docker is not installed yet: pacman will install docker"* ]]
	[ "$(in_guest pacman -Qq | xargs)" = "containerd docker fuse3 rsync runc" ]
	[ "$(in_guest pacman -Qqe | xargs)" = "docker fuse3 rsync" ]
	[ "$(in_guest systemctl is-enabled docker.service)" = enabled ]
	in_guest sh -c 'docker import /root/bb.tar bb:1 && docker run --rm bb:1 true' >/dev/null
	run -0 in_guest sysboxup rollback
	as_before
}
