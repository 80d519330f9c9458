# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A whole host with Docker on which the job is broken again and again. It is never made anew: that it is exactly before,
# or exactly after, is what each point proves, and the next one goes on from there. Source tests/guest/guest.bash and
# tests/lib/install.bash first.
#
#   live_boot NAME METHOD DIR [PACKAGE...]
#                               a guest with containers at work and these packages, to be set up by METHOD ("deb", "files"),
#                               from what install_prepare left in DIR; its state is kept as "before"
#   live_up ARG...              sysboxup there, quietly, with the profile
#   live_keep STATE [--seen]    what it is now; or what it was when live_is looked
#   live_is STATE [OPTION...]   is it that? Else what differs in $why (see live-guest)
#   live_apply, live_rollback   from before to after, which is kept; and back. LIVE_OPTIONS are theirs
#   live_settle STATE [OPTION]  from before or after, whichever it is, to STATE
#   live_swallowed STATE SAID   exit 0, from STATE: a tool or a script of somebody else may go on without what it could not do. What
#                               is ours is there all the same, and goes without a trace
#   live_judge RC SAID BEGAN ENDED [OPTION]
#                               what a run that exited with RC came to, on the way from BEGAN to ENDED: one of them, at once
#                               or after recover, and recover again finds nothing to do; then the host is brought back to
#                               BEGAN. Else $why

LIVE_OPTIONS=()

live_boot()
{
	local known tool packages=("${@:4}")
	LIVE=$1
	[ "$2" = deb ] || packages+=(fuse3 rsync)
	GUEST_DOCKER=--iptables=false guest_boot "$1" bookworm || return 1
	install_into "$1" "$3" || return 1
	for tool in hostdiff killat ask; do guest_put "$1" "$SYSBOXUP_BUILD/tools/$tool" "/root/$tool" || return 1; done
	guest_put "$1" "$REPO/tests/crash/live-guest" /root/live-guest
	guest_run "$1" sed -i "s/\"auto\"/\"$2\"/" /srv/demo/profile.json
	guest_run "$1" bash -ec "
		export DEBIAN_FRONTEND=noninteractive
		[ -z '${packages[*]}' ] || apt-get install -qq -y --no-install-recommends ${packages[*]}
		docker run -d --name one --network host bb:1 sleep 100000
		docker run -d --name two --restart always --network host bb:1 sleep 100000" >/dev/null 2>&1 || return 1
	known=$(guest_known "$(guest_image "$1")") || return 1
	guest_put "$1" "$known" /root/live/before
	guest_run "$1" touch -d "@$(stat -c %Y "$known")" /root/live/before
	live_keep before
}

live_up()
{
	guest_run "$LIVE" sysboxup --profile /srv/demo/profile.json -q "$@"
}

live_keep()
{
	guest_run "$LIVE" /root/live-guest keep "$@"
}

live_is()
{
	why=$(guest_run "$LIVE" /root/live-guest is "$@" 2>&1)
}

live_apply()
{
	live_up apply --force container "${LIVE_OPTIONS[@]}" && live_keep after
}

live_rollback()
{
	live_up rollback "${LIVE_OPTIONS[@]}"
}

# The times of a later run are not those of the kept one.
live__times()
{
	[ "$1" = before ] || echo --times
}

# live_either RET STATE STATE [OPTION...]: which of both it is, into the variable RET; else both reasons.
live_either()
{
	local reason
	printf -v "$1" %s "$2"
	! live_is "$2" "${@:4}" || return 0
	reason="not $2 ($why)"
	printf -v "$1" %s "$3"
	# shellcheck disable=SC2046 # an option, or none
	live_is "$3" --seen $(live__times "$3") "${@:4}" || { why="$reason, not $3 ($why)"; return 1; }
}

live_settle()
{
	local want=$1 now
	live_either now "$want" "$([ "$want" = after ] && echo before || echo after)" "${@:2}" || return 1
	[ "$now" = "$want" ] || live__go "$@"
}

# live__go STATE [OPTION...]: from the other one.
live__go()
{
	local want=$1 verb=live_apply
	[ "$want" = after ] || verb=live_rollback
	$verb || { why="$verb fails"; return 1; }
	live_is "$want" "${@:2}" || { why="not $want after $verb: $why"; return 1; }
}

# What the exit status promises; where it promises nothing, what recover makes of it. Then nothing is left for recover, which
# says so and does nothing; one look, behind it, tells of both.
live__verdict()
{
	local rc=$1 began=$2 ended=$3 out
	shift 3
	state=$began
	case $rc in
	0) state=$ended ;;
	1 | 2 | 3) ;;
	5 | 6 | 137) out=$(live_up recover 2>&1) || { why="recover fails: $out"; return 1; } ;;
	*) return 1 ;;
	esac
	out=$(guest_run "$LIVE" sysboxup recover 2>&1)
	[ "$out" = "Nothing to recover." ] || { why="recover with nothing to do: $out"; return 1; }
	if [[ $rc == [0-3] ]]; then
		# shellcheck disable=SC2046 # an option, or none
		live_is "$state" $([ "$state" = "$began" ] || live__times "$state") "$@"
	else
		live_either state "$began" "$ended" "$@" || return 1
		[ "$rc" -ne 5 ] || [ "$state" = "$began" ] || { why="undone, it is $ended"; return 1; }
	fi
}

live_judge()
{
	local rc=$1 said=$2 began=$3 ended=$4 state
	shift 4
	why=
	live__verdict "$rc" "$began" "$ended" "$@" || { why="exit $rc: $why; it said: $said"; return 1; }
	if [ "$rc" -eq 5 ] && [[ $said != *"sysboxup recover"* ]]; then
		why="exit 5, and no word of what to do: $said"
		return 1
	fi
	[ "$state" = "$began" ] || { live_keep "$state" --seen && live__go "$began" "$@"; }
}

live_swallowed()
{
	local out
	[ "$1" = before ] || { live_judge 0 "$2" "$1" before; return; }
	out=$(live_up verify 2>&1 && live_up rollback 2>&1) || { why="exit 0, but: $out"; return 1; }
	live_is before
}
