package conformance

// namesRows are about who a socket is: credentials, names, clients (sections F to H).
var namesRows = []Row{
	{65, "sdq", "With SO_PASSCRED on the receiver every message carries PID, UID and GID of its " +
		"sender, a datagram of a socket that is not connected too.", ""},
	{66, "sdq", "A message that was sent before either side set SO_PASSCRED carries nobody's " +
		"credentials: PID 0, UID and GID 65534.",
		"SO_PASSCRED on the sender"},
	{68, "sdq", "Credentials that a sender attaches itself (SCM_CREDENTIALS) are dropped, " +
		"without MSG_CTRUNC, if the receiver has not set SO_PASSCRED.", ""},
	{69, "sdq", "Root may attach the PID of any living process, and any UID and GID; the " +
		"receiver sees what root claims. A PID of no process is ESRCH.", ""},
	{71, "s", "With SO_PASSCRED a receive on a stream does not merge bytes that came with " +
		"different credentials, be it of two processes that write to one end, and reports those " +
		"of the writer. Bytes with the same credentials are merged, and without SO_PASSCRED all " +
		"are.",
		"two processes that write to one end"},
	{72, "sq", "A connection inherits SO_PASSCRED from the listener at the moment in which the " +
		"client connects, not in which it is accepted. (Before Linux 6.16 it is the latter.)", ""},
	{73, "sdq", "SO_PEERCRED gives: for an end of a pair this process; for a client who called " +
		"listen(2); for an accepted end who called connect(2); for a listener this process, " +
		"since listen(2). It gives PID 0 for a socket that is not bound (with UID and GID −1), " +
		"for one that is only bound, and for a connected datagram socket.",
		"sockets that are not bound, only bound, or listen"},
	{75, "sdq", "A socket with SO_PASSCRED and without a name is given one when it connects or " +
		"sends a datagram: a NUL and five hexadecimal digits (autobind).",
		"the names of stream and seqpacket clients"},
	{77, "sdq", "A fresh socket has no name (getsockname(2) gives length 2) and no peer " +
		"(getpeername(2) is ENOTCONN). An end of a pair has no name, and its peer has none.",
		"a socket that is not bound: the API has none"},
	{78, "sdq", "A path counts up to its NUL, whether the address ends before, at or behind the " +
		"NUL; what is behind the NUL is ignored. getsockname(2) always gives the offset of the " +
		"path, its length and one.", ""},
	{79, "sdq", "A path of 108 bytes without a NUL can be bound, and be connected to. " +
		"getsockname(2) gives length 111, more than a sockaddr_un has.", ""},
	{80, "sdq", "bind(2) with an address of length 111, 1, 0 or −1 is EINVAL, and so are " +
		"connect(2) with length 2 and an address of family AF_INET.", ""},
	{81, "sdq", "bind(2) with an address of length 2 gives the socket a name that nobody has: a " +
		"NUL and five hexadecimal digits (autobind). A second such bind(2) changes nothing. " +
		"Binding another socket to this name is EADDRINUSE.",
		"streams and seqpackets, since Listen wants a name; a second bind(2)"},
	{82, "sdq", "bind(2) with an address of length 3, of which the path is a NUL, binds the " +
		"abstract name of that one NUL. The system chooses no name.", ""},
	{84, "sdq", "Binding an abstract name that is taken is EADDRINUSE. As soon as its owner has " +
		"closed the name is free, and connecting to it is ECONNREFUSED.", ""},
	{87, "sdq", "bind(2) and connect(2) say ENOENT for a path with a missing directory, ENOTDIR " +
		"for one with a file in a directory's place, and ELOOP for a loop of symbolic links. " +
		"connect(2) to a file or a directory is ECONNREFUSED.",
		"ENOTDIR and ELOOP on Windows, where the former is ENOENT and links need a privilege"},
	{88, "sd", "Without permission to write to the socket file, connect(2) and sendto(2) are " +
		"EACCES. Without permission to write to the directory, bind(2) is EACCES.",
		"sendto(2)"},
	{89, "sq", "A listener is reached by a symbolic link, by a hard link, by its socket file's " +
		"new name, and by the link that is left when another one is removed. The reported name " +
		"stays the one that was bound.",
		"symbolic links on Windows"},
	{91, "sdq", "The socket file has the type S_IFSOCK and the mode 0777 less the umask. open(2) " +
		"of it is ENXIO.", ""},
	{92, "sq", "A client that is not bound has no name, in accept(2) and getpeername(2). The " +
		"accepted end has the listener's name. getpeername(2) of a listener is ENOTCONN. A " +
		"message comes without a name as long as the other end has none; otherwise it comes with " +
		"the name that the other end has when the message is read.",
		"getpeername(2) of a listener; messages of an end that has a name"},
	{95, "sq", "A relative path counts from the current directory of each call. A name is " +
		"reported as it was given, \"./\" and \"../\" included.", ""},
	{98, "sdq", "listen(2) is EINVAL for a socket without a name, and succeeds for one that is " +
		"bound, again and again. listen(2) and accept(2) are EOPNOTSUPP for a datagram socket.", ""},
	{100, "sq", "accept(2) is EINVAL for a socket that does not listen: a fresh, a bound or a " +
		"connected one. Where nobody waits it is EAGAIN if it must not block, or once " +
		"SO_RCVTIMEO has passed.",
		"accept(2) on a socket that does not listen"},
	{101, "sq", "connect(2) to a socket that is bound and does not listen, or to the socket " +
		"itself, is ECONNREFUSED. connect(2) by a listener is EINVAL, and by a connected socket " +
		"EISCONN.",
		"a socket that connects to itself, listens, or is connected"},
	{102, "sq", "listen(2) with a backlog of n lets n + 1 clients wait. The next connect(2) that " +
		"must not block is EAGAIN, not EINPROGRESS or ECONNREFUSED. Each accept(2) makes room " +
		"for one more. A backlog of −1 is the maximum (net.core.somaxconn).",
		"the number of the maximum"},
	{104, "sq", "A connect(2) that waits for room in the backlog is not woken when the listener " +
		"is shut down for reading. It is ECONNREFUSED when its time is over.", ""},
	{107, "sq", "A listener that is shut down for reading accepts the clients that wait. Then " +
		"accept(2) is EINVAL, a call that waits already too, and a new connect(2) is " +
		"ECONNREFUSED.", ""},
	{109, "sdq", "connect(2) to AF_UNSPEC dissolves the association of a datagram socket. It is " +
		"EINVAL for streams and seqpackets.", ""},
	{110, "sq", "An accepted socket inherits none of the listener's O_NONBLOCK, SO_RCVTIMEO and " +
		"SO_SNDBUF.", ""},
	{112, "sdq", "A socket file whose socket is closed stays. connect(2) to it is ECONNREFUSED, " +
		"and bind(2) to its path is EADDRINUSE.", ""},
}
