package faults

import "os"

// handleSlack: every descriptor can be counted.
const handleSlack = 0

func threads() (int, error) {
	tasks, err := os.ReadDir("/proc/self/task")
	return len(tasks), err
}
