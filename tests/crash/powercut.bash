# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The parts of tests/crash/powercut, whose head is the manual.

pool_mount() {
	pool=$work/pool
	mkdir -p "$pool"
	if [ ! -e "$work/pool.img" ]; then
		truncate -s 12G "$work/pool.img"
		mkfs.xfs -q -m reflink=1 "$work/pool.img"
	fi
	mount -o loop,discard,noatime "$work/pool.img" "$pool"
}

# host_start NAME DISK: a guest on a disk of ours; sweepable when this process is gone.
host_start() {
	local dir
	dir=$(guest_dir "$1")
	guest_destroy "$1"
	guest__locked guest__enter "$1"
	echo $$ >"$dir/owner"
	ln -s "$2" "$dir/disk.img"
	guest__start "$1"
}

host_snap() {
	"$HOSTDIFF" snap "/proc/$(guest_pid "$1")/root" "${@:2}" "${UNSEEN[@]}"
}

# The disk that all scenarios begin with. Of another program, all that was found out is worth nothing.
powercut_base() {
	local id image
	id=$(sha256sum "$BUILD_DIR/sysboxup" "$BUILD_DIR/sysboxup-faults" "$REPO/build/tools/ask")
	[ "$id" != "$(cat "$pool/id" 2>/dev/null)" ] || return 0
	rm -rf "${pool:?}"/*
	install_prepare "$pool/tree" 0.7.0
	image=$("$REPO/tests/guest/rootfs" bookworm)
	cp --sparse=always "$image" "$pool/base.new"
	cp -p "$(guest_known "$image")" "$pool/known"
	host_start "pc-base-$$" "$pool/base.new"
	install_into "pc-base-$$" "$pool/tree"
	guest_put "pc-base-$$" "$BUILD_DIR/sysboxup-faults" /root/sysboxup-faults
	guest_put "pc-base-$$" "$REPO/build/tools/ask" /root/ask
	# Without a network, which Docker would mend at each boot, by two processes of its own size for each container.
	guest_run "pc-base-$$" sh -ec '
		docker create --name one bb:1 true
		docker create --name two --restart always bb:1 sleep 100000
		systemctl stop docker.socket docker.service
		sed -i "s/\"Config\":{/&\"NetworkDisabled\":true,/" /var/lib/docker/containers/*/config.v2.json
		systemctl start docker.socket docker.service
		docker start one two' >/dev/null
	guest_wait "pc-base-$$" sh -c 'docker inspect -f "{{.Config.NetworkDisabled}} {{.State.Status}}" one two |
		xargs | grep -qx "true exited true running"'
	guest_run "pc-base-$$" touch /etc/.updated /var/.updated # else each boot were the first one behind a change of /usr
	guest_poweroff "pc-base-$$"
	guest_destroy "pc-base-$$"
	mv "$pool/base.new" "$pool/base.img"
	echo "$id" >"$pool/id"
}

method_of() {
	echo "${1%%-*}"
}

# fault_of SCENARIO: the environment of the run, which is sysboxup-faults then.
fault_of() {
	case $1 in
	*-nosyncfs) echo SYSBOXUP_FAULT_SKIP=syncfs ;;
	*-nofsync) echo SYSBOXUP_FAULT_SKIP=fsync-file ;;
	*-nodirsync) echo SYSBOXUP_FAULT_SKIP=fsync-dir ;;
	*-lateintent) echo SYSBOXUP_FAULT_LATE_INTENT=1 ;;
	esac
}

# The profile, and what must be there before.
host_prepare() {
	case $(method_of "$scenario") in
	settings)
		guest_run "$1" sh -c 'echo "{ \"version\": 1, \"docker\": { \"settings\": {
			\"live-restore\": true, \"max-concurrent-downloads\": 5 } } }" >/srv/demo/profile.json' ;;
	files)
		guest_run "$1" sed -i 's/"auto"/"files"/' /srv/demo/profile.json
		guest_run "$1" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
			fuse3 rsync >/dev/null 2>&1 ;;
	deb) guest_run "$1" sed -i 's/"auto"/"deb"/' /srv/demo/profile.json ;;
	esac
}

# host_run NAME ARG...
host_run() {
	local fault program=sysboxup
	fault=$(fault_of "$scenario")
	[ -z "$fault" ] || program=/root/sysboxup-faults
	guest_run "$1" env ${fault:+"$fault"} "$program" --quiet --profile /srv/demo/profile.json "${@:2}"
}

# The names of blocklog.bash: this process is in a namespace of its own already.
inside() {
	"$@"
}

inside_path() {
	echo "$1"
}

mark() {
	echo "$1 $(blocklog_mark)" >>"$dir/marks"
}

mark_of() {
	awk -v name="$1" '$1 == name { print $2 }' "$dir/marks"
}

# A guest on the logged disk. The timer of ext4's journal would write what nobody has asked to be written.
logged_start() {
	mkdir -p "$dir/log"
	BATS_TEST_TMPDIR=$dir/log blocklog_start "$dir"
	blocklog_attach
	GUEST_MOUNT=commit=600,noatime host_start "$1" "$BLOCKLOG_DEV"
	losetup -d "$BLOCKLOG_DEV"
}

# Docker's data on another file system: whoever unmounts an overlay syncs the file system that it writes to, so a container
# that ends would sync the host's disk for us.
data_elsewhere() {
	guest_run "$1" sh -ec '
		systemctl stop docker.service docker.socket containerd.service
		mount -t tmpfs tmpfs /var/lib/docker
		mount -t tmpfs tmpfs /var/lib/containerd
		systemctl start docker.socket docker.service
		docker import /root/bb.tar bb:1
		docker run -d --name two --restart always bb:1 sleep 100000
		docker run --name one bb:1 true' >/dev/null
}

# record_run HOST: a fresh host, its run, its marks. "too slow": what a control leaves out to write, the kernel had written of
# its own accord, because it was old: such a run shows nothing.
record_run() {
	local host=$1 began
	rm -rf "$dir"
	mkdir "$dir"
	cp --reflink=always "$pool/base.img" "$dir/disk.img"
	logged_start "$host"
	host_prepare "$host"
	case $scenario in *-elsewhere*) data_elsewhere "$host" ;; esac
	guest_run "$host" sync -f /
	touch "$dir/begin.time"
	mark begin
	host_snap "$host" --known "$pool/known" >"$dir/before"
	touch -r "$dir/begin.time" "$dir/before"
	began=$SECONDS
	host_run "$host" apply --force container
	mark applied
	host_snap "$host" --known "$dir/before" >"$dir/applied"
	began=$((SECONDS - began))
	host_run "$host" rollback
	mark rolled-back
	host_snap "$host" --known "$dir/before" >"$dir/rolled-back"
	guest_run "$host" sync -f /
	mark end
	guest_destroy "$host"
	blocklog_stop
	rm "$dir/disk.img"
	if [ -z "$(fault_of "$scenario")" ] || [ $((100 * began)) -lt "$(cat /proc/sys/vm/dirty_expire_centisecs)" ]; then
		touch "$dir/done"
	fi
}

powercut_record() {
	local try
	scenario=$1 dir=$pool/$1
	[ ! -e "$dir/done" ] || return 0
	for try in 1 2 3 4 5 6 7 8; do
		record_run "pc-rec-$$"
		[ ! -e "$dir/done" ] || return 0
		echo "powercut: $scenario: too slow, run $try of 8: what was left out was written by then" >&2
	done
	return 1
}

powercut_again() {
	rm "$pool/$1/done"
}

# Every flush of the run, and what the writes after it may have left. Of N, those at the marks are always there: the last
# states before the program ended with 0, and the first after it; the others are evenly spread.
powercut_points() {
	local wanted=${2:-0}
	dir=$pool/$1
	"$WRITELOG" "$dir/log.img" list | awk -v begin="$(mark_of begin)" -v end="$(mark_of end)" '
		$1 < begin - 1 || $1 >= end { next }
		!/FLUSH/ { writes++; next }
		{
			if (writes && last != "") print last "\n" last ":1\n" last ":2"
			last = $1
			writes = 0
		}
		END { print last }' >"$dir/points"
	[ "$wanted" -gt 0 ] || { cat "$dir/points"; return; }
	awk -F: -v wanted="$wanted" -v applied="$(mark_of applied)" -v rolled="$(mark_of rolled-back)" '
		function at(mark) { return $1 >= mark - 4 && $1 <= mark + 4 }
		{ point[NR] = $0; chosen[NR] = NR == 1 || at(applied) || at(rolled); wanted -= chosen[NR]; others += !chosen[NR] }
		END {
			for (i = 1; i <= NR; i++) {
				if (!chosen[i]) {
					other++
					chosen[i] = int(other * wanted / others) != int((other - 1) * wanted / others)
				}
				if (chosen[i])
					print point[i]
			}
		}' "$dir/points"
}

# The first N flushes behind MARK: what was acknowledged by then has to be there.
powercut_past() {
	dir=$pool/$1
	powercut_points "$1" | awk -F: -v mark="$(mark_of "$2")" -v n="$3" 'NF == 1 && $1 >= mark && n-- > 0'
}

# The first point at which PATH is on the disk, looked for without booting: the run makes it once.
powercut_first() {
	local points low=0 high middle at=0 prefix=$pool/$1/prefix.$$ image=$pool/$1/image.$$
	dir=$pool/$1
	mapfile -t points < <(powercut_points "$1" | awk -F: -v end="$(mark_of applied)" 'NF == 1 && $1 < end')
	cp --reflink=always "$dir/base.img" "$prefix"
	high=$((${#points[@]} - 1))
	while [ $low -lt $high ]; do
		middle=$(((low + high) / 2))
		image_at "${points[middle]}"
		if image_has "$2"; then high=$middle; else low=$((middle + 1)); fi
	done
	rm -f "$prefix" "$image"
	echo "${points[low]}"
}

image_has() {
	mkdir -p "$dir/look"
	mount -o loop "$image" "$dir/look"
	local rc=0
	[ -e "$dir/look$1" ] || rc=1
	umount "$dir/look"
	return $rc
}

# image_at POINT: $image as the power cut left it; $prefix grows on the way.
image_at() {
	local flush=${1%%:*} seed='' next
	[[ $1 != *:* ]] || seed=${1##*:}
	if [ "$at" -gt $((flush + 1)) ]; then
		at=0
		cp --reflink=always "$dir/base.img" "$prefix"
	fi
	"$WRITELOG" "$dir/log.img" grow "$prefix" "$at" $((flush + 1))
	at=$((flush + 1))
	cp --reflink=always "$prefix" "$image"
	if [ -n "$seed" ]; then
		next=$(awk -F: -v f="$flush" '$1 > f { print $1; exit }' "$dir/points")
		"$WRITELOG" "$dir/log.img" grow "$image" "$at" "${next:-$(mark_of end)}" "$seed"
	fi
}

wrong() {
	why+="${why:+; }$*"
}

# What the host says of itself, one fact a line. Of the shell alone where that goes: a process costs more than all it does here.
host_facts() {
	guest_run "$1" sh -c '
		facts() { while IFS= read -r line; do echo "$1 $line"; done; }
		echo "system $(systemctl is-system-running)"
		systemctl --failed --plain --no-legend | while read -r unit rest; do echo "failed $unit"; done
		docker=$(/root/ask /run/docker.sock /info "/containers/json?all=1" 2>&1) || { echo "runtimes: $docker"; docker=; }
		printf "%s\n" "$docker" | grep -oE "\"[^\"]*\":\\{\"path\":|\"Names\":\\[\"/[^\"]*\"|\"State\":\"[^\"]*\"" |
			while IFS=\" read -r _ key _ value _; do
				case $key in
				Names) name=${value#/} ;;
				State) echo "container $name $value" ;;
				*) echo "runtimes $key" ;;
				esac
			done
		dpkg --audit | facts audit
		sysboxup --json history | facts history
		sysboxup status >/run/status.out 2>&1; echo "status $?"
		journalctl -q -b --no-pager -o cat -u "sysboxup-recover*" | facts recover'
}

# has LINE: so the facts say.
has() {
	[[ $'\n'$facts$'\n' == *$'\n'"$1"$'\n'* ]]
}

# facts_of PATTERN: the lines that begin with it; false if there is none.
facts_of() {
	grep "^$1" <<<"$facts"
}

# expect_state POINT: "before", "applied" or "rolled-back" from what the history says, or why that cannot be.
expect_state() {
	local reached=$((${1%%:*} + 1)) applied rolled first second
	applied=$(mark_of applied)
	rolled=$(mark_of rolled-back)
	first=$(state_of 1)
	second=$(state_of 2)
	expected=before
	[ "$first" != committed ] || expected=applied
	[ "$second" != committed ] || expected='rolled-back'
	if [ "$reached" -ge "$rolled" ]; then
		[ "$expected" = rolled-back ] || wrong "rollback was acknowledged, but history says '$first', '$second'"
	elif [ "$reached" -ge "$applied" ]; then
		[ "$expected" != before ] || wrong "apply was acknowledged, but history says '$first', '$second'"
	fi
}

state_of() {
	# Not jq, which takes as long to start as a container.
	sed -nE "/^history .*\"event\":\"transaction\"/{/[{,]\"id\":$1[,}]/s/.*\"state\":\"([^\"]*)\".*/\1/p}" <<<"$facts"
}

check_facts() {
	has 'system running' || wrong "$(grep -E '^(system|failed) ' <<<"$facts" | tr '\n' ' ')"
	has 'runtimes runc' || wrong "docker: $(facts_of runtimes)"
	has 'container one exited' || wrong "one: $(facts_of 'container one')"
	has 'container two running' || wrong "two: $(facts_of 'container two')"
	! facts_of 'audit ' >/dev/null || wrong "dpkg: $(facts_of 'audit ' | head -n 1)"
	has 'status 0' || wrong "$(facts_of status)"
	case $(method_of "$scenario")-$expected in
	settings-* | *-before | *-rolled-back) ! facts_of 'runtimes .*sysbox-runc' >/dev/null || wrong "sysbox-runc is registered" ;;
	*) has 'runtimes sysbox-runc' || wrong "sysbox-runc is not registered" ;;
	esac
}

check_tree() {
	local differences
	host_snap "$1" --known "$dir/before" >"$image.snap"
	differences=$("$HOSTDIFF" compare "$dir/$expected" "$image.snap" --ours /etc/docker) ||
		wrong "not as $expected: $(head -n 5 <<<"$differences" | tr '\n' ',')"
}

# One crash image, from power-on to the verdict.
try_point() {
	local point=$1 host=pc-$2-$$ start=$EPOCHREALTIME why='' facts='' expected=none
	image_at "$point" || wrong "no image"
	if host_start "$host" "$image" 2>"$image.boot"; then
		facts=$(host_facts "$host")
		expect_state "$point"
		check_facts
		check_tree "$host"
	else
		wrong "$(tr '\n' ' ' <"$image.boot" | cut -c1-2000)"
	fi
	guest_destroy "$host"
	printf '%s %s %s (%s, %s; %s ms)%s\n' "$([ -z "$why" ] && echo ok || echo BROKEN)" "$scenario" "$point" "$expected" \
		"$(grep -c '^recover ' <<<"$facts" || :) lines" $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) "${why:+: $why}"
	[ -z "$why" ] || { [ -z "$facts" ] || echo "$facts" >"$dir/broken.$point"; }
	[ -z "$why" ]
}

# The workers share descriptor 3 and its offset; the lock is of a description of its own, as locks are.
next_point() {
	local rc=0
	flock 4
	read -r point <&3 || rc=1
	flock --unlock 4
	return $rc
}

worker() {
	local point rc=0 at=0 prefix=$dir/prefix.$1.$$ image=$dir/image.$1.$$
	cp --reflink=always "$dir/base.img" "$prefix"
	while next_point; do
		try_point "$point" "$1" || rc=1
	done
	rm -f "$prefix" "$image"*
	return $rc
}

# The points are taken one by one: an image of one phase takes three times as long as one of another.
powercut_try() {
	local cpus jobs i queue rc=0
	cpus=$(nproc)
	jobs=${POWERCUT_JOBS:-$((2 * cpus))}
	scenario=$1
	dir=$pool/$1
	queue=$dir/queue.$$
	cat >"$queue"
	exec 3<"$queue"
	for ((i = 0; i < jobs; i++)); do
		# A host whose processes wake each other across CPUs takes a tenth more of both.
		(
			trap - EXIT INT TERM
			taskset -pc $((i % cpus)) "$BASHPID" >/dev/null 2>&1 || :
			worker "$i" 4<"$queue"
		) &
		pids+=($!)
	done
	exec 3<&-
	for i in "${pids[@]}"; do wait "$i" || rc=1; done
	pids=()
	rm "$queue"
	return $rc
}

# Every point that has no verdict yet, or POWERCUT_IMAGES of them.
powercut_all() {
	local results=$pool/$1/results
	powercut_record "$1"
	touch "$results"
	powercut_points "$1" >"$pool/$1/all"
	awk 'FILENAME == ARGV[1] { done[$3] = 1; next } !done[$1]' "$results" "$pool/$1/all" >"$pool/$1/todo"
	powercut_try "$1" < <(head -n "${POWERCUT_IMAGES:--0}" "$pool/$1/todo") | tee -a "$results" || :
	awk -v name="$1" -v all="$(wc -l <"$pool/$1/all")" '
		/^ok / { ok++ }
		/^BROKEN / { print; broken++ }
		END {
			printf "%s: %d of %d images, %d broken\n", name, ok + broken, all, broken
			exit broken || ok + broken < all
		}' "$results"
}

# However it ends: nothing that runs is left, and the served disk goes after those who use it.
cleanup() {
	local name
	if [ ${#pids[@]} -gt 0 ]; then
		kill "${pids[@]}" 2>/dev/null || :
		wait "${pids[@]}" 2>/dev/null || :
	fi
	for name in "$GUEST_RUN"/pc-*-"$$"; do
		[ ! -d "$name" ] || guest_destroy "$(basename "$name")"
	done
	blocklog_stop
}
