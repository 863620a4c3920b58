// Package bench compares the transports of package afunix with what a program would use otherwise.
//
// A [Contender] makes connections; a [Workload] is what is done with one, over and over; a
// [Session] is the two together, with both ends in this process or with the other end in a second
// one. Every contender does the same work through the same code, so that what differs is the
// contender. The command cmd/afunix-bench runs them side by side and prints a table; bench_test.go
// runs them as Go benchmarks.
//
// It is a module of its own, so that what we compare with never becomes a dependency of the
// library. It may look into the library's internal packages (its path begins with afunix/), which
// it does for one thing: to count packets.
package bench
