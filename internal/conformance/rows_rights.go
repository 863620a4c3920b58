package conformance

// rightsRows are about what is sent beside data: descriptors (sections A to E of the tests).
var rightsRows = []Row{
	{1, "sdq", "A descriptor that is sent beside a byte arrives with that byte, as one new " +
		"descriptor for the same open file description. Nothing is truncated.", ""},
	{2, "sdq", "The sender's descriptor and the received one share the file offset, the status " +
		"flags (O_APPEND, O_NONBLOCK) and the owner of a flock(2) lock.",
		"the flags and the lock"},
	{3, "sdq", "FD_CLOEXEC does not travel with a descriptor. The received one has the flag if " +
		"the receiver asked for that (MSG_CMSG_CLOEXEC), and else has not.",
		"a receive without MSG_CMSG_CLOEXEC: the API always sets it"},
	{5, "sdq", "Five descriptors of one message arrive in the order in which they were sent. " +
		"Their new numbers are the lowest free ones, ascending.",
		"the numbers"},
	{7, "sdq", "A message carries up to 253 descriptors (SCM_MAX_FD). A message with 254 is " +
		"EINVAL, and nothing of it is queued.", ""},
	{8, "sdq", "Two SCM_RIGHTS control messages in one sendmsg(2) arrive as one, with all " +
		"descriptors in order. Together they may have 253.", ""},
	{10, "sdq", "A message with a descriptor that is not open is EBADF. No data is queued, and " +
		"the message's other descriptors are not kept open.", ""},
	{11, "sdq", "A control message is EINVAL if its length is below that of its header or beyond " +
		"the buffer, or if its type is unknown at level SOL_SOCKET. A control message of another " +
		"level is ignored, and so is a buffer that has no room for a header.", ""},
	{13, "sdq", "Descriptors of every kind can be passed, and work afterwards: O_PATH, epoll, " +
		"eventfd, memfd, directories, pidfds. (An io_uring is EINVAL since Linux 6.7.)",
		"io_uring"},
	{14, "d", "A datagram socket that is neither bound nor connected can send descriptors. The " +
		"receiver sees an empty source address.",
		"a sender that is not connected: the test's sender is connected, and has no name"},
	{15, "s", "Descriptors that are sent on a stream without a byte never arrive: the send " +
		"returns 0, the descriptors are closed at once, the receiver finds nothing, and later " +
		"data comes without descriptors.",
		"the send's success: WriteMsg says EINVAL"},
	{17, "sdq", "A receive with an empty buffer takes the descriptors of the message at the " +
		"front. On a stream the message's byte stays in the queue, without descriptors. A " +
		"datagram or record is consumed, with MSG_TRUNC.", ""},
	{18, "sdq", "read(2) of a message with descriptors returns the data and closes the " +
		"descriptors. No number is used for them.", ""},
	{19, "sdq", "A receive without a control buffer, or with one too short for a header, returns " +
		"the data with MSG_CTRUNC and closes the descriptors.", ""},
	{21, "s", "Descriptors on a stream belong to the bytes of their own message: a receive that " +
		"ends before the first of those bytes does not take the descriptors.", ""},
	{22, "sdq", "With SO_PASSCRED on the receiver, credentials and descriptors of a message come " +
		"together: SCM_CREDENTIALS first, then SCM_RIGHTS.",
		"their order"},
	{24, "sdq", "A send that fails lets go of its descriptors at once: EPIPE (datagrams: " +
		"ECONNREFUSED) if the peer is closed, EMSGSIZE for a datagram or record that is too " +
		"large, ENOTCONN if there is no destination.", ""},
	{26, "s", "A receive on a stream merges plain data with a message with descriptors that " +
		"comes behind it, and stops right after that message. Of 4 bytes, 1 byte with a " +
		"descriptor, and 4 bytes, a receive with room for 20 bytes takes 5 bytes and the " +
		"descriptor, and the next one takes 4.", ""},
	{27, "s", "A receive on a stream that begins with a message with descriptors stops right " +
		"after that message, though more data is queued. Of 2 bytes with a descriptor and 2 " +
		"bytes, a receive with room for 20 bytes takes 2 bytes and the descriptor, and the next " +
		"one takes 2.", ""},
	{30, "s", "read(2) on a stream stops right after a message with descriptors, as recvmsg(2) " +
		"does, though read(2) closes the descriptors. Of two messages of 2 bytes with a " +
		"descriptor each and one of 2 bytes without, three reads with room for 20 bytes take 2 " +
		"bytes each.", ""},
	{32, "s", "MSG_WAITALL on a stream does not go beyond a message with descriptors. Asked for " +
		"8 bytes, a receive returns 4 bytes and the descriptor at once, whether 4 bytes with a " +
		"descriptor are queued before 4 others, or 2 bytes before 2 bytes with a descriptor.", ""},
	{33, "s", "MSG_PEEK on a stream gives fresh duplicates of the descriptors each time, and " +
		"stops right after their message. The receive that follows gets descriptors all the same.", ""},
	{37, "sdq", "MSG_PEEK without a control buffer says MSG_CTRUNC and loses nothing: the next " +
		"receive gets the descriptors.", ""},
	{38, "sdq", "Of three descriptors a control buffer with room for two (CMSG_LEN(8)) gets two, " +
		"with MSG_CTRUNC. The third one is closed.", ""},
	{39, "sdq", "A control buffer with room for a header alone (CMSG_SPACE(0)) gets no control " +
		"message, not even an empty one, and MSG_CTRUNC. The descriptor is closed.", ""},
	{40, "sdq", "A control buffer with room for one descriptor and no padding (CMSG_LEN(4)) gets " +
		"that descriptor, without MSG_CTRUNC.", ""},
	{42, "s", "A receiver whose descriptor table is full (RLIMIT_NOFILE) gets the data without " +
		"an error, as many descriptors as there is room for, perhaps none, and MSG_CTRUNC. The " +
		"other descriptors are closed. There is no EMFILE.",
		"that Linux keeps what fits: the API closes all, and says ErrRightsTruncated"},
	{48, "dq", "The queue of a datagram socket that is not connected to the sender takes 11 " +
		"messages (net.unix.max_dgram_qlen and one more). The next send waits, or is EAGAIN. The " +
		"queues of a pair, or of sockets that are connected to each other, are bounded by " +
		"SO_SNDBUF alone: 278 messages of one byte by default.",
		"the number 278"},
	{49, "dq", "The largest datagram or record is SO_SNDBUF − 32 bytes, by default 212,960. One " +
		"byte more is EMSGSIZE.", ""},
	{51, "sdq", "A message that has been sent arrives, descriptors included, though the sender's " +
		"process has ended.", ""},
	{52, "sdq", "A receiver that closes its socket closes the descriptors of the messages that " +
		"it has not read.", ""},
	{54, "sdq", "A socket can be sent over itself and then be closed by the sender. The received " +
		"descriptor replaces it in full.", ""},
	{55, "sdq", "Sockets that can only be reached by way of each other's queues (one that is in " +
		"its own queue, or two that are in each other's) are freed, with all that is in those " +
		"queues. They are freed at the latest when any AF_UNIX socket closes or sends next; " +
		"without that they stay.",
		"two sockets in each other's queues"},
	{56, "sq", "A listener in the queue of a connection that nobody has accepted from that " +
		"listener is freed once all other references are closed, with all that is in the queue.", ""},
	{57, "sq", "A listener can be sent to another socket, with connections in its backlog, and " +
		"be closed by the sender. The receiver accepts these connections and reads what was sent " +
		"on them. Clients can connect while the listener is in flight.", ""},
	{59, "sq", "A listener that closes also closes the descriptors that were sent on connections " +
		"nobody has accepted.", ""},
	{60, "sdq", "A received socket is the same socket as the sender's. After shutdown(2) of the " +
		"one a write to the other is EPIPE; SO_SNDBUF that is set on the one shows on the other.", ""},
	{62, "sq", "The peer of an end reads no end of file while the only reference to that end is " +
		"in flight. It does once the received end is closed, or as soon as a plain read has " +
		"discarded the message.", ""},
}
