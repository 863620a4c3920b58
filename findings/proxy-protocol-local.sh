#!/usr/bin/env bash
# Question:  the PROXY protocol, version 2, has addresses of AF_UNIX. A local client that is bound to a path calls HAProxy, which tells
#            its server (send-proxy-v2) who calls. And HAProxy is told so by a relay in Go (accept-proxy). What is said, and understood?
# Expected:  the paths, both times.
# Found:     HAProxy says LOCAL without an address, which stands for a connection of the proxy's own, such as a health check. And it
#            resets a connection that comes with AF_UNIX addresses, as go-proxyproto writes them for two net.UnixAddr ("invalid PROXY
#            protocol header"); with TCP's addresses it is served.
# Version:   haproxy 2.6.12-1+deb12u4, github.com/pires/go-proxyproto v0.12.0.
# Source:    HAProxy, src/connection.c, make_proxy_line_v2 and conn_recv_proxy; doc/proxy-protocol.txt, 2.2; go-proxyproto, v2.go.
# For you:   a relay of afunix connections in front of HAProxy sends version 1, "PROXY UNKNOWN". Who the client is says Credentials, and
#            only the relay can ask.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian haproxy=2.6.12-1+deb12u4 libopentracing-c-wrapper0=1.1.3-3+b1 libopentracing1=1.6.0-4 liblua5.3-0=5.3.6-2
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/pires/go-proxyproto"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// serve tells what each connection says of its client.
func serve() {
	listener, err := net.Listen("unix", "server.sock")
	must(err)
	for {
		conn, err := listener.Accept()
		must(err)
		r := bufio.NewReader(conn)
		h, err := proxyproto.Read(r)
		must(err)
		_, err = r.ReadString('\n')
		must(err)
		fmt.Fprintf(conn, "local %v, from %v to %v\n", h.Command.IsLocal(), h.SourceAddr, h.DestinationAddr)
		conn.Close()
	}
}

// call calls through HAProxy, as the client or with a header in front, and gives the server's answer.
func call(path, local string, h *proxyproto.Header) {
	var from *net.UnixAddr
	if local != "" {
		from = &net.UnixAddr{Net: "unix", Name: local}
	}
	conn, err := net.DialUnix("unix", from, &net.UnixAddr{Net: "unix", Name: path})
	must(err)
	defer conn.Close()
	if h != nil {
		_, err = h.WriteTo(conn)
		must(err)
	}
	_, err = conn.Write([]byte("hello\n"))
	must(err)
	must(conn.SetReadDeadline(time.Now().Add(10 * time.Second)))
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		answer = "no answer\n"
	}
	fmt.Print(answer)
}

func main() {
	if os.Args[1] == "serve" {
		serve()
	}
	unix := func(path string) net.Addr { return &net.UnixAddr{Net: "unix", Name: path} }
	tcp := func(host byte) net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, host), Port: 80} }
	call("sends.sock", "client.sock", nil)
	call("accepts.sock", "", proxyproto.HeaderProxyFromAddrs(2, tcp(1), tcp(2)))
	call("accepts.sock", "", proxyproto.HeaderProxyFromAddrs(2, unix("/client"), unix("/server")))
	call("accepts.sock", "", proxyproto.HeaderProxyFromAddrs(1, unix("/client"), unix("/server")))
	call("server.sock", "", proxyproto.HeaderProxyFromAddrs(2, unix("/client"), unix("/server")))
}
GO
go_program github.com/pires/go-proxyproto@v0.12.0
cat >haproxy.cfg <<CFG
global
	log stdout format raw local0
defaults
	mode tcp
	log global
	option tcplog
	timeout connect 5s
	timeout client 10s
	timeout server 10s
	default_backend server
frontend sends
	bind unix@$folder/sends.sock
frontend accepts
	bind unix@$folder/accepts.sock accept-proxy
backend server
	server server unix@$folder/server.sock send-proxy-v2
CFG
./program serve &
there server.sock
start haproxy -db -f haproxy.cfg >haproxy.log 2>&1
there accepts.sock
timeout 40 ./program call >seen
found "HAProxy says of a local client" "local true, from <nil> to <nil>" "$(sed -n 1p seen)"
found "HAProxy is told TCP addresses" "local false, from 192.0.2.1:80 to 192.0.2.2:80" "$(sed -n 2p seen)"
found "HAProxy is told paths" "no answer: Received an invalid PROXY protocol header" \
	"$(sed -n 3p seen): $(grep -o 'Received an invalid.*' haproxy.log | head -n 1)"
found "HAProxy is told UNKNOWN" "local true, from <nil> to <nil>" "$(sed -n 4p seen)"
found "the server is told paths" "local false, from /client to /server" "$(sed -n 5p seen)"
verdict
