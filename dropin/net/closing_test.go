package net_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/internal/testenv"
)

// A goroutine that learns by any call that a listener is closed finds no socket file any more,
// whether copies of the listener go on or not. A second Close waits for that.
func TestTheSocketFileGoesBeforeAnybodyLearnsOfClose(t *testing.T) {
	for _, copied := range []bool{false, true} {
		each(t, listened, func(t *testing.T, network string) {
			dir := testenv.NewSlowDir(t)
			path := filepath.Join(dir.Dir, "s")
			l := listen(t, network, path)
			raw, err := l.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			if copied {
				f, err := l.File()
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
			}
			accept := func() error { _, err := l.Accept(); return err }
			early := make(chan struct{})
			saw := sync.OnceFunc(func() { close(early) })
			dir.Hold(path, early)
			var calls sync.WaitGroup
			for name, call := range map[string]func() error{
				"Accept":         accept,
				"a later Accept": func() error { return eachMoment(accept) },
				"Close":          l.Close,
				"a second Close": l.Close,
				"SetDeadline":    func() error { return again(func() error { return l.SetDeadline(time.Now().Add(patience)) }) },
				"Control":        func() error { return again(func() error { return raw.Control(func(uintptr) {}) }) },
			} {
				calls.Go(func() {
					err := call()
					_, there := os.Lstat(path)
					switch {
					case !errors.Is(there, fs.ErrNotExist):
						t.Errorf("%s: %v, and the file: %v", name, err, there)
						saw()
					case err != nil && !errors.Is(err, net.ErrClosed):
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			expectSoon(t, func() error { calls.Wait(); return nil })
		})
	}
}

// again calls f until it fails.
func again(f func() error) error {
	for {
		if err := f(); err != nil {
			return err
		}
		runtime.Gosched()
	}
}

// eachMoment calls f again and again, without waiting for it, until one call has returned.
func eachMoment(f func() error) error {
	returned := make(chan error, 10_000)
	for range cap(returned) {
		go func() { returned <- f() }()
		select {
		case err := <-returned:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	return errors.New("no call returns")
}
