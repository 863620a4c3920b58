package endpoint_test

import "slices"

// Scripts to begin with. In those for FuzzPeer the listener is the user's first socket (0), and the
// connection, if it has been accepted, the second (1); its pipe is the first (0).

const (
	aStream, ofRecords, notAccepted, hasDialled byte = 0, 1, 2, 3 // victims

	pulls, everything byte = 1, 7 + 8 // what victim and enemy can do
	small             byte = 1        // a size: 10 bytes
	acknowledging     byte = 1        // listening
	crediting         byte = 2
)

func play(steps ...[]byte) []byte { return slices.Concat(steps...) }

func user(what, socket, how byte) []byte { return []byte{toAct, what, socket, how} }

func enemys(what, pipe byte, numbers ...byte) []byte { return append([]byte{what, pipe}, numbers...) }

// another is a second connection: pipe 1, socket 2.
var another = play([]byte{toKnock, 0}, enemys(toGreet, 1), user(toRecv, 0, 0))

var peerScripts = [][]byte{
	{},
	play([]byte{aStream, pulls}, enemys(toSayData, 0, 0, 1), user(toRecv, 1, small), user(toPeek, 1, small), enemys(toSayData, 0, 0, 9), user(toReadOnly, 1, 3)),
	play([]byte{ofRecords, pulls}, enemys(toSayData, 0, 1, 1), enemys(toSayData, 0, 3, 2), enemys(toSayData, 0, 2, 1), user(toRecv, 1, 3)),
	play([]byte{aStream, pulls}, enemys(toSayFiles, 0, 0, 1, 5, 2, 0, 1, 0, 2), user(toPeek, 1, 3), user(toRecv, 1, 3)),
	play([]byte{ofRecords, everything}, enemys(toSayFiles, 0, 0, 1, 5, 2, 1, 1, 2, 4), user(toRecv, 1, 3)),
	play([]byte{aStream, pulls}, enemys(toSayFiles, 0, 0, 1, 5, 1, 0xF0, 0, 4, 1), user(toRecv, 1, 3)), // a file called a socket
	play([]byte{aStream, pulls}, []byte{toLimit, 1}, enemys(toSayFiles, 0, 0, 1, 5, 3, 0, 1, 0, 2, 0, 3), user(toRecv, 1, 3)),
	// A Read that waits gets a message with descriptors right into its buffer.
	play([]byte{aStream, pulls}, user(toRecv, 1, 3), enemys(toSayData, 0, 0, 1), user(toRecv, 1, 3), enemys(toSayFiles, 0, 0, 1, 200, 1, 0, 1), user(toRecv, 1, 3)),
	play([]byte{aStream, pulls}, enemys(toSayFiles, 0, 0, 1, 5, 1, 8, 1, 252), enemys(toSayFiles, 0, 0, 2, 5, 1, 8, 1, 252), user(toRecv, 1, 3), user(toRecv, 1, 3)),
	// As many descriptors as nobody reads, and more.
	play([]byte{aStream, pulls}, slices.Repeat(enemys(toSayFiles, 0, 0, 1, 5, 1, 8, 1, 252), 10)),
	play([]byte{notAccepted, pulls}, enemys(toGreet, 0), slices.Repeat(enemys(toSayFiles, 0, 0, 1, 5, 1, 8, 1, 252), 2)),
	play([]byte{aStream, everything}, user(toSend, 1, 4), enemys(toListen, 0, crediting), user(toSendFiles, 1, 1), enemys(toListen, 0, acknowledging)),
	play([]byte{aStream, everything}, user(toSendFiles, 1, 1), []byte{toSleep, 200}, enemys(toSayEnd, 0, 1, 0)),
	play([]byte{aStream, pulls}, enemys(toHandle, 0, 1+4), user(toSend, 1, 1), user(toSend, 1, 1), []byte{toSleep, 50}, enemys(toListen, 0, 0), user(toSend, 1, 1)),
	play([]byte{aStream, pulls}, user(toPass, 1, 1), enemys(toListen, 0, acknowledging), enemys(toSayOptions, 0, 0x81, 1, 10), user(toSend, 1, 1)),
	play([]byte{ofRecords, pulls}, user(toCloseRead, 1, 1), enemys(toListen, 0, acknowledging), user(toCloseWrite, 1, 1), enemys(toSayEnd, 0, 12, 1), user(toClose, 1, 1)),
	play([]byte{notAccepted, pulls}, enemys(toGreet, 0), enemys(toSayData, 0, 0, 1), user(toRecv, 0, 0), user(toRecv, 1, small)),
	play([]byte{hasDialled, everything}, enemys(toSayFiles, 0, 0, 1, 5, 1, 1, 1), user(toRecv, 1, 3), user(toSendFiles, 1, 1), enemys(toListen, 0, acknowledging)),
	// The enemy's end moves to another process, and goes on there.
	play([]byte{aStream, everything}, enemys(toSayMove, 0, 0, 1), user(toSendFiles, 1, 1), enemys(toSayHello, 0, 2, 0), enemys(toSayReady, 0, 3), enemys(toListen, 0, 3)),
	// It moves over the connection itself, and is let go.
	play([]byte{aStream, everything}, enemys(toSayMove, 0, 1, 1), enemys(toMoveIn, 0, 2, 0, 0), []byte{toSleep, 250}, enemys(toSayMove, 0, 2, 0), user(toRecv, 1, 1)),
	// The victim moves its second connection over the first, and the enemy takes it, or closes, or
	// waits for too long.
	play([]byte{aStream, everything}, another, enemys(toSayFiles, 1, 0, 1, 5, 1, 0, 1), user(toSendEnd, 1, 2), enemys(toListen, 1, 1), enemys(toListen, 0, 1)),
	play([]byte{aStream, pulls}, another, user(toSendEnd, 1, 2), enemys(toListen, 1, 1), enemys(toSayEnd, 0, 1, 0), enemys(toListen, 1, 1), enemys(toSayHello, 1, 0, 0), enemys(toSayReady, 1, 3)),
	play([]byte{aStream, pulls}, another, user(toSendEnd, 1, 2), []byte{toSleep, 150}, enemys(toListen, 1, 1), enemys(toSayHello, 1, 0, 0), enemys(toSayReady, 1, 3), user(toSend, 2, 1)),
	// … the connection itself, the listener with a client, a datagram socket.
	play([]byte{aStream, pulls}, user(toSendEnd, 1, 1), enemys(toListen, 0, 1), enemys(toListen, 0, 1), enemys(toListen, 0, 1)),
	play([]byte{aStream, pulls}, []byte{toKnock, 0}, enemys(toGreet, 1), []byte{toKnock, 0}, user(toSendEnd, 1, 0), enemys(toListen, 1, 1), enemys(toListen, 0, 1)),
	play([]byte{aStream, pulls}, user(toDial, 1, 3), enemys(toGreet, 1), user(toSendEnd, 1, 2), enemys(toListen, 1, 1), enemys(toListen, 0, 1)),
	// Ends come in, and are used.
	play([]byte{aStream, pulls}, enemys(toMoveIn, 0, 1, 0, 0), user(toRecv, 1, 1), enemys(toGreet, 1), enemys(toSayData, 1, 0, 1), user(toRecv, 2, 1)),
	play([]byte{aStream, everything}, enemys(toMoveIn, 0, 1, 0, 2, 5, 0, 2, 0, 1), user(toRecv, 1, 1), enemys(toGreet, 1), user(toRecv, 2, 1)),
	play([]byte{aStream, pulls}, enemys(toMoveIn, 0, 1, 0, 3), user(toRecv, 1, 1), user(toRecv, 2, 1), user(toClose, 2, 1)),
	play([]byte{aStream, pulls}, enemys(toMoveIn, 0, 1, 2, 0, 0), enemys(toMoveIn, 0, 2, 0, 0), user(toClose, 1, 1)),
}

// In those for FuzzLinks the datagram socket is the user's first (0), and the first pipe (0) a link
// of the enemy's, if the socket is not connected.
var linkScripts = [][]byte{
	{},
	play([]byte{0, pulls}, enemys(toSayFiles, 0, 0, 1, 5, 0), user(toPeek, 0, 1), user(toRecv, 0, 1)),
	play([]byte{0, pulls}, enemys(toSayFiles, 0, 0, 1, 5, 1, 0, 1), user(toRecv, 0, 1)),
	play([]byte{0, pulls}, enemys(toSayFiles, 0, 1, 1, 5, 0), enemys(toSayData, 0, 3, 9), enemys(toSayData, 0, 2, 9), user(toRecv, 0, 3)),
	play([]byte{0, pulls}, full12, enemys(toSayEnd, 0, 3, 12), user(toRecv, 0, 1), user(toRecv, 0, 1), enemys(toSayEnd, 0, 1, 0), user(toRecv, 0, 1)),
	play([]byte{0, pulls}, full12, []byte{toKnock, 0}, enemys(toGreet, 1), user(toCloseRead, 0, 0), user(toClose, 0, 0)),
	play([]byte{0, pulls}, user(toSend, 0, 65), enemys(toGreet, 1), enemys(toListen, 1, 3), user(toSend, 0, 65), enemys(toSayEnd, 1, 2, 2)),
	play([]byte{0, pulls}, user(toSend, 0, 65), enemys(toGreet, 1), []byte{toSleep, 150}, enemys(toListen, 1, 0), enemys(toSayEnd, 1, 2, 1)),
	play([]byte{0, pulls}, user(toSendFiles, 0, 65), enemys(toGreet, 1), enemys(toListen, 1, 3), []byte{toRename, 7}, user(toSend, 0, 65), enemys(toGreet, 2)),
	play([]byte{0, pulls}, user(toPass, 0, 1), user(toSend, 0, 65), enemys(toGreet, 1), enemys(toListen, 1, 1)),
	play([]byte{1, pulls}, user(toSend, 1, 1), enemys(toListen, 0, 1), enemys(toSayFiles, 1, 0, 1, 5, 0), user(toRecv, 0, 1)),
	play([]byte{0, pulls}, enemys(toSayFiles, 0, 0, 1, 5, 0), user(toSendEnd, 0, 65), enemys(toGreet, 1), enemys(toListen, 0, 1), enemys(toListen, 1, 1)),
	play([]byte{0, pulls}, full12, user(toSendEnd, 0, 65), enemys(toGreet, 1), enemys(toListen, 0, 1), enemys(toSayEnd, 1, 2, 1)),
	play([]byte{0, pulls}, user(toPass, 0, 1), enemys(toMoveIn, 0, 1, 0, 3, 1, 0, 1, 0), user(toRecv, 0, 1), user(toRecv, 1, 1)),
}

// full12 is a full queue, and one datagram that waits.
var full12 = slices.Concat(func() (steps [][]byte) {
	for i := range byte(12) {
		steps = append(steps, enemys(toSayFiles, 0, 0, i+1, 5, 0))
	}
	return steps
}()...)
