package ends

import "golang.org/x/sys/unix"

// Options of level SOL_SOCKET.
const (
	soType       = unix.SO_TYPE
	soDomain     = unix.SO_DOMAIN
	soProtocol   = unix.SO_PROTOCOL
	soAcceptConn = unix.SO_ACCEPTCONN
	soError      = unix.SO_ERROR
	soSndbuf     = unix.SO_SNDBUF
	soRcvbuf     = unix.SO_RCVBUF
	soSndlowat   = unix.SO_SNDLOWAT
	soRcvlowat   = unix.SO_RCVLOWAT
	soSndtimeo   = unix.SO_SNDTIMEO
	soRcvtimeo   = unix.SO_RCVTIMEO
	soLinger     = unix.SO_LINGER
	soPasscred   = unix.SO_PASSCRED
	soPeercred   = unix.SO_PEERCRED
	soReuseaddr  = unix.SO_REUSEADDR
	soBroadcast  = unix.SO_BROADCAST
	soKeepalive  = unix.SO_KEEPALIVE
	soOobinline  = unix.SO_OOBINLINE
)
