#!/usr/bin/env bash
# Question:  nng listens at ipc:///…/a%20b.sock and at abstract://a%20b. What are the names?
# Expected:  "a b.sock" and "a b": both are URLs, and are unescaped or not, but alike.
# Found:     "a%20b.sock" is the file, "a b" the abstract name: only the abstract one is unescaped (which is how a NUL gets into it).
# Version:   nng-utils 1.5.2-2.
# Source:    nng, src/platform/posix/posix_ipclisten.c and posix_ipcdial.c; src/core/url.c, nni_url_decode.
# For you:   what is told to nng as a URL is not the name that net.Dial and afunix.Dial take: "@a b" and "…/a%20b.sock".
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian nng-utils=1.5.2-2 libnng1=1.5.2-2 libmbedcrypto7=2.28.3-1 libmbedtls14=2.28.3-1 libmbedx509-1=2.28.3-1
abstract=$(basename "$folder")
start nngcat --rep --listen "ipc://$folder/a%20b.sock" --data answer
start nngcat --rep --listen "abstract://$abstract%20b" --data answer
called() {
	timeout 10 python3 -c '
import os, socket, sys, time
for _ in range(100):
    for name in sys.argv[1:]:
        try:
            socket.socket(socket.AF_UNIX).connect(name.replace("@", "\0"))
            print(os.path.basename(name).replace(sys.argv[1].split(" ")[0], "NAME") if name[0] == "@" else os.path.basename(name))
            raise SystemExit
        except OSError:
            time.sleep(0.05)
print("neither")' "$@"
}
found "ipc:///…/a%20b.sock" "a%20b.sock" "$(called "$folder/a b.sock" "$folder/a%20b.sock")"
found "abstract://NAME%20b" "NAME b" "$(called "@$abstract b" "@$abstract%20b")"
verdict
