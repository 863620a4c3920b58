//go:build linux || windows

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// A socket file cannot be made, since the disk is full or must not be written. The error says so,
// as bind(2) would, and there is no file.

// A disk is one on which none can be made.
type disk struct {
	dir  string
	want error
}

// binders are the ways to make a socket file.
var binders = []struct {
	what string
	bind func(r *round, path string) error
}{
	{"Listen unix", func(r *round, path string) error { return r.listenAndClose("unix", path) }},
	{"Listen unixpacket", func(r *round, path string) error { return r.listenAndClose("unixpacket", path) }},
	{"ListenPacket unixgram", func(r *round, path string) error { return r.listenAndClose("unixgram", path) }},
	{"Dial unix from a name", func(r *round, path string) error {
		e := errand{Transport: r.transport, Network: "unix", Path: r.path()}
		l, err := listenTo(e)
		if err != nil {
			return err
		}
		defer l.Close()
		c, err := dialFrom(e, path)
		if err == nil {
			err = c.Close()
		}
		return err
	}},
}

func (r *round) listenAndClose(network, path string) error {
	l, err := listenTo(errand{Transport: r.transport, Network: network, Path: path})
	if err == nil {
		err = l.Close()
	}
	return err
}

// tryAll tries to make socket files on d.
func (r *round) tryAll(d disk) error {
	before, err := list(d.dir)
	if err != nil {
		return err
	}
	for _, b := range binders {
		if err := among(b.bind(r, filepath.Join(d.dir, "socket")), d.want); err != nil {
			return fmt.Errorf("%s: %w", b.what, err)
		}
		after, err := list(d.dir)
		if err != nil {
			return err
		}
		if !slices.Equal(before, after) {
			return fmt.Errorf("%s: the directory had %q, and has %q", b.what, before, after)
		}
	}
	return nil
}

func list(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
