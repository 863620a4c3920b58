package sockfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"afunix/internal/errno"
)

// OverStale lets bind make a socket at the name, where a dead process may have left its socket
// file. That file is removed, and bind is called again. Every other file stays: one whose socket
// anybody has, whether that socket listens, has room for clients or neither, and one that is no
// socket. Then the error is that of bind, EADDRINUSE.
//
// Several processes may find the same stale file. They take turns (see [Exclusively]), so that none
// removes the file that another has just made: one of them binds the name.
func OverStale[S any](ctx context.Context, name string, bind func() (S, error)) (S, error) {
	socket, err := bind()
	if !errors.Is(err, errno.EADDRINUSE) {
		return socket, err
	}
	if _, stale := StaleID(name); !stale {
		return socket, err
	}
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	bound := false
	turn := Exclusively(ctx, name, func() error {
		if id, stale := StaleID(name); stale {
			if err := Unlink(name, id); err != nil {
				return err
			}
		}
		socket, err = bind()
		bound = true
		return nil
	})
	if !bound {
		err = fmt.Errorf("%w: nobody has that socket any more, but its file cannot be replaced: %w", errno.EADDRINUSE, turn)
	}
	return socket, err
}

// turnTimeout bounds how long OverStale waits for its turn. A process has the turn for a moment,
// unless somebody has suspended that process.
const turnTimeout = 10 * time.Second

// pause is the time between two tries to have the turn.
const pause = 10 * time.Millisecond

// errLocked is the error of lock when somebody else has the lock.
var errLocked = errors.New("another process is doing that")

// Exclusively runs f while nobody else, in any process, runs anything exclusively for the same
// path. A file with the path and .lock behind it is there meanwhile. If a process dies with that
// file, the file is in nobody's way. An error that is not f's means that f was not called.
func Exclusively(ctx context.Context, path string, f func() error) error {
	for {
		unlock, err := lock(path + ".lock")
		if err == nil {
			defer unlock()
			return f()
		}
		if !errors.Is(err, errLocked) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w (%s.lock)", context.Cause(ctx), err, path)
		}
	}
}

// StaleID returns the ID of the socket file path, if nobody has its socket any more.
func StaleID(path string) (id string, stale bool) {
	if !hasFile(path) || !IsSocket(path) {
		return "", false
	}
	id, err := ID(path)
	return id, err == nil && isStale(path)
}

// Unlink removes the file path, if it has the id still. That it is gone already is no error.
func Unlink(path, id string) error {
	is, err := ID(path)
	if err == nil && is == id {
		err = removeIf(path, id)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}
