//go:build unix

package apitest

import (
	"testing"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/internal/testenv"
)

// Row 3: nothing received is inherited by child processes.
func TestReceivedDescriptorsAreCloseOnExec(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		raw, err := w.W.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETFD, 0) })
		if err != nil {
			t.Fatal(err)
		}
		mustWriteMsg(t, a, "x", w.W, w.W)
		m := mustReadMsg(t, b, "x", 2)
		for i := range 2 {
			d, err := m.Rights.Descriptor(i)
			if err != nil {
				t.Fatal(err)
			}
			if flags, err := unix.FcntlInt(uintptr(d), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 || err != nil {
				t.Errorf("flags %#x, %v; want FD_CLOEXEC", flags, err)
			}
			if err := unix.Close(int(d)); err != nil {
				t.Error(err)
			}
		}
	})
}
