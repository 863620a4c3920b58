package winpipe

import (
	"crypto/rand"
	"io"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// A binding is a name of a socket that does not listen: that of a connection's client.
type binding struct {
	sentinel windows.Handle // of an abstract name, which is free again when nobody holds it; else 0
}

// Bind binds name.
func (System) Bind(name string, t sock.Type) (io.Closer, error) {
	if err := checkName(name, t); err != nil {
		return nil, err
	}
	attributes, err := securityAttributes("")
	if err != nil {
		return nil, err
	}
	b := new(binding)
	if pipe.IsAbstract(name) {
		b.sentinel, err = newSentinel(abstractID(cred.Self().SID, name, t), attributes)
	} else {
		var id pipeID
		rand.Read(id[:])
		_, err = createSocketFile(name, sockfile{t, id}, attributes)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Close gives up the name. It may be called once.
func (b *binding) Close() error {
	if b.sentinel == 0 {
		return nil
	}
	return errno(windows.CloseHandle(b.sentinel))
}
