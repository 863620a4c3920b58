#!/usr/bin/env bash
# Question:  DOCKER_HOST=unix://run/x.sock, with two slashes, and unix:/run/x.sock, with one. Which socket do Docker's clients for Go,
#            Node and Python call?
# Expected:  all the same: run/x.sock below the current folder, and either /run/x.sock or an error.
# Found:     unix://run/x.sock is run/x.sock for Go and Node, and /run/x.sock for Python, which lower-cases the first element, too
#            (unix://Run/x.sock is /run/x.sock). unix:/run/x.sock is an error for Go, the socket for Python, and for Node the host named
#            "unix" on the network, port 80 of HTTP.
# Version:   github.com/docker/docker v28.5.2, docker-modem 5.0.7 (npm), python3-docker 5.0.3-1.
# Source:    docker, client/client.go, ParseHostURL; docker-modem, lib/modem.js, defaultOpts; docker-py, docker/utils/utils.py, parse_host.
# For you:   who reads DOCKER_HOST or prints it for others writes three slashes, and nothing else. afunix takes paths, not URLs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages docker-modem@5.0.7
debian python3-docker=5.0.3-1 python3-requests=2.28.1+dfsg-1 python3-urllib3=1.26.12-1+deb12u4 python3-websocket=1.2.3-1 python3-six=1.16.0-4 \
	python3-idna=3.3-1+deb12u1 python3-chardet=5.1.0+dfsg-2 python3-charset-normalizer=3.0.1-2 python3-certifi=2022.9.24-1 python3-packaging=23.0-1
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/docker/docker/client"
)

func main() {
	for _, host := range os.Args[1:] {
		os.Setenv("DOCKER_HOST", host)
		c, err := client.NewClientWithOpts(client.FromEnv, client.WithVersion("1.41"))
		if err != nil {
			fmt.Println("an error")
			continue
		}
		v, err := c.ServerVersion(context.Background())
		fmt.Println(v.Version, err)
	}
}
GO
go_program github.com/docker/docker@v28.5.2+incompatible
cat >server.py <<'PY'
import os, socket, sys, threading
def serve(listener, name):
    while True:
        client, _ = listener.accept()
        client.recv(1000)
        body = b'{"Version": "%s"}' % name
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        client.close()
for path in sys.argv[1:]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    threading.Thread(target=serve, args=[listener, b"absolute" if path[0] == "/" else b"relative"]).start()
PY
cat >modem.js <<'JS'
const Modem = require('docker-modem');
// Whom it calls, without a call: the host's name is none of ours.
for (const host of process.argv.slice(2)) {
	process.env.DOCKER_HOST = host;
	const {socketPath, protocol, host: name, port} = new Modem();
	console.log(socketPath ? (socketPath[0] == '/' ? 'absolute' : 'relative') : `${protocol}://${name}:${port || 80}`);
}
JS
cat >modem.py <<'PY'
import docker, os, sys
for host in sys.argv[1:]:
    os.environ["DOCKER_HOST"] = host
    try:
        print(docker.DockerClient.from_env(version="1.41", timeout=10).version()["Version"])
    except Exception as e:
        print("an error")
PY
# The temporary folder's path without the first slash, below the folder itself, is a path that is there twice.
mkdir -p "${folder#/}"
start python3 server.py "$folder/x.sock" "${folder#/}/x.sock"
there "$folder/x.sock"
there "${folder#/}/x.sock"
hosts=("unix://$folder/x.sock" "unix://${folder#/}/x.sock" "unix:$folder/x.sock")
export PYTHONPATH=$folder/tree/usr/lib/python3/dist-packages
echo "each: unix:///…/x.sock, unix://…/x.sock, unix:/…/x.sock"
found "Go" "absolute <nil>, relative <nil>, an error" "$(timeout 20 ./program "${hosts[@]}" | paste -sd , | sed 's/,/, /g')"
found "Node" "absolute, relative, http://unix:80" "$(timeout 20 node modem.js "${hosts[@]}" | paste -sd , | sed 's/,/, /g')"
found "Python" "absolute, absolute, absolute" "$(timeout 20 python3 modem.py "${hosts[@]}" | paste -sd , | sed 's/,/, /g')"
found "Python, of unix://Run/x.sock" "http+unix://run//x.sock" \
	"$(python3 -c 'from docker.utils import parse_host; print(parse_host("unix://Run/x.sock"))')"
verdict
