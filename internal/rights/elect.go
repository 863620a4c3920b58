// Package rights turns open descriptors into the records of a packet and back, and knows which side
// closes each descriptor, and when.
//
//	elect.go     which side duplicates: by pulling or by pushing
//	outgoing.go  the sender's descriptors: parked, pushed, and taken back if the message does not go
//	adopt.go     the receiver's: pulled, examined, adopted, or discarded
package rights

import "afunix/internal/pipe"

// A Way is how descriptors travel in one direction of a connection.
type Way uint8

// The ways.
const (
	Nobody Way = iota // no side can duplicate: EPERM
	Pull              // the receiver duplicates them out of the sender
	Push              // the sender duplicates them into the receiver
)

// A Route is what the two sides have agreed on for one direction.
type Route struct {
	Way Way
	// Exports says whether sockets that have to be exported can be (ExportSocket): the sender has
	// to be able to put something into the receiver, whichever side was elected, and the receiver
	// has to believe the sender.
	Exports bool
}

// Elect chooses who duplicates the descriptors that one side sends to the other (S5, P1): the
// server's side if it can, else the client's. Either side's ability is over the other. A push
// counts only if the receiver believes the sender, who otherwise could make it close descriptors of
// its own.
func Elect(serverSends bool, server, client pipe.Ability) Route {
	sender, receiver := client, server
	if serverSends {
		sender, receiver = server, client
	}
	push := sender&pipe.CanPush != 0 && receiver&pipe.Trusts != 0
	pull := receiver&pipe.CanPull != 0
	r := Route{Exports: push}
	switch {
	case serverSends && push, !pull && push:
		r.Way = Push
	case pull:
		r.Way = Pull
	}
	return r
}
