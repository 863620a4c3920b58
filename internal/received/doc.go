// Package received makes of received descriptors what programs use: files, connections and
// listeners of package net.
//
// Its functions own the descriptor if, and only if, they succeed. They give an AF_UNIX socket of
// the kernel transport to a function of the caller's, which makes of the socket what the public API
// has.
package received
