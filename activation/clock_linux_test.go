package activation_test

import (
	"time"

	"golang.org/x/sys/unix"
)

func monotonicNow() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano()), err
}
