package main

import (
	"os"
	"syscall"
)

// SIGTERM is what Go makes of the console's end: its window is closed, the user logs off, the
// system shuts down. There is no signal by which another process could ask for a restart: it starts
// the next version itself.
var (
	stopSignals    = []os.Signal{os.Interrupt, syscall.SIGTERM}
	restartSignals []os.Signal
)
