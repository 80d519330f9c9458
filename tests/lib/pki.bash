# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A private certificate authority and its servers, made anew by each test that needs one.

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

# pki_make DIR: ca.pem; server.{pem,key} for localhost and 127.0.0.1; other.{pem,key} for another name.
pki_make()
{
	local dir=$1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=sysboxup test CA" \
		-addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
		-keyout "$dir/ca.key" -out "$dir/ca.pem" 2>"$dir/pki.log"
	pki_server "$dir" server "DNS:localhost,IP:127.0.0.1"
	pki_server "$dir" other "DNS:other.example"
}

# pki_server DIR NAME ALTNAMES
pki_server()
{
	local dir=$1 name=$2 alt=$3
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
		-keyout "$dir/$name.key" -out "$dir/$name.csr" 2>>"$dir/pki.log"
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n' "$alt" >"$dir/$name.ext"
	openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -days 2 \
		-extfile "$dir/$name.ext" -out "$dir/$name.pem" 2>>"$dir/pki.log"
}
