# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# OpenPGP keys and signatures for tests, in a home of their own below DIR. Call keys_stop at the end: gpg starts an agent.

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

# keys_gpg DIR ARG...
keys_gpg()
{
	local dir=$1
	shift
	gpg --homedir "$dir/gnupg" --batch --quiet --yes --pinentry-mode loopback --passphrase '' --no-auto-check-trustdb "$@" \
		2>>"$dir/keys.log"
}

# keys_make DIR NAME [ALGO [GPG-OPTION...]]: DIR/NAME.fpr, DIR/NAME.gpg (the public key)
keys_make()
{
	local dir=$1 name=$2 algo=${3:-ed25519}
	shift 2
	shift $(($# > 0 ? 1 : 0))
	mkdir -p "$dir/gnupg"
	chmod 700 "$dir/gnupg"
	# gpg waits 5 s for the agent that it starts, which a busy machine may not give; this one listens when it has returned
	gpg-agent --homedir "$dir/gnupg" --daemon >/dev/null 2>>"$dir/keys.log" 3>&- || :
	keys_gpg "$dir" "$@" --quick-generate-key "$name <$name@sysboxup.example>" "$algo" sign "${KEY_EXPIRES:-never}"
	keys_gpg "$dir" --with-colons --list-keys "$name@sysboxup.example" | awk -F: '$1 == "fpr" { print $10; exit }' >"$dir/$name.fpr"
	keys_gpg "$dir" --export "$name@sysboxup.example" >"$dir/$name.gpg"
}

# keys_sign DIR NAME FILE OUT [GPG-OPTION...]
keys_sign()
{
	local dir=$1 name=$2 file=$3 out=$4
	shift 4
	keys_gpg "$dir" "$@" --local-user "$(cat "$dir/$name.fpr")" --output "$out" --detach-sign "$file"
}

# keys_revoke DIR NAME: exports the key again, revoked
keys_revoke()
{
	local dir=$1 name=$2 fpr
	fpr=$(cat "$dir/$name.fpr")
	sed 's/^:-----BEGIN/-----BEGIN/' "$dir/gnupg/openpgp-revocs.d/$fpr.rev" | keys_gpg "$dir" --import
	keys_gpg "$dir" --export "$fpr" >"$dir/$name.gpg"
}

keys_stop()
{
	gpgconf --homedir "$1/gnupg" --kill all
}
