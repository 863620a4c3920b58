#!/usr/bin/env bash
# Question:  a server is told to listen at "", as from a variable that is not set. What does Go's net.Listen("unix", "") say?
# Expected:  "missing address", as net.Dial("unix", "") does; and as Node says (ERR_INVALID_ARG_VALUE).
# Found:     nothing: it listens at a name of the kernel's choice, "@" and five hexadecimal digits, which nobody can guess. ListenPacket
#            likewise.
# Version:   the Go that is installed (1.26), Node 20.
# Source:    Go, net/unixsock.go, ResolveUnixAddr (it takes any string), net/dial.go (Dial alone asks for an address); unix(7), "Autobind
#            feature".
# For you:   afunix.Listen keeps to package net here: a program that takes its address from outside refuses "" itself, or prints Addr().
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"net"
	"regexp"
)

var chosen = regexp.MustCompile(`^@[0-9a-f]{5}$`)

func main() {
	listener, err := net.Listen("unix", "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Listen:", chosen.MatchString(listener.Addr().String()))
	conn, err := net.ListenPacket("unixgram", "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ListenPacket:", chosen.MatchString(conn.LocalAddr().String()))
	_, err = net.Dial("unix", "")
	fmt.Println("Dial:", err)
}
GO
GOWORK=off GO111MODULE=off go build -o program main.go 2>go.log || cannot "go build: $(tail -n 1 go.log)"
timeout 20 ./program >seen 2>&1 || true
cat >server.js <<'JS'
try {
	require('net').createServer().on('error', e => { console.log(e.code); }).listen({path: ''}, () => { console.log('listens'); process.exit(); });
} catch (e) {
	console.log(e.code);
}
JS
found "Listen, ListenPacket: a name of the kernel's choice" "true true" "$(sed -n 's/^Listen.*: //p' seen | paste -sd ' ')"
found "Dial" "dial unix: missing address" "$(sed -n 's/^Dial: //p' seen)"
found "Node" ERR_INVALID_ARG_VALUE "$(timeout 20 node server.js)"
verdict
