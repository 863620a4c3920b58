// Package conformance holds the transports against Linux's AF_UNIX: a test for every row of
// docs/CONFORMANCE.md, its number in the test's name, through the public API, on every transport
// that the system has. What the kernel does is right; a row that the kernel transport fails is a
// mistake in the test.
//
// "make conformance" runs it and writes docs/CONFORMANCE.md.
package conformance
