package difftest

// This file is the only place that knows in what two transports may differ.
//
// Not compared at all:
//   - how much fits into a buffer before a writer waits: the kernel's own accounting. The reference
//     leaves out what might not fit (accountable), and Flood compares only that its writer waits
//     and that everything arrives;
//   - buffers larger than 212,992 bytes: net.core.wmem_max bounds them, which a system may raise;
//     over pipes it is what Linux comes with;
//   - how many descriptors may wait to be read: unlimited in the kernel for a privileged process,
//     bounded over pipes (P3);
//   - the letters of a name that the system chose (autobind): names, each unique, of one "@" and
//     five digits are equal;
//   - the order between two senders at the same moment (Together);
//   - when the kernel frees sockets that only messages in flight hold (row 55): no such cycle is
//     made (unpassable).

// allowed returns why a pipe's result of op may differ from the kernel's; "" if it may not. empty
// counts zero-length unixpacket records that were sent and have not been read.
func allowed(op Op, kernel, pipe Result, empty *int) string {
	if lateDestination(op, kernel) && !newerOrder() && (pipe.Err.What == "EMSGSIZE" || pipe.Err.What == "EPIPE") {
		return "a kernel before 6.16 looks for the destination before anything else; " +
			"the pipe transport has the order of those since"
	}
	if kernel.Err.What == "EPROTOTYPE" && pipe.Err.What == "ECONNREFUSED" {
		return "the name is bound by a client, which has no pipe that could tell its type"
	}
	switch op.Kind {
	case Read, ReadMsg, Peek, ReadFrom:
		if *empty > 0 && kernel.Err.What == "EOF" && pipe.N == 0 && pipe.Err.What == "" {
			if op.Kind != Peek {
				*empty--
			}
			return "a zero-length record cannot be told from the end over the kernel: see Conn.ReadMsg"
		}
	}
	return ""
}

// lateDestination reports whether op is a send that had nowhere to go.
func lateDestination(op Op, kernel Result) bool {
	switch op.Kind {
	case Write, WriteMsg, Pass:
		return kernel.Err.What == "ENOTCONN"
	}
	return false
}

// A past is what has happened in a run, as far as it bears on what can be compared.
type past struct{ killed, named bool }

// add notes an operation.
func (p *past) add(op Op) {
	p.killed = p.killed || op.Kind == Kill
	p.named = p.named || op.Kind == PassCreds && op.On
}

// beyond returns why nothing can be compared from here on; "" if it can.
func (p past) beyond(op Op, kernel Result) string {
	if p.named && lateDestination(op, kernel) && !newerOrder() {
		return "since 6.16 a socket that passes credentials has chosen a name " +
			"by the time that its destination is missed"
	}
	if p.killed && kernel.Err.What == "ECONNRESET" {
		return "a process that is killed says no goodbye, and so not that it had left something unread: " +
			"over pipes its peer reads the end"
	}
	return ""
}
