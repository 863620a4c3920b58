//go:build windows || (linux && afunix_pipe)

package net

import (
	"io"
	"net"
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
	n, err = c.ref.WriteBuffers((*net.Buffers)(v))
	return n, c.opError("writev", renamed(err, "writev"))
}

// Read reads from the buffers, and removes what has been read.
func (v *Buffers) Read(p []byte) (n int, err error) { return (*net.Buffers)(v).Read(p) }
