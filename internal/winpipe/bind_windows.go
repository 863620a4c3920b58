package winpipe

import (
	"crypto/rand"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
)

// A Binding is a name of a socket that does not listen: that of a connection's client. Whoever dials it gets ECONNREFUSED.
type Binding struct {
	sentinel windows.Handle // of an abstract name, which is free again when nobody holds it; else 0
}

// Bind binds address, a path or an abstract name ("@name"). Errors are those of bind(2). A socket file stays, as on Linux.
func Bind(address string, socketType uint8) (*Binding, error) {
	if err := checkName(address, socketType); err != nil {
		return nil, err
	}
	attributes, err := securityAttributes("")
	if err != nil {
		return nil, err
	}
	if isAbstract(address) {
		sentinel, err := newSentinel(abstractID(cred.Self().SID, address, socketType), attributes)
		return &Binding{sentinel}, err
	}
	var id pipeID
	rand.Read(id[:])
	_, err = createSocketFile(address, sockfile{socketType, id}, attributes)
	return &Binding{}, err
}

// Close gives up the name. It may be called once.
func (b *Binding) Close() error {
	if b.sentinel == 0 {
		return nil
	}
	return errno(windows.CloseHandle(b.sentinel))
}
