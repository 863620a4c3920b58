package leaktest

import (
	"fmt"
	"net"
	"os"
	"sync"
)

// warmUp makes the runtime, package net and the libraries below it open whatever they open once and
// keep: the poller (epoll and eventfd, kqueue, completion port) and, on Windows, what Winsock needs
// for TCP and UDP and the list of interfaces.
var warmUp = sync.OnceValue(func() error {
	for _, use := range []func() error{usePipe, useTCP, useUDP, useInterfaces} {
		if err := use(); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	return nil
})

func usePipe() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	r.Close()
	w.Close()
	return nil
}

func useTCP() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		return err
	}
	return server.Close()
}

// useUDP ignores that there is none: on Wine a program that was built without our overlay has no
// UDP.
func useUDP() error {
	if c, err := net.ListenPacket("udp", "127.0.0.1:0"); err == nil {
		c.Close()
	}
	return nil
}

// useInterfaces ignores that a sandbox may not let this process see any. Wine 10 opens a device for
// the question.
func useInterfaces() error {
	_, _ = net.Interfaces()
	return nil
}
