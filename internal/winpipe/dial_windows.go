package winpipe

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/longpath"
	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

const (
	// clientAccess is what a client asks for: FILE_GENERIC_READ | FILE_GENERIC_WRITE without
	// FILE_APPEND_DATA, which for pipes is FILE_CREATE_PIPE_INSTANCE, the right to serve.
	clientAccess = 0x12019B

	// busyLimit bounds how long Dial waits for a listener that has clients but does not accept
	// them. The wait for an instance that is just being made is much shorter.
	busyLimit = 5 * time.Second

	// busySlice is how long one call waits, and so how late the end of a context is seen.
	busySlice = 20 * time.Millisecond
)

// Dial connects to the listener of name. EAGAIN: it has not accepted its waiting clients for a
// while.
//
// The end gives up its own name, local, when it is closed. That also holds for an end that has been
// handed on: a socket file stays, as ever, but an abstract name is free again once the process that
// bound it has closed its end, although the connection goes on under that name.
func (System) Dial(ctx context.Context, name, local string, t sock.Type) (pipe.Pipe, error) {
	var bound io.Closer
	if local != "" {
		err := longpath.Check(local) // the name goes to the peer
		if err == nil {
			bound, err = (System{}).Bind(local, t)
		}
		if err != nil {
			return nil, os.NewSyscallError("bind", err)
		}
	}
	p, err := connect(ctx, name, t)
	switch {
	case err == nil:
		p.name = bound
		return p, nil
	case bound != nil:
		bound.Close()
	}
	return nil, err
}

// connect makes the client's end of a connection to name.
func connect(ctx context.Context, name string, t sock.Type) (*Pipe, error) {
	if err := checkName(name, t); err != nil {
		return nil, err
	}
	if pipe.IsAbstract(name) {
		return connectID(ctx, abstractID(cred.Self().SID, name, t), "")
	}
	if public := lookalike.PipeAt(name); public != "" {
		if err := lookalike.CheckPipe(public); err != nil {
			return nil, err
		}
		return connectPublic(ctx, public, t)
	}
	file, owner, err := readSocketFile(name)
	if err != nil {
		return nil, err
	}
	if file.socketType != t {
		return nil, wrongType(file.id)
	}
	return connectID(ctx, file.id, owner)
}

// connectPublic makes the client's end of a connection to the private pipe behind a public name. If
// there is none, or one of a stranger, then nobody speaks the protocol of afunix there.
func connectPublic(ctx context.Context, public string, t sock.Type) (*Pipe, error) {
	p, err := connectID(ctx, publicID(public, t), "")
	if err == syscall.ECONNREFUSED || err == syscall.EACCES {
		return nil, &lookalike.Error{Errno: syscall.ECONNREFUSED, What: lookalike.Pipe}
	}
	return p, err
}

// connectID makes the client's end of a connection to pipe id, to which a file of fileOwner has
// led, or a name: see verifyOwner.
func connectID(ctx context.Context, id pipeID, fileOwner string) (*Pipe, error) {
	h, err := openClient(ctx, id)
	if err != nil {
		return nil, err
	}
	owner, err := ownerOf(h, windows.SE_KERNEL_OBJECT)
	if err == nil {
		err = verifyOwner(owner, fileOwner)
	}
	if err != nil {
		windows.CloseHandle(h)
		return nil, err
	}
	return newPipe(h, newOrigin(h, false, owner))
}

// wrongType is the error for a socket of another type: EPROTOTYPE, but ECONNREFUSED if nobody
// listens there.
func wrongType(id pipeID) error {
	if listening(id) {
		return syscall.EPROTOTYPE
	}
	return syscall.ECONNREFUSED
}

// openClient opens the client's end of pipe id. If all instances are taken, the listener is making
// more, or nobody listens and these are connections that outlive their listener.
func openClient(ctx context.Context, id pipeID) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(id.pipeName())
	if err != nil {
		return 0, err
	}
	for start := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		h, err := openPipe(name)
		switch err {
		case nil:
			return h, nil
		case windows.ERROR_PIPE_BUSY:
		case windows.ERROR_FILE_NOT_FOUND:
			return 0, syscall.ECONNREFUSED
		default:
			return 0, errno(err)
		}
		if !listening(id) {
			return 0, syscall.ECONNREFUSED
		}
		if time.Since(start) > busyLimit {
			return 0, syscall.EAGAIN
		}
		waitNamedPipe(name, uint32(busySlice.Milliseconds())) // whatever comes of it, opening tells
	}
}

// openPipe opens a client's end, for overlapped I/O of whole messages.
func openPipe(name *uint16) (windows.Handle, error) {
	h, err := openClientEnd(name)
	if err != nil {
		return 0, err
	}
	if err := readMessages(h); err != nil {
		windows.CloseHandle(h)
		return 0, err
	}
	return h, nil
}

// openClientEnd opens a client's end, for overlapped I/O. The server may learn who we are, but not
// act as we.
func openClientEnd(name *uint16) (windows.Handle, error) {
	return windows.CreateFile(name, clientAccess, 0, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
}

// readMessages has h read one message at a time, and not over the boundary to the next.
func readMessages(h windows.Handle) error {
	mode := uint32(windows.PIPE_READMODE_MESSAGE)
	return windows.SetNamedPipeHandleState(h, &mode, nil, nil)
}

// listening reports whether the sentinel of pipe id exists, and so its listener.
func listening(id pipeID) bool { return exists(id.sentinelName()) }

// Pair returns the two ends of a new connection within this process.
func (System) Pair() (a, b pipe.Pipe, err error) {
	attributes, err := securityAttributes("")
	if err != nil {
		return nil, nil, err
	}
	var id pipeID
	rand.Read(id[:])
	door, err := newEntrance(id.pipeName(), messageMode, quota, attributes, 0)
	if err != nil {
		return nil, nil, err
	}
	defer door.close()
	if err := door.add(true); err != nil {
		return nil, nil, err
	}
	name, err := windows.UTF16PtrFromString(id.pipeName())
	if err != nil {
		return nil, nil, err
	}
	client, err := openPipe(name)
	if err != nil {
		return nil, nil, errno(err)
	}
	if b, err = newPipe(client, newOrigin(client, false, cred.Self().SID)); err != nil {
		return nil, nil, err
	}
	server, err := door.next()
	if err == nil {
		a, err = server.accept()
	}
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	return a, b, nil
}
