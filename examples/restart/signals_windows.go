package main

import "os"

// There is no signal by which another process could ask for a restart: it starts the next version itself.
var (
	stopSignals    = []os.Signal{os.Interrupt}
	restartSignals []os.Signal
)
