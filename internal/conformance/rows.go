package conformance

import "slices"

// A Row is a behaviour of Linux's AF_UNIX. docs/CONFORMANCE.md lists them, and comments cite them
// by their numbers. The numbering has gaps.
type Row struct {
	Number    int
	Types     string // of sockets: s stream, d datagram, q seqpacket
	Behaviour string // of Linux, in full: a row is read without the one above it
	Untested  string // what of it the test leaves out; "" for nothing
}

// Rows are all of them, in order.
var Rows = slices.Concat(rightsRows, namesRows, dataRows)

// Text is what the document says of the row.
func (r Row) Text() string {
	if r.Untested == "" {
		return r.Behaviour
	}
	return r.Behaviour + " *Not tested:* " + r.Untested + "."
}
