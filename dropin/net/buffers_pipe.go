//go:build windows || (linux && afunix_pipe)

package net

import (
	"io"
	"net"
	"slices"
	"syscall"
)

// Buffers is net.Buffers, to which it can be converted. But a [UnixConn] gets the slices in one
// piece: as one record or one datagram, as by writev(2).
type Buffers net.Buffers

var (
	_ io.WriterTo = (*Buffers)(nil)
	_ io.Reader   = (*Buffers)(nil)
)

// WriteTo writes the contents of the buffers to w, and removes what has been written.
func (v *Buffers) WriteTo(w io.Writer) (n int64, err error) {
	c, ok := w.(*UnixConn)
	if !ok {
		return (*net.Buffers)(v).WriteTo(w)
	}
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	sent := 0
	if all := slices.Concat(*v...); len(all) > 0 {
		sent, err = c.ref.Write(all)
	}
	v.consume(sent)
	return int64(sent), c.opError("writev", renamed(err, "writev"))
}

// Read reads from the buffers, and removes what has been read.
func (v *Buffers) Read(p []byte) (n int, err error) { return (*net.Buffers)(v).Read(p) }

// consume removes n bytes, and what is empty before others.
func (v *Buffers) consume(n int) {
	for len(*v) > 0 && n >= len((*v)[0]) {
		n -= len((*v)[0])
		(*v)[0] = nil
		*v = (*v)[1:]
	}
	if len(*v) > 0 {
		(*v)[0] = (*v)[0][n:]
	}
}
