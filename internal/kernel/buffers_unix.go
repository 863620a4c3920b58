//go:build unix

package kernel

import (
	"sync"
	"syscall"

	"afunix/internal/transport"
)

// maxSlices is how many slices one sendmsg takes: UIO_MAXIOV.
const maxSlices = 1024

// A gathering is one WriteBuffers in progress, pooled like a sending.
type gathering struct {
	vector
	all    [][]byte // a copy of the caller's slices, to be kept for the next WriteBuffers
	rest   [][]byte // of all: what has not been sent
	stream bool
	sent   int64
	err    error
	step   func(fd uintptr) bool
}

var gatherings = sync.Pool{New: func() any {
	g := new(gathering)
	g.step = g.send
	return g
}}

// WriteBuffers makes one sendmsg of all slices. If a stream takes only the beginning, the rest
// follows, and no other Send or Write comes in between: package net holds the socket's write lock
// meanwhile.
func (c *Conn) WriteBuffers(b [][]byte) (int64, error) {
	if transport.Length(b) == 0 || len(b) > maxSlices && c.network != stream {
		return transport.Joined(b, c.Write)
	}
	g := gatherings.Get().(*gathering)
	defer g.free()
	g.all = append(g.all[:0], b...)
	g.rest, g.stream = g.all, c.network == stream
	err := inner(c.raw.Write(g.step))
	if err == nil {
		err = g.err
	}
	return g.sent, err
}

// send is called until it returns true, with time to wait for room in between.
func (g *gathering) send(fd uintptr) bool {
	for {
		n, err := g.writev(fd, g.rest[:min(len(g.rest), maxSlices)])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			g.err = err
			return true
		}
		g.sent += int64(n)
		if g.skip(n); !g.stream || len(g.rest) == 0 {
			return true
		}
	}
}

// skip takes n bytes, and the empty slices behind them, off the beginning of rest.
func (g *gathering) skip(n int) {
	for len(g.rest) > 0 && n >= len(g.rest[0]) {
		n -= len(g.rest[0])
		g.rest = g.rest[1:]
	}
	if len(g.rest) > 0 {
		g.rest[0] = g.rest[0][n:]
	}
}

func (g *gathering) free() {
	clear(g.all)
	g.clear()
	*g = gathering{vector: g.vector, all: g.all[:0], step: g.step}
	gatherings.Put(g)
}
