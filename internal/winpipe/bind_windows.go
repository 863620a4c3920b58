package winpipe

import (
	"crypto/rand"
	"io"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// A binding is a name of a socket that does not listen: that of a connection's client. An abstract
// name is free again when nobody holds the sentinel, and a socket file is stale.
type binding struct{ sentinel windows.Handle }

// Bind binds name.
func (System) Bind(name string, t sock.Type) (io.Closer, error) {
	if err := checkName(name, t); err != nil {
		return nil, err
	}
	attributes, err := securityAttributes("")
	if err != nil {
		return nil, err
	}
	id := abstractID(cred.Self().SID, name, t)
	if !pipe.IsAbstract(name) {
		rand.Read(id[:])
	}
	sentinel, err := newSentinel(id, attributes)
	if err != nil {
		return nil, err
	}
	if !pipe.IsAbstract(name) {
		if _, err := createSocketFile(name, sockfile{t, id}, attributes); err != nil {
			windows.CloseHandle(sentinel)
			return nil, err
		}
	}
	return &binding{sentinel}, nil
}

// Close gives up the name. It may be called once.
func (b *binding) Close() error { return errno(windows.CloseHandle(b.sentinel)) }
