package apitest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"afunix"

	"golang.org/x/sys/unix"
)

// systemArticles are those that only this system has.
var systemArticles = []article{
	{"shared memory", afunix.KindMemory, offerMemory, useMemory},
	{"event", afunix.KindEvent, offerEvent, useEvent},
	{"process", afunix.KindProcess, offerProcess, useProcess},
	{"terminal", afunix.KindTerminal, offerTerminal, useTerminal},
	{"unix socket of the kernel", afunix.KindUnix, offerUnixConn, useConn},
	{"epoll", afunix.KindOther, offerEpoll, useEpoll},
}

// handlesOfThreads: threads have no descriptors here.
const handlesOfThreads = 0

// lend closes a descriptor that the test has opened when the test ends.
func lend(t *testing.T, fd int, err error) afunix.Descriptor {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return afunix.Descriptor(fd)
}

// take calls use with the only descriptor of r, and closes it.
func take(r afunix.Rights, use func(fd int) error) error {
	d, err := r.Descriptor(0)
	if err != nil {
		return err
	}
	return errors.Join(use(int(d)), unix.Close(int(d)))
}

// awaitInput waits until there is something to be read from fd.
func awaitInput(fd int, limit time.Duration) error {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(p, int(limit.Milliseconds()))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return os.ErrDeadlineExceeded
		default:
			return nil
		}
	}
}

const memorySize = 1 << 16

// view maps shared memory.
func view(fd int, f func(memory []byte) error) error {
	memory, err := unix.Mmap(fd, 0, memorySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	return errors.Join(f(memory), unix.Munmap(memory))
}

func offerMemory(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	d := lend(t, fd, err)
	if err := unix.Ftruncate(fd, memorySize); err != nil {
		t.Fatal(err)
	}
	return d, func(t *testing.T, p *peer) {
		if err := view(fd, func(m []byte) error { return talkThroughMemory(t, p, m) }); err != nil {
			t.Fatal(err)
		}
	}
}

func useMemory(k *talk, r afunix.Rights) error {
	return take(r, func(fd int) error {
		return view(fd, func(m []byte) error { return listenThroughMemory(k, m) })
	})
}

func offerEvent(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	d := lend(t, fd, err)
	return d, func(t *testing.T, p *peer) {
		p.expect(t, "not signalled")
		p.says(t, "wait")
		if err := signal(fd, 3); err != nil {
			t.Fatal(err)
		}
		p.expect(t, "signalled 3 times")
		p.says(t, "signal")
		if n, err := awaitEvent(fd, patience); n != 5 || err != nil {
			t.Errorf("the receiver has signalled %d times, %v; want 5", n, err)
		}
		p.expect(t, "done")
	}
}

func useEvent(k *talk, r afunix.Rights) error {
	return take(r, func(fd int) error {
		if _, err := awaitEvent(fd, aMoment); err != os.ErrDeadlineExceeded {
			return fmt.Errorf("nobody has signalled: %v", err)
		}
		if err := errors.Join(k.say("not signalled"), k.wait("wait")); err != nil {
			return err
		}
		n, err := awaitEvent(fd, patience)
		return errors.Join(err, k.say(fmt.Sprintf("signalled %d times", n)), k.wait("signal"),
			signal(fd, 5), k.say("done"))
	})
}

func signal(fd int, times uint64) error {
	_, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, times))
	return err
}

func awaitEvent(fd int, limit time.Duration) (times uint64, err error) {
	if err := awaitInput(fd, limit); err != nil {
		return 0, err
	}
	buf := make([]byte, 8)
	_, err = unix.Read(fd, buf)
	return binary.NativeEndian.Uint64(buf), err
}

func offerProcess(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	third := start(t, "idle")
	fd, err := unix.PidfdOpen(third.cmd.Process.Pid, 0)
	return lend(t, fd, err), func(t *testing.T, p *peer) {
		p.expect(t, "running")
		p.says(t, "wait")
		third.kill()
		p.expect(t, "exited")
	}
}

func useProcess(k *talk, r afunix.Rights) error {
	return take(r, func(fd int) error {
		if err := awaitInput(fd, aMoment); err != os.ErrDeadlineExceeded {
			return fmt.Errorf("it is running: %v", err)
		}
		return errors.Join(k.say("running"), k.wait("wait"), awaitInput(fd, patience), k.say("exited"))
	})
}

// offerTerminal offers the side of a pseudoterminal that a program sees.
func offerTerminal(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudoterminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	program, err := openProgramSide(master)
	if err != nil {
		t.Skipf("no pseudoterminals here: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	return program, func(t *testing.T, p *peer) {
		p.expect(t, "a terminal of 40 columns")
		buf := make([]byte, 100)
		if n, err := master.Read(buf); string(buf[:n]) != "hello\r\n" || err != nil {
			t.Errorf("on the screen is %q, %v; want hello", buf[:n], err)
		}
	}
}

func openProgramSide(master *os.File) (*os.File, error) {
	raw, err := master.SyscallConn()
	if err != nil {
		return nil, err
	}
	var n int
	raw.Control(func(fd uintptr) {
		n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		err = errors.Join(err, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 40}))
	})
	if err != nil {
		return nil, err
	}
	return os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
}

func useTerminal(k *talk, r afunix.Rights) error {
	return take(r, func(fd int) error {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return err
		}
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err != nil {
			return err
		}
		_, err = unix.Write(fd, []byte("hello\n"))
		return errors.Join(err, k.say(fmt.Sprintf("a terminal of %d columns", size.Col)))
	})
}

// offerUnixConn offers a connection of package net, of which neither end is ours.
func offerUnixConn(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		ends[i] = c
	}
	near, far := ends[0], ends[1]
	expectDeadline(t, near, func() error { return second(near.Read(make([]byte, 1))) })
	return near.(*net.UnixConn), func(t *testing.T, p *peer) {
		p.expect(t, "@ @")
		goOnWithConn(t, p, near, far)
	}
}

// offerEpoll offers an epoll that watches a pipe.
func offerEpoll(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	d := lend(t, fd, err)
	r, w := makePipe(t)
	const token = 1234
	raw, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(watched uintptr) {
		err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, int(watched), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: token})
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, func(t *testing.T, p *peer) {
		p.expect(t, "ready: ")
		if _, err := w.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		p.asks(t, "wait", "ready: "+strconv.Itoa(token))
	}
}

func useEpoll(k *talk, r afunix.Rights) error {
	return take(r, func(fd int) error {
		first, err := readyIn(fd, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(k.say("ready: "+first), k.wait("wait")); err != nil {
			return err
		}
		then, err := readyIn(fd, patience)
		return errors.Join(err, k.say("ready: "+then))
	})
}

func readyIn(epoll int, limit time.Duration) (string, error) {
	events := make([]unix.EpollEvent, 10)
	for {
		n, err := unix.EpollWait(epoll, events, int(limit.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		var tokens []string
		for _, e := range events[:max(n, 0)] {
			tokens = append(tokens, strconv.Itoa(int(e.Fd)))
		}
		return strings.Join(tokens, " "), err
	}
}
