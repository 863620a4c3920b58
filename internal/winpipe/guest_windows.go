package winpipe

import (
	"net"
	"sync"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/pipe"
)

const (
	// byteMode is that of a public pipe: a stream, as all its clients expect.
	byteMode = windows.PIPE_TYPE_BYTE | windows.PIPE_READMODE_BYTE

	// publicQuota is how many bytes a public pipe takes, in each direction, before a write waits.
	publicQuota = 64 << 10
)

var _ pipe.Host = (*Listener)(nil)

// A Guest is a client of a public name that nobody has accepted: a [pipe.Guest]. Its end is bound
// to no completion port yet, and so another process can take it over.
type Guest struct {
	pipe   windows.Handle
	origin origin
	sure   bool // once peer has been called
	peer   func() (cred.Credentials, error)
}

// AcceptGuest waits for the next client of the public name, as Accept does for one of ours. Without
// a public name it fails with net.ErrClosed.
func (l *Listener) AcceptGuest() (pipe.Guest, error) {
	for l.public != nil {
		in, err := l.next(l.public)
		if err != nil {
			return nil, err
		}
		if h, err := in.client(); err == nil {
			return newGuest(h, in.foreign), nil
		}
	}
	return nil, net.ErrClosed
}

// newGuest makes a guest of the end of a client who may have come long before, to another process.
func newGuest(h windows.Handle, late bool) *Guest {
	g := &Guest{pipe: h, origin: newOrigin(h, true, "")}
	g.origin.late = late
	g.peer = sync.OnceValues(func() (who cred.Credentials, err error) {
		who, g.sure, err = g.origin.other(h)
		return who, err
	})
	return g
}

// Peer returns the process that has connected, and its user. It is asked about once.
func (g *Guest) Peer() (cred.Credentials, error) { return g.peer() }

// Sure reports whether Peer, which has been called, is the system's word about the user: see
// [origin.other].
func (g *Guest) Sure() bool { return g.sure }

// Descriptor returns the handle, by which the guest is handed on.
func (g *Guest) Descriptor() uintptr { return uintptr(g.pipe) }

// Stream makes a stream of the guest, who is gone afterwards, whatever the outcome.
func (g *Guest) Stream() (*Stream, error) { return newStream(g.pipe, g.origin) }

// Close turns the guest away.
func (g *Guest) Close() error { return errno(windows.CloseHandle(g.pipe)) }
