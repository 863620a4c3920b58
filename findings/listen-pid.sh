#!/usr/bin/env bash
# Question:  LISTEN_FDS=1 and the PID of another process are in the environment, as in a grandchild of an activated service. What does
#            the npm module "systemd" make of descriptor 3?
# Expected:  nothing; sd_listen_fds(3) says that the descriptors are for LISTEN_PID alone.
# Found:     it listens on it. LISTEN_PID is not looked at, nor unset, so that every Node program below an activated one takes
#            descriptor 3 for its listener, whatever that is by then; server.address() is null.
# Version:   systemd 0.4.0 (npm), with the Node that is installed.
# Source:    systemd, lib/systemd.js; sd_listen_fds(3), "Notes".
# For you:   a Go program that starts such programs removes LISTEN_FDS and LISTEN_PID from their environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages systemd@0.4.0
cat >server.js <<'JS'
require('systemd');
const server = require('net').createServer(conn => 
	conn.end('served by ' + (process.env.LISTEN_PID == process.pid ? 'LISTEN_PID' : 'another')));
server.on('error', e => { console.log(e.code); process.exit(); });
server.listen('systemd');
setTimeout(() => process.exit(), 5000);
JS
cat >activate.py <<'PY'
import os, socket, subprocess
listener = socket.socket(socket.AF_UNIX)
listener.bind("s.sock")
listener.listen(1)
os.dup2(listener.fileno(), 3)
env = dict(os.environ, LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
child = subprocess.Popen(["node", "server.js"], pass_fds=[3], env=env)
client = socket.socket(socket.AF_UNIX)
client.settimeout(4)
client.connect("s.sock")
try:
    print(client.recv(100).decode())
except TimeoutError:
    print("not served")
child.kill()
child.wait()
PY
found "the connection was" "served by another" "$(timeout 20 python3 activate.py)"
verdict
