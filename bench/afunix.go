package bench

import (
	"context"
	"path/filepath"

	"afunix"
)

// afunixContender is a transport of the library, through its public API.
func afunixContender(name, about string, t afunix.Transport) Contender {
	return Contender{
		Name:  name,
		About: about,
		Pair: func() (a, b End, err error) {
			x, y, err := t.Pair("unix")
			if err != nil {
				return nil, nil, err
			}
			return afunixEnd{x}, afunixEnd{y}, nil
		},
		Listen: func(dir string) (Listener, string, error) {
			path := filepath.Join(dir, name)
			l, err := (&afunix.ListenConfig{Transport: t}).Listen(context.Background(), "unix", path)
			if err != nil {
				return nil, "", err
			}
			return afunixListener{l}, path, nil
		},
		Dial: func(address string) (End, error) {
			c, err := (&afunix.Dialer{Transport: t}).DialContext(context.Background(), "unix", address)
			if err != nil {
				return nil, err
			}
			return afunixEnd{c}, nil
		},
	}
}

type afunixListener struct{ *afunix.Listener }

func (l afunixListener) Accept() (End, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return afunixEnd{c}, nil
}

type afunixEnd struct{ *afunix.Conn }

func (e afunixEnd) Pass(data []byte, cargo *Cargo) error {
	_, err := e.WriteMsg(data, cargo.sendables...)
	return err
}

func (e afunixEnd) Receive(buf []byte) (int, error) {
	m, err := e.ReadMsg(buf)
	if err != nil {
		return 0, err
	}
	return m.Rights.Len(), m.Rights.Close()
}
