#!/usr/bin/env bash
# Question:  gVisor's unet makes room for one descriptor (EnableFDs(1)), and the peer sends two with one message. What is received?
# Expected:  one; the kernel closes the other and sets MSG_CTRUNC.
# Found:     both. The control buffer is CMSG_SPACE(4), which is 24 bytes on 64-bit systems: padding included, and the kernel fills
#            that with a second descriptor. Nothing is truncated, and whoever takes only the first one leaves the second open.
#            CMSG_LEN(4), 20 bytes, is room for one; Go's CmsgSpace is the former.
# Version:   gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237, pkg/unet; 64-bit Linux.
# Source:    gVisor, pkg/unet/unet.go, ControlMessage.EnableFDs; Linux, net/core/scm.c, scm_max_fds; cmsg(3).
# For you:   a limit by the size of a control buffer is no limit of one. afunix has room for 253, and Rights closes what is not taken.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"os"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/unet"
)

func main() {
	sender, receiver, err := unet.SocketPair(true)
	if err != nil {
		log.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range []int{2, 3} {
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(null.Fd())
		}
		if err := unix.Sendmsg(sender.FD(), []byte("x"), unix.UnixRights(fds...), nil, 0); err != nil {
			log.Fatal(err)
		}
		reader := receiver.Reader(true)
		reader.EnableFDs(1)
		_, readErr := reader.ReadVec([][]byte{make([]byte, 8)})
		got, err := reader.ExtractFDs()
		fmt.Printf("%d sent, %d received, errors %v %v; ", n, len(got), readErr, err)
		for _, fd := range got {
			unix.Close(fd)
		}
	}
	fmt.Println("room", unix.CmsgSpace(4), "of", unix.CmsgLen(4))
}
GO
go_program gvisor.dev/gvisor@v0.0.0-20260905035102-160fafc42237
found "with room for one" \
	"2 sent, 2 received, errors <nil> <nil>; 3 sent, 2 received, errors <nil> <nil>; room 24 of 20" "$(timeout 20 ./program)"
verdict
