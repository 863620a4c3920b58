package afunix

import "io"

// Copy is [io.Copy], which copies without a detour through this process where the system can do
// that for package net's own connections: on Linux between a stream of the kernel transport and a
// TCP connection (splice(2)). io.Copy itself knows package net's connections only. (Between a
// stream and an *os.File it does the same as Copy.) Src may also be an [io.LimitedReader], as
// [io.CopyN] makes one. Descriptors are closed, as by Read.
func Copy(dst io.Writer, src io.Reader) (n int64, err error) {
	if c, ok := dst.(*Conn); ok {
		dst = c.copied()
	}
	switch r := src.(type) {
	case *Conn:
		src = r.copied()
	case *io.LimitedReader:
		if c, ok := r.R.(*Conn); ok {
			limited := &io.LimitedReader{R: c.copied(), N: r.N}
			defer func() { r.N = limited.N }()
			src = limited
		}
	}
	return io.Copy(dst, src)
}

// copied returns what io.Copy copies best in the place of c.
func (c *Conn) copied() io.ReadWriter {
	if s := c.t.Socket(); s != nil && c.network == streamNetwork {
		return s
	}
	return c
}
