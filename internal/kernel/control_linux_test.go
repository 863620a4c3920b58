package kernel

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"afunix/internal/descriptor"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

// controlOf is a control block as the kernel writes it, of messages with one int or more each.
func controlOf(messages ...[]int32) []byte {
	var block controlBlock
	b := block.bytes()
	n := 0
	for _, m := range messages {
		typ, body := m[0], m[1:]
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[n]))
		h.Level, h.Type = unix.SOL_SOCKET, typ
		h.SetLen(unix.CmsgLen(sizeofInt32 * len(body)))
		copy(descriptors(b[n+unix.CmsgLen(0):n+unix.CmsgLen(sizeofInt32*len(body))]), body)
		n += unix.CmsgSpace(sizeofInt32 * len(body))
	}
	return b[:n]
}

// The kernel may put an errno in the place of a descriptor (SO_RIGHTS_NOTRUNC, Linux 7.3). It is
// the error of its slot, and no descriptor; the others are as they are.
func TestAnErrnoIsNoDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	mine, err := unix.Dup(int(w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	set, creds := parseControl(controlOf([]int32{unix.SCM_RIGHTS, -int32(unix.EACCES), int32(mine), -int32(unix.EMFILE)}))
	if set.Len() != 3 || creds != nil {
		t.Fatalf("%d descriptors, credentials %v", set.Len(), creds)
	}
	for i, want := range map[int]error{0: unix.EACCES, 2: unix.EMFILE} {
		if v, k, err := set.Take(i); err != want || k != descriptor.Other {
			t.Errorf("Take(%d) = %d, %v, %v; want %v", i, v, k, err, want)
		}
		give := func(v uintptr, _ descriptor.Kind, _ descriptor.End) error {
			t.Errorf("Give(%d) shows %d", i, v)
			return nil
		}
		if err := set.Give(i, give); err != want {
			t.Errorf("Give(%d): %v; want %v", i, err, want)
		}
		if k := set.Kind(i); k != descriptor.Other {
			t.Errorf("Kind(%d) = %v", i, k)
		}
	}
	if k := set.Kind(1); k != descriptor.Pipe {
		t.Errorf("the descriptor is %v", k)
	}
	if err := set.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := set.Close(); err != nil {
		t.Errorf("Close once more: %v", err)
	}
	if _, err := unix.FcntlInt(uintptr(mine), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor is still open: %v", err)
	}
	if _, _, err := set.Take(0); err != unix.EACCES {
		t.Errorf("Take after Close: %v", err)
	}
}

// The pidfd that comes with each message while SO_PASSPIDFD is set is closed, and the errno that
// comes in its place is none.
func TestPidfdsThatNobodyAskedForAreClosed(t *testing.T) {
	parseControl(controlOf([]int32{unix.SCM_PIDFD, -int32(unix.EINVAL)}, []int32{unix.SCM_PIDFD, -int32(unix.ESRCH)}))
	for _, network := range []string{stream, packet, dgram} {
		a, b, err := tested.Pair(network)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		set(t, b, unix.SO_PASSPIDFD)
		fd, err := unix.MemfdCreate("", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if _, err := a.Send([]byte("x"), []transport.File{{Value: uintptr(fd)}}, nil); err != nil {
			t.Fatal(err)
		}
		before := open(t)
		for _, peek := range []bool{true, false} {
			m, err := b.Recv(make([]byte, 1), peek)
			if err != nil || m.Rights.Len() != 1 {
				t.Fatalf("%s: %d descriptors, %v", network, m.Rights.Len(), err)
			}
			m.Rights.Close()
			if after := open(t); after != before {
				t.Errorf("%s: %d descriptors are open, and %d were before", network, after, before)
			}
		}
	}
}

// What a real kernel puts into the slots for which there is no room, if it is told not to cut them
// off: no slot is a descriptor that is not open, and what was sent is told apart from what came.
func TestNoSlotIsADescriptorThatIsNotOpen(t *testing.T) {
	a, b, err := tested.Pair(packet)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	const soRightsNotrunc = 85 // include/uapi/asm-generic/socket.h
	set(t, b, soRightsNotrunc)
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	file := transport.File{Value: uintptr(null)}
	if _, err := a.Send([]byte("x"), []transport.File{file, file, file}, nil); err != nil {
		t.Fatal(err)
	}
	m, err := receiveWithRoomForOne(t, b)
	t.Logf("%d descriptors, %v", m.Rights.Len(), err)
	if err != nil && !errors.Is(err, descriptor.ErrRightsTruncated) {
		t.Fatal(err)
	}
	defer m.Rights.Close()
	for i := range m.Rights.Len() {
		v, _, err := m.Rights.Take(i)
		if err != nil {
			t.Logf("slot %d: %v", i, err)
			continue
		}
		if err := unix.Close(int(v)); err != nil {
			t.Errorf("slot %d is %d, which is no descriptor: %v", i, v, err)
		}
	}
}

// receiveWithRoomForOne receives a message while this process can open one descriptor more.
func receiveWithRoomForOne(t *testing.T, c transport.Conn) (transport.Message, error) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	next, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next) + 1, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	m, err := c.Recv(make([]byte, 1), false)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return m, err
}

// set switches a socket option on, as any program may. Where the kernel lacks it the test ends.
func set(t *testing.T, c transport.Conn, option int) {
	t.Helper()
	var err error
	if controlErr := c.(*Conn).raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, 1) }); controlErr != nil {
		t.Fatal(controlErr)
	}
	if errors.Is(err, syscall.ENOPROTOOPT) {
		t.Skipf("this kernel lacks socket option %d", option)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// open counts this process's descriptors.
func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
