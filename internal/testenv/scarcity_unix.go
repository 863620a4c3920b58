//go:build unix

package testenv

import (
	"time"

	"golang.org/x/sys/unix"
)

// LeaveRoom fills this process's descriptor table but for some descriptors, until restore is
// called. The process must have fewer than a hundred. The limit is for the whole process: a test
// calls this in a process of its own.
func LeaveRoom(room int) (restore func() error, err error) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		return nil, err
	}
	low := before // the limit is soft: it is lowered, not raised
	low.Cur = 100
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		return nil, err
	}
	var filling []int
	// An accept(2) that finds nobody has taken a number for a moment, and a listener may be in one:
	// the table is full when it stays so.
	for full := 0; full < 5; full++ {
		n := len(filling)
		if filling, err = fill(filling); err != unix.EMFILE {
			return nil, err
		}
		if len(filling) > n {
			full = 0
		}
		time.Sleep(time.Millisecond)
	}
	for range room {
		unix.Close(filling[len(filling)-1])
		filling = filling[:len(filling)-1]
	}
	return func() error {
		for _, fd := range filling {
			unix.Close(fd)
		}
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	}, nil
}

// fill adds copies of a descriptor to filling until there is no room, which is the error, or
// something else is wrong.
func fill(filling []int) ([]int, error) {
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			return filling, err
		}
		unix.CloseOnExec(fd)
		filling = append(filling, fd)
	}
}

// LeaveNoRoom lets this process open no descriptor until restore is called, whatever it closes
// meanwhile. The limit is for the whole process.
func LeaveNoRoom() (restore func() error, err error) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		return nil, err
	}
	none := before
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		return nil, err
	}
	return func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &before) }, nil
}
