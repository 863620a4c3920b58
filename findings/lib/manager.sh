# shellcheck shell=bash
# manager.sh runs systemd's user manager for a script: in namespaces of its own, without a bus, and with the units of $units alone.
# It is sourced after common.sh, which has folder, libraries and programs.
# shellcheck disable=SC2154
debian systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2
units=$folder/config/systemd/user
mkdir -p "$units" empty
mkdir -m 700 runtime
printf '[Unit]\nDescription=nothing\n' >"$units/default.target"

# unit NAME LINE… writes a unit file. The [Unit] section is empty, the other one is told by the name.
unit() {
	local name=$1 section=Service
	shift
	[[ $name != *.socket ]] || section=Socket
	printf '%s\n' "[$section]" "$@" >"$units/$name"
}

# manager runs its standard input, a shell script, beside a manager. ctl is systemctl there.
manager() {
	cat >beside.sh
	cat >namespace.sh <<'SH'
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit 77
systemd --user --unit=default.target --log-target=console >manager.log 2>&1 </dev/null &
for ((i = 0; i < 100; i++)); do
	[[ ! -S runtime/systemd/private ]] || break
	sleep 0.1
done
[[ -S runtime/systemd/private ]] || exit 77
ctl() {
	timeout 20 systemctl --user --quiet "$@"
}
source ./beside.sh
SH
	local status=0
	XDG_RUNTIME_DIR=$folder/runtime XDG_CONFIG_HOME=$folder/config XDG_DATA_HOME=$folder/empty \
		XDG_CONFIG_DIRS=$folder/empty XDG_DATA_DIRS=$folder/empty HOME=$folder/empty LD_LIBRARY_PATH=$libraries \
		PATH=$folder/tree/lib/systemd:$programs:$PATH timeout -k 1 120 \
		unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc bash namespace.sh >beside.log 2>&1 || status=$?
	[[ $status == 0 ]] || cannot "a user manager does not run here: $(cat manager.log beside.log 2>/dev/null | tail -n 1)"
}
