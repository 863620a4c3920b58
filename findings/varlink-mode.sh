#!/usr/bin/env bash
# Question:  a varlink service in Go listens at "unix:/run/x.sock;mode=0666", the form of address that libvarlink takes. Which mode has
#            the socket file?
# Expected:  0666, so that every user may connect, or an error about a parameter that is not known.
# Found:     0755 with umask 022: what follows the semicolon is cut off, unread, whatever it is; only root and the owner may connect.
# Version:   github.com/varlink/go v0.4.1-0.20261015173642-c935be0c53f7.
# Source:    varlink/go, varlink/service.go, parseAddress; libvarlink, lib/uri.c and transport-unix.c.
# For you:   make the listener yourself, with the mode it should have (umask, or chmod), and give it to the service.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/varlink/go/varlink"
)

func main() {
	for _, parameter := range []string{"mode=0666", "nonsense"} {
		service, err := varlink.NewService("finding", "finding", "1", "")
		if err != nil {
			log.Fatal(err)
		}
		path := parameter[:4] + ".sock"
		go service.Listen(context.Background(), "unix:"+path+";"+parameter, 0)
		for range 100 {
			if info, err := os.Stat(path); err == nil {
				fmt.Printf("%s %#o ", parameter, info.Mode().Perm())
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
GO
go_program github.com/varlink/go@v0.4.1-0.20261015173642-c935be0c53f7
found "parameter and mode" "mode=0666 0755 nonsense 0755 " "$(timeout 20 ./program)"
verdict
