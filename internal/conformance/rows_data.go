package conformance

// dataRows are about what sockets of each type do with data (sections I to O).
var dataRows = []Row{
	{115, "d", "A send without a destination on a socket that is not connected is ENOTCONN, an " +
		"empty one too. (POSIX and the BSDs: EDESTADDRREQ.)", ""},
	{116, "d", "A send to a path that does not exist is ENOENT. To an abstract name that nobody " +
		"has, to a stale socket file, or to a directory it is ECONNREFUSED; to a socket of " +
		"another type EPROTOTYPE; to an empty name EINVAL.", ""},
	{117, "d", "A socket that is connected takes datagrams from its peer alone. A send or a " +
		"connect(2) of anybody else is EPERM, until the socket is disconnected: by connect(2) to " +
		"AF_UNSPEC, or by a send that finds its peer closed.",
		"connect(2) to AF_UNSPEC"},
	{119, "d", "A connected socket may send to another address.",
		"that the kernel allows it: package net refuses (ErrWriteToConnected), and so does the " +
			"API"},
	{120, "d", "When the peer of a connected socket closes, a receive finds no end, and waits. " +
		"The first send is ECONNREFUSED; further ones and getpeername(2) are ENOTCONN. poll(2) " +
		"shows POLLOUT.",
		"getpeername(2), poll(2)"},
	{121, "d", "A peer that closes with unread datagrams causes no reset, and what it has sent " +
		"can be read.", ""},
	{124, "d", "A socket can be connected to itself, and receives what it sends. Sends of others " +
		"are EPERM. Its queue is bounded by SO_SNDBUF alone, not by max_dgram_qlen.", ""},
	{125, "d", "An empty datagram is delivered in its place between others. Its receive returns " +
		"0, and poll(2) shows POLLIN before.",
		"poll(2)"},
	{126, "d", "A queue that is full, with 11 datagrams, is full for every sender: a send waits " +
		"(SO_SNDTIMEO), or is EAGAIN. As soon as one datagram is received there is room for one, " +
		"of whichever sender.", ""},
	{127, "d", "POLLOUT of a connected socket follows the queue of its receiver. A socket that " +
		"is not connected always shows it.", ""},
	{129, "d", "When the receiver has shut down reading, sends are EPIPE, and let go of their " +
		"descriptors. What is queued can be read. After that a receive that blocks returns 0, " +
		"one that waited already too, and one that must not block is EAGAIN.",
		"a receive that returns 0: package net's never block in the kernel, and wait (row 197)"},
	{130, "d", "After shutdown(2) for writing a socket's own sends are EPIPE. Its peer is not " +
		"affected: a receive finds no end, and a send arrives.", ""},
	{133, "d", "A send that waits for room is ECONNREFUSED when the receiver closes, and lets go " +
		"of its descriptors. When the receiver shuts down reading, the send goes on waiting.", ""},
	{134, "s", "Receives merge writes. Of two writes of 2 bytes a receive with room for 3 takes " +
		"3, and the next one 1. MSG_PEEK spans writes, too (since Linux 4.3).", ""},
	{135, "s", "A stream is never truncated: a receive with a short buffer leaves the rest, " +
		"without MSG_TRUNC, and passing MSG_TRUNC changes nothing. A MSG_PEEK with an empty " +
		"buffer returns 0.",
		"a receive with MSG_TRUNC"},
	{138, "s", "A write of nothing returns 0, and nothing is delivered. It is EPIPE if the peer " +
		"is closed.", ""},
	{139, "sdq", "MSG_WAITALL on a stream waits until the buffer is full. It returns what there " +
		"is at a timeout, with MSG_DONTWAIT, and when the peer closes, after which comes the " +
		"end. On datagram and seqpacket sockets a receive takes one message.", ""},
	{145, "sdq", "With SO_SNDTIMEO a stream's send of much data returns what was sent by then, " +
		"and the next one is EAGAIN; a send of a message that finds no room is EAGAIN. With " +
		"SO_RCVTIMEO a receive is EAGAIN after that time. A number of microseconds out of range " +
		"is EDOM, and a negative time means EAGAIN at once.",
		"the options: the API has deadlines, and their error is os.ErrDeadlineExceeded"},
	{147, "sq", "A send with an address is EISCONN on a stream that is connected, and EOPNOTSUPP " +
		"on one that is not. A seqpacket socket ignores the address if it is connected, and is " +
		"ENOTCONN if not.",
		"what the kernel says: package net refuses (ErrWriteToConnected), and so does the API"},
	{148, "sq", "On a stream that was never connected a receive is EINVAL and a send ENOTCONN; a " +
		"receive on a stream listener is EINVAL. On seqpacket sockets each of these is ENOTCONN.", ""},
	{151, "sq", "After shutdown(2) for writing a socket's own sends are EPIPE. Its peer reads " +
		"the rest, then the end. The other direction goes on.", ""},
	{152, "sq", "After shutdown(2) for reading the peer's sends are EPIPE. What is queued can be " +
		"read, then comes the end. The socket can still send, and its peer's receives find no " +
		"end.", ""},
	{153, "sdq", "shutdown(2) for both, of both ends, may be repeated. What is queued can be " +
		"read; on streams and seqpackets comes the end then.", ""},
	{154, "sq", "When a stream is closed with unread input, its peer reads first what was sent " +
		"to it, then ECONNRESET once, then the end. The peer's sends are EPIPE. (A seqpacket " +
		"socket reads ECONNRESET first, then its data, then the end.)", ""},
	{157, "sq", "When a socket is closed with nothing unread, its peer reads the end, and no " +
		"error. The peer's sends are EPIPE, an empty one too.", ""},
	{160, "sq", "close(2) with SO_LINGER and a time of 0 is no reset: the peer reads the data, " +
		"then the end.", ""},
	{161, "sq", "The peer of an end reads the end of file only after the last copy of that end " +
		"(of dup(2), fork(2) or a message) has been closed.", ""},
	{171, "q", "Each send is a record, a writev(2) too, and records are never merged. A receive " +
		"with a short buffer loses the rest of its record, with MSG_TRUNC; a MSG_PEEK with a " +
		"short buffer loses nothing.",
		"writev(2)"},
	{173, "q", "Each send is a record without MSG_EOR, and MSG_EOR is never reported.", ""},
	{182, "sq", "WriteMsgUnix of package net adds a zero byte to descriptors without data, and " +
		"returns 0. The peer of a stream reads that byte, the peer of a seqpacket socket a " +
		"record of one byte.", ""},
	{183, "s", "ReadMsgUnix of package net with an empty buffer and room for control data " +
		"consumes one byte, and returns n = 1.", ""},
	{186, "sd", "A Write of nothing delivers an empty datagram; a stream delivers nothing. If " +
		"the peer is closed it is EPIPE (datagrams: ECONNREFUSED). A Read of a stream into an " +
		"empty buffer returns at once.", ""},
	{187, "sd", "Package net calls an end without a name \"@\", and one that was given a name by " +
		"the system \"@\" and five hexadecimal digits. ReadFrom returns a nil address for a " +
		"sender without a name.", ""},
	{188, "s", "An abstract name with a NUL inside works for Listen and Dial, in full. Package " +
		"net's Addr shows the part before that NUL.", ""},
	{189, "s", "Dial to a full backlog is EAGAIN at once, whatever the dialer's timeout, and the " +
		"error's Timeout method reports true.", ""},
	{190, "sq", "Dial says ENOENT for a path that is not there, ECONNREFUSED where nobody " +
		"listens, and EPROTOTYPE for a socket of another type; Listen says EADDRINUSE for a name " +
		"that is taken. A path has up to 107 bytes, and an abstract name up to 108, the \"@\" " +
		"included. Longer ones are EINVAL. (This API takes a longer path for a stream, where there " +
		"is a way to it.)", ""},
	{191, "sd", "Close of a Listener removes its socket file; SetUnlinkOnClose changes that. " +
		"Close of a listener that FileListener made, or of a datagram socket, does not remove " +
		"the file.",
		"FileListener"},
	{193, "sdq", "A call past its deadline says os.ErrDeadlineExceeded. Close ends a Read or an " +
		"Accept that waits, with net.ErrClosed, as of a second Close. After Close the peer of a " +
		"stream or seqpacket socket reads io.EOF.", ""},
	{196, "d", "A Write on a connected socket and a WriteTo on another one wait while the " +
		"receiver's queue is full, and honour deadlines. (In the second case kernel and runtime " +
		"spin meanwhile.)", ""},
	{197, "d", "A Read after CloseRead finds no end: it waits until the deadline.", ""},
	{198, "q", "A Read with a short buffer loses the rest of the record without a word. File and " +
		"FileConn give copies of the same socket.",
		"File and FileConn"},
	{199, "s", "When a listener is closed with a connection in its backlog, the client reads " +
		"ECONNRESET, then io.EOF.", ""},
	{200, "s", "WriteMsgUnix of 1 MiB on a stream sends the descriptors and the first part " +
		"(219,264 bytes), and returns that count and no error. A Write of 1 MiB goes on to the " +
		"end.",
		"the short count: WriteMsg goes on to the end, and the descriptors come with the first " +
			"byte"},
}
