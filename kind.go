package afunix

import "afunix/internal/descriptor"

// A Kind says what a descriptor refers to.
type Kind uint8

// The kinds of descriptors.
const (
	KindOther        = Kind(descriptor.Other)        // none of the others, or no longer there
	KindFile         = Kind(descriptor.File)         // a regular file
	KindDirectory    = Kind(descriptor.Directory)    //
	KindPipe         = Kind(descriptor.Pipe)         // either end of a pipe or FIFO; on Windows also a console or device that is just being read
	KindStream       = Kind(descriptor.Stream)       // a TCP or other stream socket that does not listen
	KindListener     = Kind(descriptor.Listener)     // a TCP or other stream socket that listens
	KindDatagram     = Kind(descriptor.Datagram)     // a UDP or other datagram socket
	KindUnix         = Kind(descriptor.Unix)         // an AF_UNIX socket, or end of ours, that does not listen
	KindUnixListener = Kind(descriptor.UnixListener) // an AF_UNIX socket, or end of ours, that listens
	KindMemory       = Kind(descriptor.Memory)       // shared memory: a memfd, a section
	KindEvent        = Kind(descriptor.Event)        // an eventfd, an event
	KindProcess      = Kind(descriptor.Process)      // a pidfd, a process
	KindTerminal     = Kind(descriptor.Terminal)     // a terminal, a console
)

// String returns the kind in words.
func (k Kind) String() string { return descriptor.Kind(k).String() }
