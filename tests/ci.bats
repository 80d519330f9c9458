#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# sysboxup ci: what CI systems are told, the override that ends a mount of the host's Docker, judged by Compose itself, and
# --check inside of real containers, under the stand-in for Sysbox (which maps users as it does) and without it. What is read of
# YAML and found in compose files: tests/unit/test_ci.c.
bats_require_minimum_version 1.5.0

ADDRESS=192.0.2.2

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup"
}

teardown_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	guest_destroy "ci-$$" 2>/dev/null || :
}

setup() {
	UP=$SYSBOXUP_BUILD/sysboxup T=$BATS_TEST_TMPDIR
	WHERE=(--docker-host tcp://ci.example.org:2376 --cert-path /srv/certs) TLS=(--way tls "${WHERE[@]}")
	jenkins >"$T/compose.yaml"
}

teardown() {
	[ -z "${G:-}" ] || guest_destroy "$G"
}

# A Jenkins stack as it is often found.
jenkins() {
	cat <<-'YAML'
		version: "3.8"
		x-log: &log
		  logging: { driver: local }
		services:
		  jenkins:
		    <<: *log
		    image: jenkins/jenkins:lts
		    privileged: true
		    user: root
		    environment:
		      - JAVA_OPTS=-Xmx1g
		    volumes:
		      - home:/var/jenkins_home
		      - /var/run/docker.sock:/var/run/docker.sock
		  agent:
		    image: jenkins/agent
		    volumes:
		      - type: bind
		        source: /run/docker.sock
		        target: /sock/docker.sock
		  db:
		    image: postgres
		volumes:
		  home: {}
	YAML
}

# What Compose makes of the file and the override, as JSON; its versions spell mounts differently.
merged() {
	docker-compose -f "$T/compose.yaml" -f "$T/override.yaml" config |
		python3 -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)' |
		jq '(.services[] | select(.volumes)).volumes |= map(if type == "string" then split(":")[0:2] | join(":") else .source + ":" + .target end)'
}

@test "each system is told something for each way, with nothing left to fill in but what it says" {
	local system way n=0
	for system in compose gitlab-runner jenkins github-runner woodpecker kubernetes env; do
		for way in sysbox tls; do
			[ "$system $way" != "env sysbox" ] || continue
			run --separate-stderr -0 "$UP" ci --for "$system" "${WHERE[@]}" --way "$way"
			[[ $output != *@* && -z $stderr ]]
			case $system,$way in
			*,tls) [[ $output == *tcp://ci.example.org:2376* && $output == *[Cc]ert* ]] ;;
			woodpecker,*) [[ $output == *default_runtime* ]] ;;
			*) [[ $output == *sysbox-runc* && $output != *privileged[:\ =]*true* ]] ;;
			esac
			n=$((n + 1))
		done
	done
	[ "$n" -eq 13 ]
	run -2 "$UP" ci --for env --way sysbox
	[[ $output == *"no variable chooses a runtime"* ]]
}

@test "the three lines of env are what a shell takes, and the YAML is YAML" {
	"$UP" ci --for env "${TLS[@]}" >"$T/env"
	[ "$(env -i sh -ac ". $T/env; env" | grep ^DOCKER | sort | xargs)" = "DOCKER_CERT_PATH=/srv/certs DOCKER_HOST=tcp://ci.example.org:2376 DOCKER_TLS_VERIFY=1" ]
	local way
	for way in sysbox tls; do
		"$UP" ci --for kubernetes "${WHERE[@]}" --way $way | python3 -c 'import sys, yaml
kinds = [d["kind"] for d in yaml.safe_load_all(sys.stdin)]
assert kinds[-1] == "Pod", kinds'
	done
	for way in sysbox tls; do
		"$UP" ci --for gitlab-runner "${WHERE[@]}" --way $way >"$T/config.toml"
		python3 - "$T/config.toml" <<-'PY'
			import sys, tomllib
			d = tomllib.load(open(sys.argv[1], "rb"))["runners"][0]["docker"]
			assert d["privileged"] is False and (d.get("runtime") == "sysbox-runc" or d["tls_cert_path"] == "/srv/certs"), d
		PY
	done
}

@test "a Jenkins stack that mounts the host's Docker is recognised, and by Compose's own word the override ends it" {
	run -0 "$UP" ci --for jenkins "$T/compose.yaml" --way sysbox --out "$T/override.yaml"
	[[ $output == *"service jenkins has the host's Docker, mounted at /var/run/docker.sock, and is privileged"* ]]
	[[ $output == *"service agent has the host's Docker, mounted at /sock/docker.sock"* && $output != *"service db"* ]]
	merged >"$T/merged"
	jq -e '[.services[] | select(.privileged == true)] == []' "$T/merged"
	jq -e '[.services[].volumes[]? | select(test("^/(var/)?run/docker.sock"))] == []' "$T/merged"
	jq -e '.services.jenkins.volumes | index("/dev/null:/var/run/docker.sock") and index("home:/var/jenkins_home")' "$T/merged"
	jq -e '.services.jenkins.environment == { "JAVA_OPTS": "-Xmx1g", "DOCKER_HOST": "unix:///run/sysboxup-docker/docker.sock" }' "$T/merged"
	jq -e '.services["sysboxup-docker"].runtime == "sysbox-runc"' "$T/merged"
	run -0 "$UP" ci --for compose "$T/override.yaml"
	[[ $output == *"Nothing to do"* ]]
}

@test "the same by TLS: the variables and the certificate instead of the socket" {
	run -0 "$UP" ci --for compose "$T/compose.yaml" "${TLS[@]}" --out "$T/override.yaml"
	merged >"$T/merged"
	jq -e '[.services[].volumes[]? | select(test("^/(var/)?run/docker.sock"))] == []' "$T/merged"
	jq -e '.services.agent | .environment.DOCKER_TLS_VERIFY == "1" and (.volumes | index("/srv/certs:/certs/client"))' "$T/merged"
	jq -e '.services | has("sysboxup-docker") | not' "$T/merged"
}

@test "a file that is there is not written over, and an override that Compose refuses does not stay" {
	echo mine >"$T/override.yaml"
	run -2 "$UP" ci --for compose "$T/compose.yaml" --out "$T/override.yaml"
	[[ $output == *"is there already"* && $(cat "$T/override.yaml") == mine ]]
	sed -i 's/driver: local/dryver: local/' "$T/compose.yaml"
	run -1 "$UP" ci --for compose "$T/compose.yaml" --out "$T/new.yaml"
	[[ $output == *"Compose does not take it"* ]]
	[ ! -e "$T/new.yaml" ]
}

@test "what would mean something else where it is written is refused, and so is half a command" {
	local bad
	for bad in "--docker-host tcp://a --cert-path /c" "--docker-host unix:///x --cert-path /c" "--docker-host tcp://a:1 --cert-path certs" \
		"--docker-host tcp://a:1 --cert-path /a\$b" "--docker-host tcp://a:1 --cert-path /c --name a:b"; do
		# shellcheck disable=SC2086 # words
		run -2 "$UP" ci --for kubernetes --way tls $bad
		[[ $output == *" is no "* ]]
	done
	run -2 "$UP" ci --for kubernetes --way tls
	[[ $output == *"--docker-host tcp://NAME:2376"* ]]
	run -2 "$UP" ci
	run -2 "$UP" ci --check --for env
	run -2 "$UP" ci --for woodpecker "$T/compose.yaml"
	run -2 "$UP" ci --for compose "$T/absent"
	run -2 "$UP" ci --for compose "$UP"
}

# job OPTION...: ci --check in a container with these options; this host's /usr is its own, for the libraries.
job() {
	guest_run "$G" docker run --rm -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro "$@" job:1 \
		/usr/bin/sysboxup --json ci --check
}

# is ID STATE: that check of the last job.
is() {
	[ "$(jq -rs "[.[] | select(.event == \"check\" and .id == \"$1\") | .state // \"note\"] | unique | join(\" \")" <<<"$output")" = "$2" ]
}

@test "--check in real containers: under Sysbox, without, with CAP_SYS_ADMIN, with the host's socket, and with a client certificate" {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	G=ci-$$
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	guest_boot "$G"
	install_into "$G" "$BATS_FILE_TMPDIR"
	# With what is mounted in it: under Sysbox the image's directories belong to nobody in there.
	guest_run "$G" sh -ec 'mkdir /root/job && cd /root/job && tar -xf /root/bb.tar && mkdir -p usr lib lib64 certs run var/run
		touch run/docker.sock var/run/docker.sock && tar -c . | docker import - job:1 >/dev/null'
	guest_run "$G" sh -ec 'sysboxup -q cert ca --key-file /root/ca.secret; sysboxup -q cert issue api --server --san '$ADDRESS'
		sysboxup -q cert issue job; sysboxup -q cert export job --out /srv/certs'
	jq '. + { "api": { "listen": ["'$ADDRESS':2376"] } }' "$BATS_FILE_TMPDIR/catalog/profile.json" | guest_run "$G" sh -c 'cat >/srv/demo/profile.json'
	guest_run "$G" sysboxup -q apply --force container --profile /srv/demo/profile.json
	run --separate-stderr -0 job --runtime sysbox-runc
	is user-namespace ok && is host-socket ok && is privileged ok
	run --separate-stderr -7 job
	is user-namespace bad && is host-socket ok && is privileged ok
	run --separate-stderr -7 job --cap-add SYS_ADMIN	# what --privileged is about; all of that needs devices that a guest has not
	is privileged bad
	run --separate-stderr -7 job --runtime sysbox-runc -v /run/docker.sock:/run/docker.sock
	is user-namespace ok && is host-socket bad
	run --separate-stderr -7 job -v /run:/run
	is host-socket bad
	local tls=(-e "DOCKER_HOST=tcp://$ADDRESS:2376" -e DOCKER_TLS_VERIFY=1 -e DOCKER_CERT_PATH=/certs) certs=/srv/certs:/certs:ro
	run --separate-stderr -0 job "${tls[@]}" -v $certs
	is user-namespace note && is docker-host ok && is certificate ok && is served ok
	run --separate-stderr -7 job "${tls[@]}" -v $certs -e DOCKER_TLS_VERIFY=
	is docker-host bad
	run --separate-stderr -7 job "${tls[@]}" -e DOCKER_CERT_PATH=/srv
	is certificate bad
	run --separate-stderr -7 job "${tls[@]}" -v $certs -v /run/docker.sock:/var/run/docker.sock
	is served ok && is host-socket bad
	# A stranger, who knows whom to trust.
	guest_run "$G" sh -ec 'mkdir /root/other; set -- sysboxup --root /root/other -q cert; "$@" ca --key-file /ca.secret; "$@" issue job
		"$@" export job --out /srv/stranger; cp /srv/stranger/key.pem /srv/stranger/cert.pem /root/; mkdir /srv/mixed
		cp /root/key.pem /root/cert.pem /srv/certs/ca.pem /srv/mixed/'
	run --separate-stderr -7 job "${tls[@]}" -v /srv/mixed:/certs:ro
	is certificate ok && is served bad
}
