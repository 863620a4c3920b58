//go:build linux || windows

package ends

import (
	"bytes"
	"errors"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"unsafe"

	"afunix/dropin/internal/control"
	"afunix/internal/sock"
)

// settings are the options that an end itself remembers: options that only system calls know, and
// options that change nothing. They stay behind when the end moves. End.mu guards them.
type settings struct {
	flags  map[int]int32 // those that change nothing
	linger syscall.Linger

	// Of a listener, which knows nothing of them itself.
	readBuffer, writeBuffer int
	pass                    bool

	received bool // another process has handed it on
}

func newSettings() settings {
	return settings{flags: make(map[int]int32), readBuffer: sock.DefaultBuffer, writeBuffer: sock.DefaultBuffer}
}

// An option is one of level SOL_SOCKET. Its value is bytes, in the layout that it has in C.
type option struct {
	get  func(*Ref) ([]byte, error)
	set  func(*Ref, []byte) error // nil: it cannot be set
	size int                      // what set needs; less is EINVAL
}

// options are those that mean something to a Unix socket, or that programs set on any.
var options = map[int]option{
	soType:       {get: number((*Ref).socketType)},
	soDomain:     {get: number(always(syscall.AF_UNIX))},
	soProtocol:   {get: number(always(0))},
	soAcceptConn: {get: number((*Ref).listens)},
	soError:      {get: number((*Ref).pendingError)},
	soSndbuf:     settable(number((*Ref).writeBuffer), (*Ref).setWriteBuffer),
	soRcvbuf:     settable(number((*Ref).readBuffer), (*Ref).setReadBuffer),
	soSndlowat:   {get: number(always(1))},
	soRcvlowat:   {get: number(always(1))},
	soSndtimeo:   timeout(func(e *End) *atomic.Int64 { return &e.writeLimit }),
	soRcvtimeo:   timeout(func(e *End) *atomic.Int64 { return &e.readLimit }),
	soLinger:     settable((*Ref).linger, (*Ref).setLinger),
	soPasscred:   settable(number((*Ref).pass), (*Ref).setPass),
	soPeercred:   {get: (*Ref).peer},
	soReuseaddr:  flag(soReuseaddr),
	soBroadcast:  flag(soBroadcast),
	soKeepalive:  flag(soKeepalive),
	soOobinline:  flag(soOobinline),
}

// Getsockopt is getsockopt(2): it puts as much of the value into b as that has room for, and
// returns how much that is.
func (r *Ref) Getsockopt(level, name int, b []byte) (n int, err error) {
	err = r.Do(func() error {
		o, err := r.option(level, name)
		if err != nil {
			return err
		}
		value, err := o.get(r)
		n = copy(b, value)
		return err
	})
	return n, Errno(err)
}

// Setsockopt is setsockopt(2).
func (r *Ref) Setsockopt(level, name int, b []byte) error {
	return Errno(r.Do(func() error {
		o, err := r.option(level, name)
		switch {
		case err == syscall.ENOPROTOOPT && len(b) < intLen: // it looks at the length first
			return syscall.EINVAL
		case err != nil:
			return err
		case len(b) < max(o.size, intLen):
			return syscall.EINVAL
		case o.set == nil:
			return syscall.ENOPROTOOPT
		}
		return o.set(r, b)
	}))
}

const intLen = 4

// option finds an option. AF_UNIX has none of another level.
func (r *Ref) option(level, name int) (option, error) {
	r.End.mu.Lock()
	defer r.End.mu.Unlock()
	o, ok := options[name]
	switch {
	case r.moved:
		return o, syscall.EBADF
	case level != control.SolSocket:
		return o, syscall.EOPNOTSUPP
	case !ok:
		return o, syscall.ENOPROTOOPT
	}
	return o, nil
}

// Get is Getsockopt of a value whose type has the option's layout, or that of its beginning.
func Get[T any](r *Ref, level, name int) (value T, err error) {
	_, err = r.Getsockopt(level, name, memory(&value))
	return value, err
}

// GetNew is Get for those who want a pointer, which is nil beside an error.
func GetNew[T any](r *Ref, level, name int) (*T, error) {
	value, err := Get[T](r, level, name)
	if err != nil {
		return nil, err
	}
	return &value, nil
}

// GetString is Getsockopt of a value up to its NUL.
func (r *Ref) GetString(level, name int) (string, error) {
	b := make([]byte, 256)
	n, err := r.Getsockopt(level, name, b)
	text, _, _ := bytes.Cut(b[:n], []byte{0})
	return string(text), err
}

// Set is Setsockopt of such a value.
func Set[T any](r *Ref, level, name int, value T) error {
	return r.Setsockopt(level, name, memory(&value))
}

// memory is where a value without pointers is.
func memory[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

// as is the value at the beginning of b, which is long enough.
func as[T any](b []byte) (v T) {
	copy(memory(&v), b)
	return v
}

// Kinds of options.

func settable[T any](get func(*Ref) ([]byte, error), set func(*Ref, T) error) option {
	var t T
	return option{get, func(r *Ref, b []byte) error { return set(r, as[T](b)) }, int(unsafe.Sizeof(t))}
}

// number is an int.
func number(get func(*Ref) (int, error)) func(*Ref) ([]byte, error) {
	return func(r *Ref) ([]byte, error) {
		n, err := get(r)
		value := int32(n)
		return memory(&value), err
	}
}

func always(n int) func(*Ref) (int, error) { return func(*Ref) (int, error) { return n, nil } }

// flag is one that is kept, and changes nothing.
func flag(name int) option {
	get := func(r *Ref) (n int, err error) {
		r.settings(func(s *settings) { n = int(s.flags[name]) })
		return n, nil
	}
	set := func(r *Ref, value int32) error {
		r.settings(func(s *settings) { s.flags[name] = int32(truth(value != 0)) })
		return nil
	}
	return settable(number(get), set)
}

func timeout(which func(*End) *atomic.Int64) option {
	get := func(r *Ref) ([]byte, error) {
		tv := limit(which(r.End).Load()).timeval()
		return memory(&tv), nil
	}
	set := func(r *Ref, tv syscall.Timeval) error {
		l, err := newLimit(tv)
		if err == nil {
			which(r.End).Store(int64(l))
		}
		return err
	}
	return settable(get, set)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// settings gives f what the end remembers.
func (e *End) settings(f func(*settings)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.options)
}

// The options.

func (r *Ref) socketType() (int, error) {
	for typ, network := range networks {
		if network == r.Network() {
			return typ, nil
		}
	}
	return 0, syscall.ENOPROTOOPT
}

func (r *Ref) listens() (int, error) { return truth(r.Listener != nil), nil }

// pendingError is SO_ERROR, of which a listener has none.
func (r *Ref) pendingError() (int, error) {
	if r.Conn == nil {
		return 0, nil
	}
	err := r.Conn.PendingError()
	var errno syscall.Errno
	if !errors.Is(err, net.ErrClosed) && errors.As(err, &errno) {
		return int(errno), nil
	}
	return 0, err
}

func (r *Ref) writeBuffer() (n int, err error) {
	if r.Conn != nil {
		return r.Conn.WriteBuffer()
	}
	r.settings(func(s *settings) { n = s.writeBuffer })
	return n, nil
}

func (r *Ref) readBuffer() (n int, err error) {
	if r.Conn != nil {
		return r.Conn.ReadBuffer()
	}
	r.settings(func(s *settings) { n = s.readBuffer })
	return n, nil
}

func (r *Ref) setWriteBuffer(bytes int32) error {
	if r.Conn != nil {
		return r.Conn.SetWriteBuffer(int(bytes))
	}
	r.settings(func(s *settings) { s.writeBuffer = sock.WriteBuffer(int(bytes)) })
	return nil
}

func (r *Ref) setReadBuffer(bytes int32) error {
	if r.Conn != nil {
		return r.Conn.SetReadBuffer(int(bytes))
	}
	r.settings(func(s *settings) { s.readBuffer = sock.ReadBuffer(int(bytes)) })
	return nil
}

func (r *Ref) linger() (value []byte, err error) {
	r.settings(func(s *settings) { value = slices.Clone(memory(&s.linger)) })
	return value, nil
}

// setLinger changes nothing: Close of a Unix socket waits for nobody.
func (r *Ref) setLinger(l syscall.Linger) error {
	l.Onoff = int32(truth(l.Onoff != 0))
	r.settings(func(s *settings) { s.linger = l })
	return nil
}

func (r *Ref) pass() (n int, err error) {
	if r.Conn != nil {
		on, err := r.Conn.PassCredentials()
		return truth(on), err
	}
	r.settings(func(s *settings) { n = truth(s.pass) })
	return n, nil
}

// setPass is SO_PASSCRED, which connections get from their listener.
func (r *Ref) setPass(value int32) error {
	on := value != 0
	if r.Conn != nil {
		return r.Conn.SetPassCredentials(on)
	}
	err := r.Listener.SetPassCredentials(on)
	if err == nil {
		r.settings(func(s *settings) { s.pass = on })
	}
	return err
}

// peer is SO_PEERCRED. For a listener these are the credentials of the process that has made it, as
// far as that process is known. A socket without a peer, or with a peer that the system does not
// name, has those of nobody.
func (r *Ref) peer() ([]byte, error) {
	u := control.Ucred{Uid: ^uint32(0), Gid: ^uint32(0)}
	received := false
	r.settings(func(s *settings) { received = s.received })
	switch {
	case r.Conn != nil:
		c, err := r.Conn.PeerCredentials()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err == nil {
			u = ucred(c)
		}
	case !received:
		u = control.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	}
	return memory(&u), nil
}
