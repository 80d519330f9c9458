# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A machine without systemd and Docker, for what another distribution's package manager does on a running system: the
# programs of this one (overlays over /usr and /etc), everything else empty, in a mount namespace of the test's own. A
# manager's database and source live in it alone. Source inside.bash and image.bash first; needs root.
#
#   machine_begin DIR            the namespace, and where machines are made; machine_end takes all of it away
#   machine_new ID VERSION       an empty one, with this os-release; without rsync and fusermount3
#   machine CMD...               CMD there, as root, with a clean environment
#   machine_at PATH              PATH there, as seen from outside
#   machine_put FILE PATH        a copy of FILE there
#   machine_snap                 what hostdiff sees of it but for state, caches, logs and the managers' databases
#
#   machine_rpm DIR NAME REQUIRES PROGRAM [SECTION]    DIR/NAME-VERSION.rpm ($VERSION, 1.0), with /usr/bin/PROGRAM, a few files, and a
#                                                      configuration file; SECTION is added to its description for rpm
#   machine_pacman DIR NAME REQUIRES PROGRAM [INSTALL] the same for pacman, and its place in the list of packages

machine_begin() {
	MACHINE=$1/machine
	inside_begin "$1" 2g
}

machine_end() {
	inside_end
}

machine_new() {
	local dir
	inside umount -R -l "$MACHINE" 2>/dev/null || :
	inside mkdir -p "$MACHINE"
	inside mount -t tmpfs -o size=1g,mode=0755 machine "$MACHINE"
	inside mkdir -p "$MACHINE"/{usr,etc,var/lib,var/tmp,var/log,var/cache,run,tmp,root,srv,proc,sys,dev,.over}
	for dir in usr etc; do
		inside mkdir "$MACHINE/.over/$dir" "$MACHINE/.over/$dir.work"
		inside mount -t overlay -o "lowerdir=/$dir,upperdir=$MACHINE/.over/$dir,workdir=$MACHINE/.over/$dir.work" \
			overlay "$MACHINE/$dir"
	done
	for dir in bin sbin lib lib64; do
		[ ! -L "/$dir" ] || inside ln -s "usr/$dir" "$MACHINE/$dir"
	done
	inside ln -s /run "$MACHINE/var/run"
	inside mount -t proc proc "$MACHINE/proc"
	inside mount --rbind /dev "$MACHINE/dev"
	inside mount -t sysfs -o ro sysfs "$MACHINE/sys"
	machine_sysctls
	machine_settle "$1" "$2"
	[ -z "${GUEST_COVERAGE:-}" ] || machine_counters
}

# Of a coverage build's program (scripts/coverage): where they are looked for outside, as those of guests.
machine_counters() {
	inside mkdir "$MACHINE/run/sysboxup-coverage"
	inside mount --bind "$(mktemp -d "$GUEST_COVERAGE/machine.XXXXXX")" "$MACHINE/run/sysboxup-coverage"
}

# What Sysbox raises are the real machine's: files in their place, with values that are high enough.
machine_sysctls() {
	local key
	inside mkdir "$MACHINE/.over/sysctl"
	for key in fs/inotify/max_queued_events fs/inotify/max_user_{instances,watches} kernel/keys/max{keys,bytes} kernel/pid_max; do
		echo 4194304 | inside tee "$MACHINE/.over/sysctl/${key##*/}" >/dev/null
		inside mount --bind "$MACHINE/.over/sysctl/${key##*/}" "$MACHINE/proc/sys/$key"
	done
}

# Nothing of the lower /etc that a test reads: accounts, Docker's file, sources of packages.
machine_settle() {
	local root
	root=$(machine_at /)
	inside rm -rf "$MACHINE"/etc/{os-release,docker,apparmor.d,yum.repos.d,zypp,pacman.conf,sysboxup}
	inside rm -rf "$MACHINE"/usr/share/{rsync,fuse3,fuse-common} "$MACHINE"/etc/{rsync,fuse3,fuse-common}.conf
	inside rm -f "$MACHINE"/usr/bin/{rsync,fusermount3,fusermount,dockerd,docker} "$MACHINE/usr/lib/os-release"
	inside mkdir -p "$MACHINE"/etc/{docker,rpm,yum.repos.d,zypp/repos.d,dnf/vars,systemd/system}
	printf 'ID=%s\nVERSION_ID="%s"\nPRETTY_NAME="%s %s for tests"\n' "$1" "$2" "$1" "$2" >"$root/etc/os-release"
	printf 'root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\ndaemon:x:1:\n' >"$root/etc/group"
	printf 'root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n' >"$root/etc/shadow"
	printf 'root:*::\ndaemon:*::\n' >"$root/etc/gshadow"
	printf 'somebody:100000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
	echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros"
	echo "$2" >"$root/etc/dnf/vars/releasever"
	printf '#!/bin/sh\n' | tee "$root/usr/sbin/modprobe" >"$root/usr/sbin/iptables"
	chmod 0755 "$root"/usr/sbin/{modprobe,iptables}
	: >"$root/etc/.pwd.lock"
	machine ldconfig
}

machine() {
	inside chroot "$MACHINE" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@"
}

machine_at() {
	inside_path "$MACHINE$1"
}

machine_put() {
	mkdir -p "$(dirname "$(machine_at "$2")")"
	cp "$1" "$(machine_at "$2")"
}

# Directories of the lower side that were only copied up are no difference, nor the times of accounts.
machine_snap() {
	inside bash -c '
		set -euo pipefail
		cd "$1"
		timed=() untimed=()
		while IFS= read -r -d "" path; do
			case $path in
			*/ld.so.cache | */passwd- | */group- | */shadow- | */gshadow- | */sub?id-) ;;
			*/apk/world | */passwd | */group | */shadow | */gshadow | */sub?id) untimed+=("$path") ;;
			*) if [ -c "$path" ]; then
				untimed+=("$path")	# the lower side has one, taken away here
			elif [ -L "$path" ] || [ ! -d "$path" ]; then
				timed+=("$path")
			elif [[ $path != .over/* ]] || [ ! -d "/${path#.over/}" ]; then
				untimed+=("$path")
			fi ;;
			esac
		done < <(find .over/usr .over/etc var root srv "(" -path var/lib/sysboxup -o -path var/lib/rpm -o -path var/lib/dnf \
			-o -path var/lib/zypp -o -path var/lib/pacman -o -path var/log -o -path var/cache -o -path srv/pool ")" \
			-prune -o -print0 | sort -z)
		stat -c "%N %F %a %u:%g %t:%T" "${timed[@]}" "${untimed[@]}"
		stat -c "%n %y" "${timed[@]}"
		for path in "${timed[@]}" "${untimed[@]}"; do
			[ -L "$path" ] || [ ! -f "$path" ] || printf "%s\\0" "$path"
		done | xargs -0 sha256sum' - "$MACHINE"
}

# ---- packages ----

machine__spec() {
	cat <<-EOF
		Name: $1
		Version: ${VERSION:-1.0}
		Release: 1
		Summary: made by the test
		License: none
		BuildArch: noarch
		AutoReqProv: no
		${2:+Requires: $2}
		%description
		made by the test
		%install
		mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/$1 %{buildroot}/etc
		printf '#!/bin/sh\\n' >%{buildroot}/usr/bin/$3
		chmod 0755 %{buildroot}/usr/bin/$3
		for i in 1 2 3 4 5; do echo "$1 \$i" >%{buildroot}/usr/share/$1/\$i; done
		echo "# $1" >%{buildroot}/etc/$1.conf
		%files
		/usr/bin/$3
		/usr/share/$1
		%config(noreplace) /etc/$1.conf
		${4:-}
	EOF
}

machine_rpm() {
	local dir=$1
	shift
	mkdir -p "$dir"
	machine__spec "$@" >"$dir/$1.spec"
	rpmbuild -bb --quiet --define "_topdir $dir/build" --define "_rpmdir $dir" \
		--define "_rpmfilename %%{name}-%%{version}.rpm" "$dir/$1.spec" >"$dir/log" 2>&1 || { cat "$dir/log"; return 1; }
}

machine_pacman() {
	local dir=$1 name=$2 requires=$3 version=${VERSION:-1.0}-1 i tree file parts=(.PKGINFO usr etc)
	tree=$dir/build/$name file=$name-$version-any.pkg.tar.gz
	mkdir -p "$tree/usr/bin" "$tree/usr/share/$name" "$tree/etc" "$dir/db/$name-$version"
	printf '#!/bin/sh\n' >"$tree/usr/bin/$4"
	chmod 0755 "$tree/usr/bin/$4"
	for i in 1 2 3 4 5; do echo "$name $i" >"$tree/usr/share/$name/$i"; done
	echo "# $name" >"$tree/etc/$name.conf"
	printf '%s = %s\n' pkgname "$name" pkgbase "$name" pkgver "$version" pkgdesc made url none builddate 1700000000 \
		packager test size 100 arch any backup "etc/$name.conf" ${requires:+depend "$requires"} >"$tree/.PKGINFO"
	if [ -n "${5:-}" ]; then
		echo "$5" >"$tree/.INSTALL"
		parts=(.PKGINFO .INSTALL usr etc)
	fi
	tar -C "$tree" --owner=0 --group=0 -czf "$dir/$file" "${parts[@]}"
	printf '%%%s%%\n%s\n\n' FILENAME "$file" NAME "$name" VERSION "$version" ARCH any CSIZE "$(stat -c %s "$dir/$file")" \
		SHA256SUM "$(sha256sum <"$dir/$file" | cut -d' ' -f1)" ${requires:+DEPENDS "$requires"} >"$dir/db/$name-$version/desc"
	(cd "$dir/db" && tar -czf ../pool.db -- *)
}
