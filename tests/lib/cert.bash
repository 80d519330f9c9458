# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An authority and its certificates below $R, by $SYSBOXUP; and what must be true of them.
#
#   cert WORD...       sysboxup cert, quiet
#   cert_ca [OPTION]   makes the authority, opened by a key file in the tree
#   cert_dir NAME      the directory of the newest certificate of that name ("" of a common name is added by the caller)
#   cert_sane          what tests/tools/pkisane.c says is so; else what is not, and fails
#   cert_listed SERIAL whether a list has it

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

PKI_BELOW=var/lib/sysboxup/pki

cert() { "$SYSBOXUP" --root "$R" -q cert "$@"; }
cert_ca() { cert ca --key-file /ca.secret "$@"; }
cert_json() { "$SYSBOXUP" --root "$R" --json cert "$@"; }
# Not jq, which takes 30 ms to start.
cert_dir() { cert_json show "$1" | sed -n '/^{"event":"certificate",/s/.*,"path":"\([^"]*\)".*/\1/p'; }

PKISANE=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)/build/tools/pkisane

cert_sane() { "$PKISANE" "$R/$PKI_BELOW"; }
cert_listed() { "$PKISANE" "$R/$PKI_BELOW" "$1"; }
