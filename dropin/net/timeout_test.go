//go:build linux || windows

package net_test

import (
	"testing"
	"time"

	"afunix/dropin/syscall"
	"afunix/dropin/unix"
)

func timeval(d time.Duration) *syscall.Timeval {
	tv := syscall.NsecToTimeval(int64(d))
	return &tv
}

// assign sets a field whose type depends on the system.
func assign[T ~int32 | ~int64](field *T, n int) { *field = T(n) }

func setTimeout(t *testing.T, fd, option int, d time.Duration) {
	t.Helper()
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, option, timeval(d)); err != nil {
		t.Fatal(err)
	}
}

// restarted makes a call again when a signal has ended it, as Go's runtime sends them (preemption):
// the kernel restarts no call that has a time limit (signal(7)).
func restarted(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

// tick is the most by which a kernel rounds up a timeout: one at 100 Hz.
const tick = 10 * time.Millisecond

func TestTimeoutsAreKept(t *testing.T) {
	eachNumber(t, func(t *testing.T, network string, fd int) {
		for _, option := range []int{syscall.SO_RCVTIMEO, syscall.SO_SNDTIMEO} {
			kept := func() time.Duration {
				tv, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, option)
				if err != nil {
					t.Fatal(err)
				}
				return time.Duration(unix.TimevalToNsec(*tv))
			}
			for _, d := range []time.Duration{0, time.Microsecond, 20 * time.Millisecond, 1500 * time.Millisecond, time.Hour, 0} {
				setTimeout(t, fd, option, d)
				if got := kept(); got < d || got > d+tick || d == 0 && got != 0 {
					t.Errorf("option %#x: %v became %v", option, d, got)
				}
			}
			setTimeout(t, fd, option, time.Second)
			for _, micros := range []int{-1, 1e6} {
				tv := timeval(0)
				assign(&tv.Usec, micros)
				if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, option, tv); err != syscall.EDOM {
					t.Errorf("option %#x: %d microseconds: %v", option, micros, err)
				}
			}
			if got := kept(); got < time.Second {
				t.Errorf("option %#x: it was changed by what was refused: %v", option, got)
			}
			if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &unix.Timeval{Sec: -5}); err != nil {
				t.Error(err)
			}
			if got := kept(); got != 0 {
				t.Errorf("option %#x: a time below 0 became %v", option, got)
			}
		}
	})
}

// A call that waits gives up, and says what it has done until then. A call without a limit goes on.
func TestTimeoutsOfReads(t *testing.T) {
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		const limit = 20 * time.Millisecond
		setTimeout(t, b, syscall.SO_RCVTIMEO, limit)
		buf := make([]byte, 8)
		for name, call := range map[string]func() error{
			"Read":     func() error { _, err := syscall.Read(b, buf); return err },
			"Recvfrom": func() error { _, _, err := unix.Recvfrom(b, buf, 0); return err },
			"Recvmsg":  func() error { return recvmsg(t, b, 8, 0).err },
			"all":      func() error { return recvmsg(t, b, 8, syscall.MSG_WAITALL).err },
			"looking":  func() error { return recvmsg(t, b, 8, syscall.MSG_PEEK).err },
			"now":      func() error { return recvmsg(t, b, 8, syscall.MSG_DONTWAIT).err },
		} {
			begun := time.Now()
			if err := restarted(call); err != syscall.EAGAIN {
				t.Errorf("%s: %v", name, err)
			}
			// The kernel counts ticks, and those of a machine that is held up come together.
			if took := time.Since(begun); overPipe && name != "now" && took < limit {
				t.Errorf("%s: it gave up after %v", name, took)
			}
		}
		setTimeout(t, b, syscall.SO_RCVTIMEO, 0)
		send(t, a, "ab")
		recvmsg(t, b, 8, syscall.MSG_PEEK) // over pipes it takes a moment until it is there
		setTimeout(t, b, syscall.SO_RCVTIMEO, limit)
		if r := recvmsg(t, b, 8, syscall.MSG_WAITALL); r != (received{"ab", 2, 0, 0, nil}) {
			t.Errorf("%+v", r)
		}
		setTimeout(t, b, syscall.SO_RCVTIMEO, 0)
		got := make(chan received, 1)
		go func() { got <- recvmsg(t, b, 8, 0) }()
		select {
		case r := <-got:
			t.Fatalf("it did not wait: %+v", r)
		case <-time.After(2 * limit):
		}
		send(t, a, "cd")
		expectSoon(t, func() error { return (<-got).err })
	})
}

// A time below 0 is none at all.
func TestTimeoutBelowZero(t *testing.T) {
	a, b := socketpair(t, "unix")
	defer syscall.Close(a)
	defer syscall.Close(b)
	if err := syscall.SetsockoptTimeval(b, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: -1}); err != nil {
		t.Fatal(err)
	}
	expectSoon(t, func() error {
		if r := recvmsg(t, b, 8, 0); r.err != syscall.EAGAIN {
			t.Errorf("%+v", r)
		}
		return nil
	})
}

func TestTimeoutsOfWrites(t *testing.T) {
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		setTimeout(t, a, syscall.SO_SNDTIMEO, 20*time.Millisecond)
		expectSoon(t, func() error {
			for {
				err := restarted(func() error { _, err := unix.SendmsgN(a, make([]byte, 4000), nil, nil, 0); return err })
				if err == unix.EAGAIN {
					return nil
				}
				if err != nil {
					return err
				}
			}
		})
		setTimeout(t, a, syscall.SO_SNDTIMEO, patience)
		sent := make(chan error, 1)
		go func() {
			sent <- restarted(func() error { return syscall.Sendmsg(a, []byte("x"), nil, nil, 0) })
		}()
		expectSoon(t, func() error {
			for {
				if r := recvmsg(t, b, 4000, 0); r.err != nil || r.n == 1 || network == "unix" && r.n < 4000 {
					return r.err
				}
			}
		})
		expectSoon(t, func() error { return <-sent })
	})
}

// Somebody who waits without a limit by way of another number is not disturbed by the end of
// another's.
func TestTimeoutOfAnother(t *testing.T) {
	if !overPipe {
		t.Skip("the kernel's sockets would not wait in package net's reads either, if they did in system calls")
	}
	a, b := connPair(t, "unix")
	f, err := b.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	setTimeout(t, fd, syscall.SO_RCVTIMEO, 20*time.Millisecond)
	read := make(chan error, 1)
	go func() { _, err := b.Read(make([]byte, 1)); read <- err }()
	for range 3 {
		if r := recvmsg(t, fd, 8, 0); r.err != syscall.EAGAIN {
			t.Errorf("%+v", r)
		}
	}
	select {
	case err := <-read:
		t.Fatalf("a Read without a limit: %v", err)
	default:
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	expectSoon(t, func() error { return <-read })
}

// A connection of package net does not wait in system calls, and so has no such limit.
func TestTimeoutIsNotTheConnections(t *testing.T) {
	a, b := connPair(t, "unix")
	control(t, b, func(fd int) { setTimeout(t, fd, syscall.SO_RCVTIMEO, time.Millisecond) })
	read := make(chan error, 1)
	go func() { _, err := b.Read(make([]byte, 1)); read <- err }()
	select {
	case err := <-read:
		t.Fatalf("it gave up: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	expectSoon(t, func() error { return <-read })
}
