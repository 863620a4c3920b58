package upgrade

import (
	"errors"
	"fmt"
)

// A number is that of a process in the PID namespace of this one; 0 if it has none there.
type number int

func (n number) String() string {
	if n == 0 {
		return "a process of another PID namespace"
	}
	return fmt.Sprintf("process %d", int(n))
}

// ErrPID1 says that this process cannot have a successor in its own PID namespace: this process is
// process 1 there, and with its end the kernel ends all others. A container whose server is to be
// replaced needs another process 1; docs/UPGRADE.md has one, a short script.
var ErrPID1 = errors.New("this process is process 1 of its PID namespace, and its end would be the successor's")
