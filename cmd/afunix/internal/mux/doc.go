// Package mux carries any number of connections over one pair of pipes.
//
// Each connection is a [Stream], which has all that a socket has but descriptors: two directions
// that end on their own, boundaries of records, a reader that takes no more, and an end with an
// error, whose text arrives. Each direction of each stream has a window of its own, so a stream
// whose reader stalls holds up no other: a [Session] reads on, and puts what comes into the
// stream's queue, for which there is always room.
//
// # On the wire
//
// Each side begins with a line, which says the version and the side's role:
//
//	afunix-mux/1 listen
//	afunix-mux/1 dial
//
// The side that listens opens streams. A side that reads anything else, or its own role, says so
// and ends: it may be the message of a shell.
//
// Then come frames: a header and a payload. Numbers are big-endian.
//
//	kind 1 byte | flags 1 byte | length of the payload 2 bytes | stream 8 bytes
//
//	kind    flags      payload          sender
//	open    1 records  none             listens: begins the stream; its number is the next one, from 1 on
//	data    1 more     1 to 32768 bytes with more, the record goes on; only a record may be empty
//	credit             4 bytes          so much has been read, and may be sent again
//	end                none             sends no more
//	stop               none             reads no more
//	reset              a text           sends and reads no more, because of an error
//
// A side ends each stream with exactly one end or reset, and sends no data behind that. The stream
// is over when both sides have done so. A credit or a stop may still come after that, and means
// nothing.
//
// What a frame of data costs of the window is its payload and 64 bytes. A side that sends more than
// there is room for, or anything else that is not as above, ends the session. So no side can make
// the other one keep more than a window for each stream, of which there are 4,096 at most.
//
// # Why not a library
//
// The multiplexers that exist have no way to tell the other side that nothing more is read (EPIPE),
// or why a stream was ended, and carry no records: hashicorp/yamux 0.1.2 has a half-close, and a
// reset that only its own timer can send; libp2p/go-yamux 5.1.0 has a reset with a number, and its
// CloseRead tells nobody; xtaci/smux 1.5.58 throws away what comes after a half-close. A relay that
// loses nothing needs all three.
package mux
