# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# points NAME N: says that the campaign NAME tried N points, and fails when tests/crash/points asks for more of it.
# A campaign that shrinks is a campaign that went blind: whoever lowers a floor says why beside it.

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

points() {
	local floor
	floor=$(awk -v name="$1" '$1 == name { print $2 }' "$REPO/tests/crash/points")
	echo "# $1: $2 points (floor ${floor:-none})" >&3
	if [[ ! $floor =~ ^[0-9]+$ ]]; then
		echo "points: '$1' has not one floor in tests/crash/points but '$floor'"
		return 1
	fi
	if [ "$2" -lt "$floor" ]; then
		echo "points: '$1' tried $2 points, tests/crash/points wants $floor: mend the campaign, or say there why there are fewer"
		return 1
	fi
}
