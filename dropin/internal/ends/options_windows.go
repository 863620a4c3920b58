package ends

import "syscall"

// Options of level SOL_SOCKET. Their values are those that Windows' own sockets know (winsock2.h).
// Options that Windows' sockets lack have Linux's values. Package dropin/syscall has the same.
const (
	soType       = 0x1008
	soDomain     = 0x27
	soProtocol   = 0x26
	soAcceptConn = 0x2
	soError      = 0x1007
	soSndbuf     = syscall.SO_SNDBUF
	soRcvbuf     = syscall.SO_RCVBUF
	soSndlowat   = 0x1003
	soRcvlowat   = 0x1004
	soSndtimeo   = 0x1005
	soRcvtimeo   = 0x1006
	soLinger     = syscall.SO_LINGER
	soPasscred   = 0x10 // SO_DONTROUTE of Windows' own
	soPeercred   = 0x11
	soReuseaddr  = syscall.SO_REUSEADDR
	soBroadcast  = syscall.SO_BROADCAST
	soKeepalive  = syscall.SO_KEEPALIVE
	soOobinline  = 0x100
)
