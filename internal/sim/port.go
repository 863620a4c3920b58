package sim

import (
	"context"
	"net"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// A port is what listens: a file, as an end of a pipe is one. Guarded by World.mu.
type port struct {
	w        *World
	opener   *Process
	number   int            // of one that has a name
	queue    []*messagePipe // that nobody has accepted
	released bool
}

// Released is called when nobody listens any more.
func (o *port) Released() {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	o.released = true
	for _, p := range o.queue {
		p.server.released = true
	}
	o.queue = nil
}

// A source is a port, open in a process. It satisfies pipe.Source.
type source struct {
	p    *Process
	v    uintptr
	port *port

	closed, over bool // guarded by World.mu; over: closed or suspended
}

// portKind is what a port is in a table.
var portKind = descriptor.EndKind(descriptor.UnixListener)

func (p *Process) openPort() (*source, error) {
	o := &port{w: p.w, opener: p}
	v, err := p.OpenObject(portKind, o)
	if err != nil {
		return nil, err
	}
	return &source{p: p, v: v, port: o}, nil
}

func (s *source) Accept() (pipe.Pipe, error) {
	w := s.p.w
	w.mu.Lock()
	through := s.over && w.Moves
	w.mu.Unlock()
	if !through {
		w.gate(s.p, word("accept"), func() bool { return s.over || len(s.port.queue) > 0 })
	}
	w.step(s.p, word("accept"))
	w.mu.Lock()
	if s.over || s.p.dead || len(s.port.queue) == 0 {
		w.mu.Unlock()
		return nil, net.ErrClosed
	}
	first := s.port.queue[0]
	w.mu.Unlock()
	h, err := s.p.open(&first.server)
	if err != nil {
		return nil, err // and whoever waits goes on waiting, as with accept(2)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.port.queue = s.port.queue[1:]
	return h, nil
}

// end ends accepting.
func (s *source) end(closed bool) (was bool) {
	w := s.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	was = s.closed
	s.over, s.closed = true, s.closed || closed
	if w.Moves {
		w.letThrough(s.p, word("accept"))
	}
	return was
}

// Unlink does nothing: a name is no file here, and stays.
func (s *source) Unlink() error { return nil }

func (s *source) Close() error {
	if s.end(true) {
		return net.ErrClosed
	}
	s.p.w.step(s.p, word("close port"))
	s.p.effect(func() {
		s.p.Took(s.v)
		s.p.Process.Close(s.v, portKind)
	})
	return nil
}

func (s *source) SetUnlinkOnClose(bool) {}

func (s *source) Suspend() (descriptors []uintptr, state []byte, err error) {
	s.end(false)
	return []uintptr{s.v}, nil, nil
}

// Resume undoes Suspend, unless Close was called.
func (s *source) Resume() {
	w := s.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	s.over = s.closed
}

// A system makes pipes and sources of what has come from other processes. It satisfies pipe.Opener.
type system struct{ p *Process }

func (s system) OpenPipe(v uintptr, server bool) (pipe.Pipe, error) {
	if f := s.p.Refers(v); f != nil {
		if e, ok := f.Object().(*end); ok && server == (e == &e.on.server) {
			s.p.Took(v) // it is a part of an end now
			return &handle{p: s.p, v: v, e: e}, nil
		}
	}
	s.p.Took(v)
	s.p.Process.Close(v, pipeKind)
	return nil, syscall.EPROTO
}

func (s system) OpenSource(descriptors []uintptr, _ []byte) (pipe.Source, error) {
	v := descriptors[0]
	s.p.Took(v)
	if f := s.p.Refers(v); f != nil {
		if o, ok := f.Object().(*port); ok && len(descriptors) == 1 {
			return &source{p: s.p, v: v, port: o}, nil
		}
	}
	for _, v := range descriptors {
		s.p.Process.Close(v, pipeKind)
	}
	return nil, syscall.EPROTO
}

func (p *Process) config(t sock.Type) endpoint.Config {
	return endpoint.Config{Type: t, Table: p, World: &endpoint.World{System: system{p}, Network: network{p}}}
}

// Listen makes p listen.
func (p *Process) Listen(t sock.Type) (*endpoint.Listener, *port, error) {
	s, err := p.openPort()
	if err != nil {
		return nil, nil, err
	}
	l := endpoint.Listen(s, p.config(t), 0)
	p.Own(l)
	return l, s.port, nil
}

// reach opens the client's end of a pipe, and queues the other one.
func (p *Process) reach(o *port, on *messagePipe) (*handle, error) {
	h, err := p.open(&on.client)
	if err != nil {
		return nil, err
	}
	p.w.mu.Lock()
	refused := o.released
	if !refused {
		o.queue = append(o.queue, on)
	}
	p.w.mu.Unlock()
	if refused {
		h.Close()
		return nil, syscall.ECONNREFUSED
	}
	return h, nil
}

// dial connects p to a port over a pipe of that quota, whose number may be known before.
func (p *Process) dial(o *port, t sock.Type, on *messagePipe) (*endpoint.Conn, error) {
	h, err := p.reach(o, on)
	if err != nil {
		return nil, err
	}
	c, err := endpoint.Dial(context.Background(), h, p.config(t))
	if err != nil {
		return nil, err
	}
	p.Own(c)
	return c, nil
}
