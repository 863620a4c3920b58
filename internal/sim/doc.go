// Package sim runs the real engine (endpoint, sock, wire, rights) over pipes, processes and handle
// tables that exist in memory only, under a scheduler that a seed decides and in virtual time, and
// lets go wrong whatever can: a process is killed, exits or is suspended, a pipe breaks, a table is
// full. After each run it holds the books against each other: see check.go. It is for tests only.
//
// A [World] lives in a bubble of testing/synctest. Each operation on a pipe, on another process or
// on a table is a step, and waits at a gate until the scheduler lets it through, one at a time,
// whichever the seed picks. So the engine must hold no lock of a connection, a datagram socket or a
// listener at any of them: whoever waited for that lock would stop the bubble. In a world where
// ends move two things are no gates: what a descriptor is (a datagram socket asks under its lock),
// and a read that is interrupted. What a suspended process does in this way is held back until it
// goes on, so that no other process can tell.
package sim
