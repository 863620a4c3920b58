package descriptor

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// made turns what a system call returns into a descriptor of the test; a system that lacks the call
// skips.
func made(call func() (int, error)) func(t *testing.T) uintptr {
	return func(t *testing.T) uintptr {
		fd, err := call()
		if err != nil {
			t.Skip(err)
		}
		return owned(t, fd)
	}
}

func systemSpecimens() []specimen {
	return []specimen{
		{"memfd", Memory, made(func() (int, error) { return unix.MemfdCreate("shared", unix.MFD_CLOEXEC) })},
		{"memfd of huge pages", Memory, made(func() (int, error) {
			return unix.MemfdCreate("shared", unix.MFD_CLOEXEC|unix.MFD_HUGETLB)
		})},
		{"file on tmpfs", File, func(t *testing.T) uintptr {
			f, err := os.CreateTemp("/dev/shm", "kind")
			if err != nil {
				t.Skip(err)
			}
			defer f.Close()
			os.Remove(f.Name())
			return dupOf(t, f)
		}},
		{"eventfd", Event, made(func() (int, error) { return unix.Eventfd(0, unix.EFD_CLOEXEC) })},
		{"pidfd", Process, made(func() (int, error) { return unix.PidfdOpen(os.Getpid(), 0) })},
		{"terminal", Terminal, openPath("/dev/ptmx")},
		{"epoll", Other, made(func() (int, error) { return unix.EpollCreate1(unix.EPOLL_CLOEXEC) })},
		{"timerfd", Other, made(func() (int, error) { return unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC) })},
		{"path only", File, made(func() (int, error) { return unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0) })},
		{"netlink", Other, socket(unix.AF_NETLINK, unix.SOCK_RAW)},
		{"vsock", Stream, socket(unix.AF_VSOCK, unix.SOCK_STREAM)},
	}
}
