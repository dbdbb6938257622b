# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by run.sh and check.sh: sb_install PACKAGE... installs those that are missing, and nothing when none is.

sb_as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -n "$@"
	else
		echo "this needs root or sudo: $*"
		return 1
	fi
}

sb_missing() {
	local package
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
	done
}

sb_install() {
	local missing
	if ! command -v dpkg-query >/dev/null; then
		echo "not a Debian system: install what these packages hold by hand: $*"
		return 0
	fi
	mapfile -t missing < <(sb_missing "$@")
	[ ${#missing[@]} = 0 ] && return 0
	echo "installing: ${missing[*]}"
	sb_as_root apt-get -qq -o DPkg::Lock::Timeout=120 update &&
		sb_as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 \
			install --no-install-recommends "${missing[@]}"
}
