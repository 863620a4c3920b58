package main

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"afunix"
)

// A thing is what send opens and hands over. Its Close closes what was opened for it.
type thing interface {
	afunix.Sendable
	io.Closer
}

// A borrowed thing was open before, and stays so.
type borrowed struct{ afunix.Descriptor }

func (borrowed) Close() error { return nil }

// openers open things by the prefix of their argument, and get the rest of it.
var openers = map[string]func(ctx context.Context, rest string) (thing, error){
	"fd":         func(_ context.Context, n string) (thing, error) { return openInherited(n) },
	"tcp":        dialTCP,
	"tcp-listen": listenTCP,
	"udp":        listenUDP,
}

// openThing opens what an argument names: that of a prefix, or else a file or directory for
// reading.
func openThing(ctx context.Context, arg string) (thing, error) {
	if prefix, rest, ok := strings.Cut(arg, ":"); ok {
		if open := openers[prefix]; open != nil {
			return open(ctx, rest)
		}
	}
	return asThing(os.Open(arg))
}

// openThings opens all of the arguments, or none.
func openThings(ctx context.Context, args []string) ([]thing, error) {
	var things []thing
	for _, arg := range args {
		t, err := openThing(ctx, arg)
		if err != nil {
			closeThings(things)
			return nil, err
		}
		things = append(things, t)
	}
	return things, nil
}

// closeThings closes what was opened to be handed over, and had nothing written to it: there is no
// error to hear of.
func closeThings(things []thing) {
	for _, t := range things {
		t.Close()
	}
}

func openInherited(number string) (thing, error) {
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return nil, usagef("fd:%s: not the number of a descriptor", number)
	}
	d, err := openNumber(uintptr(n))
	return borrowed{d}, err
}

func dialTCP(ctx context.Context, addr string) (thing, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

func listenTCP(ctx context.Context, addr string) (thing, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

func listenUDP(ctx context.Context, addr string) (thing, error) {
	c, err := new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

// asThing makes a nil interface of a nil pointer.
func asThing[T thing](t T, err error) (thing, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}
