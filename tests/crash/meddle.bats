#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The programs of others that we call, and that our children call, let us down at a chosen call: they fail, die, hang, fail
# or hang when all is done, die with half of it done. Whatever they do, the run ends by itself, says so, and the host is
# before or after; nothing of ours is left running. On a whole host; the real tools behind stand-ins (tests/tools/meddle.c),
# the deadlines by a clock that flies while somebody hangs (tests/tools/preload/haste.c), the program as released. Some
# calls here; every one in `make check-meddle`. dockerd: meddle-docker.bats.
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/meddle.bash"

TOOLS=(dpkg dpkg-deb apt-get apt-config apt-mark systemctl)

@test "by deb: whatever dpkg, apt and systemctl do at a call of apply or rollback, the host ends before or after" {
	SWALLOWED=live_swallowed
	live_boot "$G" deb "$BATS_FILE_TMPDIR"
	put_before meddle "${TOOLS[@]}"
	live_keep before
	each before "${MEDDLE_MODES:-fail/2 die/1 hang/2 undone/1 stuck/1 half/1}" "${APPLY[@]}"
	# it makes a directory of its own, here in ours
	one_point before undone "$(call_of '^apt-get .*download-only')" "${APPLY[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 3 ]
	# no script minds that, and no purge would take the link away
	one_point before undone "$(call_of 'preset-mode=enable-only.*sysbox.service')" "${APPLY[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 1 ] && [[ $said == *"keeps no note of it: systemctl failed in a script"* ]]
	live_apply
	each after "${MEDDLE_MODES:-fail/1 hang/1 undone/1 half/1}" "${ROLLBACK[@]}"
	points meddle-deb "$TOTAL"
}

@test "by files: whatever systemctl does at a call of apply or rollback, the host ends before or after" {
	live_boot "$G" files "$BATS_FILE_TMPDIR"
	put_before meddle systemctl
	live_keep before
	each before "${MEDDLE_MODES:-fail/2 die/1 hang/1 undone/1 stuck/1 half/1}" "${APPLY[@]}"
	live_apply
	each after "${MEDDLE_MODES:-fail/1 hang/1 undone/1}" "${ROLLBACK[@]}"
	points meddle-files "$TOTAL"
}

# asked PLAN SECONDS: dpkg four times with PLAN in place; how often and how it worked.
asked() {
	guest_run "$G" sh -c 'rm -f /srv/meddle/calls; echo "$1" >/srv/meddle/plan
		for i in 1 2 3 4; do timeout -s KILL "$2" dpkg --print-architecture 2>/dev/null; echo $?; done
		rm /srv/meddle/plan' sh "$@" | xargs
}

@test "control: a stand-in lets down the call that was chosen, as was chosen, and no other; time flies only while it hangs" {
	guest_boot "$G" bookworm
	put_before meddle dpkg
	[ "$(asked "9 fail" 60)" = "amd64 0 amd64 0 amd64 0 amd64 0" ]
	[ "$(asked "2 fail" 60)" = "amd64 0 1 amd64 0 amd64 0" ]
	[ "$(asked "3 undone" 60)" = "amd64 0 amd64 0 amd64 1 amd64 0" ]
	[ "$(asked "1 die" 60)" = "137 amd64 0 amd64 0 amd64 0" ]
	[ "$(asked "4 half 1" 60)" = "amd64 0 amd64 0 amd64 0 137" ]
	[ "$(asked "2 stuck" 15)" = "amd64 0 amd64 137 amd64 0 amd64 0" ]
	# A wait of a day, with nothing that hangs and with something.
	guest_run "$G" sh -c '! LD_PRELOAD=/srv/meddle/haste.so HASTE=/srv/meddle/hangs timeout 1 sleep 86400'
	guest_run "$G" flock /srv/meddle/hangs env LD_PRELOAD=/srv/meddle/haste.so HASTE=/srv/meddle/hangs timeout 60 sleep 86400
}

@test "deb-systemd-helper fails, which no script minds: apply sees that Sysbox would not start, rollback leaves nothing" {
	live_boot "$G" deb "$BATS_FILE_TMPDIR"
	put_before meddle deb-systemd-helper
	live_keep before
	learn before "${APPLY[@]}" || { echo "$why"; false; }
	one_point before fail "$(call_of '^deb-systemd-helper enable sysbox.service')" "${APPLY[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 1 ]
	[[ $said == *"1 proof failed"* ]]
	live_apply
	learn after "${ROLLBACK[@]}" || { echo "$why"; false; }
	one_point after fail "$(call_of '^deb-systemd-helper purge .*sysbox')" "${ROLLBACK[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 0 ]
}
