// Package difftest holds one transport against another: it runs the same program of socket
// operations on both, in two processes, and compares every result. It is for tests only.
//
// A [Program] is a list of [Op] values, plain data. A run executes it on one transport through the
// public API. The first run, the reference, is on the kernel transport, and it is also the tester's
// model of what waits: before an operation it asks the kernel (poll(2), SIOCOUTQ) whether the
// operation can go on now. An operation that cannot gets a short deadline on both sides, and one
// that can a generous one, so no result depends on time. The generator asks the same question, and
// so has no model of its own.
//
// Operations run one after the other, so Linux leaves no order open between them. Where it does
// leave one open (two senders at the same moment), that is one operation, [Together], and its
// result is each sender's messages in their order, not the order between the two. What else is not
// compared, and what differs on purpose, is in differs.go, each with its reason.
package difftest
