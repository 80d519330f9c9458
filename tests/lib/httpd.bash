# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# tests/tools/httpd.c for bats tests. Needs pki.bash's certificates in DIR and BUILD (build).

# httpd_start DIR [CERT]: serves DIR; sets HTTPD_PORT and HTTPD_PID; requests are logged in DIR/requests. CERT is "server"
# (localhost), "other" (another name) or "plain" (no TLS). Not in a subshell: the server dies with its parent.
httpd_start()
{
	local dir=$1 cert=${2:-server} tls=()
	[ "$cert" = plain ] || tls=(--cert "$dir/$cert.pem" --key "$dir/$cert.key")
	rm -f "$dir/port"
	mkfifo "$dir/port"
	"${BUILD:-build}/tools/httpd" --root "$dir" --log "$dir/requests" "${tls[@]}" >"$dir/port" 3>&- &
	HTTPD_PID=$!
	read -r _ HTTPD_PORT <"$dir/port"
	rm -f "$dir/port"
	[ -n "$HTTPD_PORT" ]
}

# httpd_stop [PID]
httpd_stop()
{
	local pid=${1:-$HTTPD_PID}
	kill -9 "$pid"
	wait "$pid" 2>/dev/null || true
}
