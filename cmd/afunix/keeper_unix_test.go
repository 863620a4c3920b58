//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"afunix"

	"golang.org/x/sys/unix"
)

// keeper is a process that sends its listener and goes on using it. It waits until somebody who has
// got it says "started"; then Accept must still keep to a deadline, let clients in, and be ended by
// Close.
func keeper(addr string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := sendTo(addr, l.(*net.TCPListener)); err != nil {
		return err
	}
	return bounded(func() error { return keepOn(l.(*net.TCPListener)) })
}

func keepOn(l *net.TCPListener) error {
	first, err := expectClient(l, "started")
	if err != nil {
		return err
	}
	defer first.Close()
	if err := l.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("Accept of nobody: %w", err)
	}
	if err := l.SetDeadline(time.Time{}); err != nil {
		return err
	}
	first.Close() // upon which the sender connects once more
	second, err := expectClient(l, "once more")
	if err != nil {
		return err
	}
	second.Close()
	time.AfterFunc(50*time.Millisecond, func() { l.Close() })
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("Accept during Close: %w", err)
	}
	return nil
}

// sendTo sends a descriptor to the process that listens at the address, and waits until that
// process closes the connection.
func sendTo(addr string, what afunix.Sendable) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := dialOptions{wait: patience}.dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.WriteMsg([]byte("x"), what); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil { // or the message goes on
		return err
	}
	_, err = io.Copy(io.Discard, c)
	return err
}

func bounded(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errors.New("it hangs")
	}
}

// expectClient lets in a client that says what it should.
func expectClient(l net.Listener, text string) (net.Conn, error) {
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(c)
	if err != nil || string(got) != text {
		c.Close()
		return nil, fmt.Errorf("a client said %q, %w", got, err)
	}
	return c, nil
}

// visitor is a program that recv starts. It calls twice at the address of the listener that it has
// inherited, whose flags it leaves alone.
func visitor() error {
	sa, err := unix.Getsockname(firstInherited)
	if err != nil {
		return err
	}
	addr := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: sa.(*unix.SockaddrInet4).Port}
	for _, text := range []string{"started", "once more"} {
		if err := call(addr.String(), text); err != nil {
			return err
		}
	}
	return nil
}

// call connects, says text, and waits for the end.
func call(addr, text string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c)
	return err
}

// sluggard is a process whose listener waits in accept(2), as those of C do. It sends it, and looks
// whether that is still so.
func sluggard(addr string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Listen(fd, 1); err != nil { // at a port of the system's choice
		return err
	}
	if err := sendTo(addr, afunix.Descriptor(fd)); err != nil {
		return err
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&syscall.O_NONBLOCK != 0 {
		err = errors.New("the listener does not wait any more")
	}
	return err
}
