package difftest

import (
	"fmt"
	"strings"
)

// A Kind is what an operation does.
type Kind int

// The operations. Sockets are known by the number of the slot that they are in.
const (
	Listen        Kind = iota // Slot of Proc listens at Name, with the backlog N
	ListenPacket              // Slot of Proc is bound to Name
	Dial                      // Slot of Proc connects to Name, bound to Name2 if that is not ""
	Pair                      // Slot and Other, both of Proc
	Connect                   // Slot of Proc and Other of the other process are connected to each other
	Accept                    // Other is what Slot accepts
	Write                     // N bytes
	WriteMsg                  // N bytes with Files descriptors
	WriteTo                   // N bytes with Files descriptors to Name
	Read                      // up to N bytes
	ReadFrom                  // up to N bytes
	ReadMsg                   // up to N bytes; a socket that comes with them goes into Other
	Peek                      // up to N bytes
	Pass                      // the socket in Other goes with N bytes through Slot
	CloseRead                 //
	CloseWrite                //
	Close                     //
	Expire                    // reads and writes after the deadline
	ReadBuffer                // SO_RCVBUF = N
	WriteBuffer               // SO_SNDBUF = N
	PassCreds                 // SO_PASSCRED = On
	PeerCreds                 // SO_PEERCRED
	Addresses                 // of both ends
	UnlinkOnClose             // = On
	Flood                     // Slot writes pieces of N bytes until it has to wait, and its peer reads everything;
	// to a datagram socket Proc sends until it has to wait, and nobody reads
	Together // Slot and Other write N messages each at the same time, and their peers read everything
	Unlink   // Name
	Rename   // Name to Name2
	Link     // Name2 becomes a hard link to Name
	Symlink  // Name2 becomes a symbolic link to Name
	Create   // Name becomes a regular file
	Stat     // Name: is there a socket file?
	Kill     // the second process; another takes its place
	Done     // everything is closed, and nothing may be left open. Every program ends with it
)

var kindNames = [...]string{"Listen", "ListenPacket", "Dial", "Pair", "Connect", "Accept", "Write", "WriteMsg", "WriteTo", "Read",
	"ReadFrom", "ReadMsg", "Peek", "Pass", "CloseRead", "CloseWrite", "Close", "Expire", "ReadBuffer", "WriteBuffer", "PassCreds",
	"PeerCreds", "Addresses", "UnlinkOnClose", "Flood", "Together", "Unlink", "Rename", "Link", "Symlink", "Create", "Stat", "Kill",
	"Done"}

// String is the name of the operation.
func (k Kind) String() string { return kindNames[k] }

// An Op is one operation. Its kind says what its fields mean.
type Op struct {
	Kind        Kind
	Proc        int // the process that makes a socket: 0 or 1
	Slot, Other int
	Net         string
	Name, Name2 string // see world.path
	N           int
	Files       int
	On          bool
}

// A Program is a list of operations. Any part of a program is a program, too: an operation on an
// empty slot is skipped.
type Program []Op

// String returns the operation as a Go literal.
func (op Op) String() string {
	fields := []string{"Kind: difftest." + op.Kind.String()}
	add := func(set bool, name string, value any) {
		if set {
			fields = append(fields, fmt.Sprintf("%s: %#v", name, value))
		}
	}
	add(op.Proc != 0, "Proc", op.Proc)
	add(op.Slot != 0, "Slot", op.Slot)
	add(op.Other != 0, "Other", op.Other)
	add(op.Net != "", "Net", op.Net)
	add(op.Name != "", "Name", op.Name)
	add(op.Name2 != "", "Name2", op.Name2)
	add(op.N != 0, "N", op.N)
	add(op.Files != 0, "Files", op.Files)
	add(op.On, "On", op.On)
	return "{" + strings.Join(fields, ", ") + "}"
}

// String returns the program as Go code for regress_test.go.
func (p Program) String() string {
	var b strings.Builder
	b.WriteString("difftest.Program{\n")
	for _, op := range p {
		fmt.Fprintf(&b, "\t%v,\n", op)
	}
	b.WriteString("}")
	return b.String()
}
