package unixsock

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// What the tests of package net use of that package's internals.

const someTimeout = time.Hour

func testableNetwork(network string) bool {
	switch network {
	case "unix", "unixgram", "unixpacket", "tcp", "tcp4", "udp", "udp4":
		return true
	}
	return false
}

func supportsIPv4() bool { return true }
func supportsIPv6() bool { return false }

func isDeadlineExceeded(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout() && errors.Is(err, os.ErrDeadlineExceeded)
}

func addCmdInheritedHandle(*exec.Cmd, uintptr) {}

func parseDialError(err error) error          { return parse("dial", err) }
func parseReadError(err error) error          { return parse("read", err) }
func parseWriteError(err error) error         { return parse("write", err) }
func parseAcceptError(err error) error        { return parse("accept", err) }
func parseCloseError(err error, _ bool) error { return parse("close", err) }
func parseCommonError(err error) error        { return parse("", err) }

// parse wants an error to be one of package net. (The original looks at what is in it, too.)
func parse(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*net.OpError); !ok || op != "" && e.Op != op {
		return fmt.Errorf("%s: unexpected error %#v", op, err)
	}
	return nil
}
