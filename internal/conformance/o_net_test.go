package conformance

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
)

const ofDropin = "package net's own call; the API of this package has WriteMsg and ReadMsg in its place (rows 15, 17)"

func TestRow182(t *testing.T) { notObservable(t, ofDropin) }
func TestRow183(t *testing.T) { notObservable(t, ofDropin) }

func TestRow186(t *testing.T) {
	each(t, "sd", func(e *env) {
		a, b := e.pair()
		if n, err := b.Read(nil); e.stream() && (n != 0 || err != nil) {
			e.Errorf("Read of nothing = %d, %v", n, err)
		}
		if n, err := a.Write(nil); n != 0 || err != nil {
			e.Errorf("Write of nothing = %d, %v", n, err)
		}
		if e.datagram() {
			e.recv(b, 9, "", 0)
		} else {
			e.blocksReading(b)
		}
		e.hangUp(b, a)
		e.fails(second(a.Write(nil)), e.goneFor())
	})
}

func TestRow187(t *testing.T) {
	each(t, "sd", func(e *env) {
		a, b := e.pair()
		if a.LocalAddr().String() != "@" || a.RemoteAddr().String() != "@" {
			e.Errorf("%v, %v", a.LocalAddr(), a.RemoteAddr())
		}
		e.send(a, "x")
		if _, from, err := b.ReadFrom(make([]byte, 9)); err != nil || from != nil && from != (*net.UnixAddr)(nil) && e.datagram() {
			e.Errorf("from %v, %v", from, err)
		}
		if e.datagram() {
			if name := e.listenPacket("").LocalAddr().String(); !autobound.MatchString(name) {
				e.Errorf("name %q", name)
			}
		}
	})
}

func TestRow188(t *testing.T) {
	each(t, "s", func(e *env) {
		name := "@nul\x00inside" + filepath.Base(e.path()) + filepath.Base(e.dir)
		l := e.listen(name)
		e.dial(name)
		e.accept(l)
		e.fails(second(e.tryDial("@nul")), syscall.ECONNREFUSED)
		if got := l.Addr().String(); got != "@nul" {
			e.Errorf("called %q", got)
		}
	})
}

func TestRow189(t *testing.T) {
	each(t, "s", func(e *env) {
		lc := e.config()
		lc.Backlog = 1
		l := e.listenWith(lc, e.path())
		for range 2 {
			e.dial(l.Addr().String())
		}
		d := afunix.Dialer{Transport: e.transport, Timeout: patience}
		_, err := d.DialContext(e.Context(), e.network, l.Addr().String())
		var ne net.Error
		if !errors.Is(err, syscall.EAGAIN) || !errors.As(err, &ne) || !ne.Timeout() {
			e.Errorf("%v", err)
		}
	})
}

func TestRow190(t *testing.T) {
	each(t, "sq", func(e *env) {
		other := map[string]string{"unix": "unixpacket", "unixpacket": "unix"}[e.network]
		l := e.listen(e.path())
		addr := l.Addr().String()
		d := afunix.Dialer{Transport: e.transport}
		e.fails(second(d.DialContext(e.Context(), other, addr)), syscall.EPROTOTYPE)
		e.fails(second(d.DialContext(e.Context(), "unixgram", addr)), syscall.EPROTOTYPE)
		e.fails(second(e.tryDial(e.path())), fs.ErrNotExist)
		e.fails(second(e.bind(addr)), syscall.EADDRINUSE)
		l.SetUnlinkOnClose(false)
		e.check(l.Close())
		e.fails(second(e.tryDial(addr)), syscall.ECONNREFUSED)
		e.fails(second(e.bind("@"+long(108))), syscall.EINVAL)
		if runtime.GOOS != "windows" { // where a path may be as long as a file's
			e.fails(second(e.bind("/"+long(107))), syscall.EINVAL)
		}
		e.fails(second(e.tryDial("@"+long(108))), syscall.EINVAL)
		longest := "@" + long(107)
		s, err := e.bind(longest)
		e.check(err)
		e.dial(longest)
		e.check(s.Close())
		path := e.path()
		path += strings.Repeat("p", 107-len(path))
		e.dial(e.listen(path).Addr().String())
	})
}

func TestRow191(t *testing.T) {
	each(t, "sd", func(e *env) {
		there := func(path string) bool {
			_, err := os.Lstat(path)
			return err == nil
		}
		path := e.path()
		if e.datagram() {
			e.check(e.listenPacket(path).Close())
			if !there(path) {
				e.Error("Close has removed the socket file")
			}
			return
		}
		e.check(e.listen(path).Close())
		if there(path) {
			e.Error("Close has left the socket file")
		}
		l := e.listen(path)
		l.SetUnlinkOnClose(false)
		e.check(l.Close())
		if !there(path) {
			e.Error("Close has removed the socket file")
		}
		e.check(os.Remove(path))
	})
}

func TestRow193(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, b := e.pair()
		e.blocksReading(a)
		failed := make(chan error, 1)
		go func() { failed <- second(a.Read(make([]byte, 1))) }()
		time.Sleep(moment) // it most likely waits
		e.check(a.Close())
		e.fails(<-failed, net.ErrClosed)
		e.fails(a.Close(), net.ErrClosed)
		if e.datagram() {
			return
		}
		e.ends(b)
		l := e.listen(e.path())
		go func() { failed <- second(l.Accept()) }()
		time.Sleep(moment)
		e.check(l.Close())
		e.fails(<-failed, net.ErrClosed)
	})
}

func TestRow196(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client, other := e.dial(path), e.listenPacket(e.path())
		for range 11 {
			e.send(client, "x")
		}
		done := make(chan error, 2)
		go func() { done <- second(client.Write([]byte("late"))) }()
		go func() { done <- e.writeTo(other, path, "late") }()
		time.Sleep(moment)
		for range 11 {
			e.recv(server, 9, "x", 0)
		}
		for range 2 {
			e.recv(server, 9, "late", 0)
			e.check(<-done)
		}
	})
}

func TestRow197(t *testing.T) {
	each(t, "d", func(e *env) {
		a, b := e.pair()
		for _, c := range []*afunix.Conn{a, e.listenPacket(e.path())} {
			e.check(c.CloseRead())
			e.blocksReading(c)
		}
		e.fails(second(b.Write([]byte("x"))), syscall.EPIPE)
	})
}

// File has no counterpart: SyscallConn lends the descriptor.
func TestRow198(t *testing.T) {
	each(t, "q", func(e *env) {
		a, b := e.pair()
		e.send(a, "abcdef")
		e.send(a, "next")
		e.read(b, 2, "ab")
		e.read(b, 9, "next")
	})
}

func TestRow199(t *testing.T) {
	each(t, "s", func(e *env) {
		l := e.listen(e.path())
		c := e.dial(l.Addr().String())
		e.check(l.Close())
		e.fails(second(c.Read(make([]byte, 1))), syscall.ECONNRESET)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			e.Errorf("%d, %v; want the end", n, err)
		}
	})
}

// WriteMsg goes on to the end, as Write does.
func TestRow200(t *testing.T) {
	eachPassing(t, "s", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		const size = 1 << 20
		done := make(chan error, 1)
		go func() {
			n, err := a.WriteMsg(make([]byte, size), w.w)
			if err == nil && n != size {
				err = io.ErrShortWrite
			}
			done <- err
		}()
		got, rights := 0, 0
		for got < size {
			m, err := b.ReadMsg(make([]byte, 1<<16))
			e.check(err)
			if rights += m.Rights.Len(); got == 0 && rights != 1 {
				e.Error("the descriptor did not come with the first byte")
			}
			e.check(m.Rights.Close())
			got += len(m.Data)
		}
		e.check(<-done)
		if rights != 1 {
			e.Errorf("%d descriptors", rights)
		}
		w.released()
	})
}
