#!/usr/bin/env bash
# Question:  vishvananda/netlink lists the system's unix sockets. Is Name the path that a listener is bound to?
# Expected:  yes, that string.
# Found:     the path, the NUL after it, and four bytes more: the length of an attribute counts its header of four bytes, and Name is
#            cut by it from where the value begins. What is in there is padding and the next attribute. Compared with a path, Name
#            never matches.
# Version:   github.com/vishvananda/netlink v1.3.1.
# Source:    vishvananda/netlink, socket_linux.go, attrsToUnixDiagInfoResp; Linux, net/unix/diag.c, sk_diag_dump_name.
# For you:   to find out who listens, cut Name at its first NUL; an abstract name begins with one.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
)

func main() {
	paths := []string{"netlink-names.sock", "netlink-names-1.sock"}
	for _, path := range paths {
		listener, err := net.Listen("unix", path)
		if err != nil {
			log.Fatal(err)
		}
		defer listener.Close()
	}
	sockets, err := netlink.UnixSocketDiagInfo()
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range paths {
		for _, s := range sockets {
			if s.Name != nil && strings.HasPrefix(*s.Name, path) {
				fmt.Printf("%s: %q, equal: %v\n", path, (*s.Name)[len(path):], *s.Name == path)
			}
		}
	}
}
GO
go_program github.com/vishvananda/netlink@v1.3.1
# A network namespace of its own has no other unix sockets.
unshare --user --map-root-user --net true 2>/dev/null || cannot "no network namespace for this user"
timeout 20 unshare --user --map-root-user --net ./program >names 2>&1 || cannot "$(head -n 1 names)"
found "after the paths" \
	'netlink-names.sock: "\x00\x00\f\x00\x04", equal: false netlink-names-1.sock: "\x00\x00\x00\x00\f", equal: false' "$(paste -sd ' ' names)"
verdict
