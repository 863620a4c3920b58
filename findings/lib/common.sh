# shellcheck shell=bash
# common.sh is what the scripts of this folder share: a temporary folder, pinned packages in it, and a verdict. It is sourced, not run.
# A script ends with 0 if what it saw is what was found before, with 1 if that has changed, and with 77 if it could not be seen here,
# for instance because a registry no longer has the pinned version.
set -euo pipefail
umask 022

changed=no
# shellcheck disable=SC2034 # some scripts use it
lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
libraries=$folder/tree/usr/lib/x86_64-linux-gnu:$folder/tree/lib/x86_64-linux-gnu:$folder/tree/lib/x86_64-linux-gnu/systemd
programs=$folder/tree/usr/bin:$folder/tree/usr/sbin:$folder/tree/bin:$folder/tree/sbin
cleanup() {
	local running
	running=$(jobs -p)
	# shellcheck disable=SC2086 # one word for each process
	[[ -z $running ]] || kill $running 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"

cannot() {
	echo "not judged: $*"
	exit 77
}

# debian NAME=VERSION… unpacks Debian packages below the temporary folder. Nothing is installed, and no root is needed.
debian() {
	local package
	apt-get -qq -o APT::Sandbox::User=root download "$@" >apt.log 2>&1 || cannot "apt-get download $*: $(tail -n 1 apt.log)"
	for package in *.deb; do
		dpkg -x "$package" tree
		rm "$package"
	done
}

# unpacked PROGRAM… runs a program of the packages that debian has unpacked; start runs it in the background, as $!.
unpacked() {
	LD_LIBRARY_PATH=$libraries PATH=$programs:$PATH timeout -k 1 20 "$@"
}
start() {
	LD_LIBRARY_PATH=$libraries PATH=$programs:$PATH timeout -k 1 20 "$@" &
}

# npm_packages NAME@VERSION… installs npm packages in the temporary folder.
npm_packages() {
	[[ -f package.json ]] || echo '{"private": true}' >package.json
	timeout 300 npm install --silent --no-audit --no-fund "$@" >npm.log 2>&1 || cannot "npm install $*: $(grep -m 1 -i error npm.log || true)"
}

# go_program MODULE@VERSION… builds main.go with these modules, as ./program.
go_program() {
	export GOWORK=off GOFLAGS=-mod=mod
	{
		[[ -f go.mod ]] || go mod init finding
		timeout 300 go get "$@" && go mod tidy && go build -o program .
	} >go.log 2>&1 || cannot "go get $*: $(tail -n 1 go.log)"
}

# there PATH waits until PATH is there, for fifteen seconds at most.
there() {
	local i
	for ((i = 0; i < 300; i++)); do
		[[ ! -e $1 ]] || return 0
		sleep 0.05
	done
	cannot "$1 did not appear"
}

# found WHAT FORMER NOW says what was seen, and notes whether it is what was seen before.
found() {
	[[ $3 != "not judged"* ]] || cannot "$1: ${3#not judged: }"
	echo "$1: $3"
	[[ $2 == "$3" ]] || {
		echo "  this has changed; it was: $2"
		changed=yes
	}
}

# verdict ends a script.
verdict() {
	[[ $changed == no ]] || {
		echo "changed"
		exit 1
	}
	echo "as found"
}
