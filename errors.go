package afunix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/errno"
	"afunix/internal/longpath"
	"afunix/internal/lookalike"
)

// ErrRightsTruncated is what ReadMsg returns beside the data if descriptors came, but not all of
// them could be installed: this process is out of descriptors. All of them were closed. (MSG_CTRUNC
// in recvmsg.)
var ErrRightsTruncated = descriptor.ErrRightsTruncated

// ErrNotSendable says that a descriptor of this kind cannot be passed here, or not to this peer.
// The [RightsError] around it says which one.
var ErrNotSendable = descriptor.ErrNotSendable

// A RightsError says which descriptor of a message is the cause of an error.
type RightsError struct {
	Index int   // among the files of WriteMsg, or in Rights
	Err   error // what is wrong with that descriptor
}

// Error is the number of the descriptor, and the text of e.Err.
func (e *RightsError) Error() string { return fmt.Sprintf("descriptor %d: %v", e.Index, e.Err) }

// Unwrap returns e.Err.
func (e *RightsError) Unwrap() error { return e.Err }

// errMissingAddress has the text that package net gives, which does not export it.
var errMissingAddress = errors.New("missing address")

// A contextError says in package net's words that a context has ended.
type contextError struct {
	text string
	error
}

func (e contextError) Error() string { return e.text }
func (e contextError) Unwrap() error { return e.error }

// Timeout is the method of net.Error: it tells that time was up, and not that the context was
// cancelled.
func (e contextError) Timeout() bool { return e.error == context.DeadlineExceeded }

// An operation is what an error of it needs to say: the fields of a net.OpError, and the name of
// the system call that an errno came from.
type operation struct {
	op, network  string
	source, addr *net.UnixAddr
	call         string
}

// wrap makes of a transport's error what package net would have made of that error. Errors are
// wrapped in this place only.
func (o operation) wrap(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: o.op, Net: o.network, Source: netAddr(o.source), Addr: netAddr(o.addr), Err: o.named(err)}
}

// named adds to an errno the name of the call, and to the errors of single descriptors their public
// type.
func (o operation) named(err error) error {
	switch err {
	case context.Canceled:
		return contextError{"operation was canceled", err}
	case context.DeadlineExceeded:
		return contextError{"i/o timeout", err}
	}
	switch e := err.(type) {
	case errno.Errno, *lookalike.Error, *longpath.TooLong:
		return os.NewSyscallError(o.call, err)
	case *descriptor.IndexError:
		return &RightsError{Index: e.Index, Err: o.named(e.Err)}
	}
	return err
}

// netAddr is nil for a nil address. A socket without a name has the name "@", as in package net.
func netAddr(a *net.UnixAddr) net.Addr {
	switch {
	case a == nil:
		return nil
	case a.Name == "":
		return &net.UnixAddr{Name: "@", Net: a.Net}
	}
	return a
}
