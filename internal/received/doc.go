// Package received makes of received descriptors what programs use: files, connections and
// listeners of package net.
//
// Its functions own the descriptor if, and only if, they succeed. An AF_UNIX socket of the kernel
// transport they give to a function of the caller's, which makes of it what the public API has.
package received
