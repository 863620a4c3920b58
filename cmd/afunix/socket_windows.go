package main

import "afunix"

// takeSocket takes descriptor i, a socket.
func (a *arrival) takeSocket(r afunix.Rights, i int) { a.open(r, i) }
