package conformance

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"afunix"
)

func inherited(d afunix.Descriptor) bool {
	flags, err := unix.FcntlInt(uintptr(d), unix.F_GETFD, 0)
	return err != nil || flags&unix.FD_CLOEXEC == 0
}

func closeDescriptor(d afunix.Descriptor) { unix.Close(int(d)) }

// specials returns one of each kind that is no plain file.
func specials(e *env) map[string]special {
	return map[string]special{
		"O_PATH":    {e.opened(unix.Open(os.TempDir(), unix.O_PATH|unix.O_CLOEXEC, 0)), func(d afunix.Descriptor) error { return unix.Fstat(int(d), new(unix.Stat_t)) }},
		"directory": {e.opened(unix.Open(os.TempDir(), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)), func(d afunix.Descriptor) error { return second(unix.Getdents(int(d), make([]byte, 4096))) }},
		"epoll":     {e.opened(unix.EpollCreate1(unix.EPOLL_CLOEXEC)), func(d afunix.Descriptor) error { return second(unix.EpollWait(int(d), make([]unix.EpollEvent, 1), 0)) }},
		"eventfd":   {e.opened(unix.Eventfd(1, unix.EFD_CLOEXEC)), func(d afunix.Descriptor) error { return second(unix.Read(int(d), make([]byte, 8))) }},
		"memfd":     {e.opened(unix.MemfdCreate("x", unix.MFD_CLOEXEC)), func(d afunix.Descriptor) error { return unix.Ftruncate(int(d), 100) }},
		"pidfd":     {e.opened(unix.PidfdOpen(os.Getpid(), 0)), func(d afunix.Descriptor) error { return unix.PidfdSendSignal(int(d), 0, nil, 0) }},
	}
}

func (e *env) opened(fd int, err error) afunix.Sendable {
	e.Helper()
	e.check(err)
	e.Cleanup(func() { unix.Close(fd) })
	return afunix.Descriptor(fd)
}

// inheritsAtConnect asks whether the kernel gives a connection the listener's options when its
// client connects: that came with SO_PASSRIGHTS.
func inheritsAtConnect() bool {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(s)
	_, err = unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PASSRIGHTS)
	return err == nil
}

const limitsDescriptors = true

// exhaustDescriptors leaves room for one descriptor only, until free is called.
func exhaustDescriptors() (free func(), err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	top, err := unix.Dup(0)
	if err != nil {
		return nil, err
	}
	low := limit
	low.Cur = uint64(top) + 1
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		return nil, err
	}
	for { // gaps below
		if _, err := unix.Dup(0); err == unix.EMFILE {
			break
		} else if err != nil {
			return nil, err
		}
	}
	unix.Close(top)
	return func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }, nil
}

// asNobody makes a command run as a user without privileges; ok is false if this process cannot.
func asNobody(cmd *exec.Cmd) (ok bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return os.Getuid() == 0
}

func isSocketFile(path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return errors.New("no socket file")
	}
	if _, err := os.OpenFile(path, os.O_RDWR, 0); !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("open(2) says %v; want ENXIO", err)
	}
	return nil
}

func umask(mask int) int { return unix.Umask(mask) }
