package syscall

import (
	"syscall"

	"afunix/dropin/internal/control"
)

// Constants that Windows lacks, or has with other values, as they are on Linux.
const (
	AF_LOCAL = syscall.AF_UNIX

	SOCK_CLOEXEC  = 0x80000
	SOCK_NONBLOCK = 0x800

	SOL_SOCKET = control.SolSocket

	SCM_RIGHTS      = control.ScmRights
	SCM_CREDENTIALS = control.ScmCredentials

	SO_PASSCRED = 0x10
	SO_PEERCRED = 0x11

	// These, which package syscall lacks, have the values that Windows' own sockets know, …
	SO_ACCEPTCONN = 0x2
	SO_OOBINLINE  = 0x100
	SO_SNDLOWAT   = 0x1003
	SO_RCVLOWAT   = 0x1004
	SO_SNDTIMEO   = 0x1005
	SO_RCVTIMEO   = 0x1006
	SO_ERROR      = 0x1007
	SO_TYPE       = 0x1008

	// … and these, which those do not have, Linux's.
	SO_PROTOCOL = 0x26
	SO_DOMAIN   = 0x27

	MSG_OOB          = 0x1
	MSG_PEEK         = 0x2
	MSG_DONTROUTE    = 0x4
	MSG_CTRUNC       = 0x8
	MSG_TRUNC        = 0x20
	MSG_DONTWAIT     = 0x40
	MSG_EOR          = 0x80
	MSG_WAITALL      = 0x100
	MSG_NOSIGNAL     = 0x4000
	MSG_MORE         = 0x8000
	MSG_WAITFORONE   = 0x10000
	MSG_CMSG_CLOEXEC = 0x40000000

	SizeofCmsghdr = control.HeaderLen
	SizeofUcred   = control.CredentialsLen
	SizeofLinger  = 8
)

// Cmsghdr is the header of a control message.
type Cmsghdr struct {
	Len   uint64
	Level int32
	Type  int32
}

// SetLen sets the length of the message, header included.
func (h *Cmsghdr) SetLen(length int) { h.Len = uint64(length) }

// SocketControlMessage is one control message.
type SocketControlMessage struct {
	Header Cmsghdr
	Data   []byte
}

// Ucred says who a process is.
type Ucred struct {
	Pid int32
	Uid uint32
	Gid uint32
}

// CmsgLen returns the value to store in the Len field of the header of a message with datalen
// bytes.
func CmsgLen(datalen int) int { return control.Len(datalen) }

// CmsgSpace returns the number of bytes that such a message takes in a buffer.
func CmsgSpace(datalen int) int { return control.Space(datalen) }

// ParseSocketControlMessage parses b as an array of socket control messages.
func ParseSocketControlMessage(b []byte) ([]SocketControlMessage, error) {
	var msgs []SocketControlMessage
	for {
		h, data, rest, ok, err := control.Next(b)
		if err != nil {
			return nil, err
		}
		if !ok {
			return msgs, nil
		}
		msgs = append(msgs, SocketControlMessage{Cmsghdr{uint64(h.Len), h.Level, h.Type}, data})
		b = rest
	}
}

// UnixRights encodes a set of descriptors into a socket control message for sending to another
// process.
func UnixRights(fds ...int) []byte { return control.Rights(fds...) }

// ParseUnixRights decodes a socket control message that contains descriptors from another process.
func ParseUnixRights(m *SocketControlMessage) ([]int, error) {
	if m.Header.Level != SOL_SOCKET || m.Header.Type != SCM_RIGHTS {
		return nil, syscall.EINVAL
	}
	return control.FDs(m.Data), nil
}

// UnixCredentials encodes credentials into a socket control message for sending to another process.
func UnixCredentials(ucred *Ucred) []byte { return control.Credentials(control.Ucred(*ucred)) }

// ParseUnixCredentials decodes a socket control message that contains credentials.
func ParseUnixCredentials(m *SocketControlMessage) (*Ucred, error) {
	if m.Header.Level != SOL_SOCKET || m.Header.Type != SCM_CREDENTIALS {
		return nil, syscall.EINVAL
	}
	u, err := control.ParseCredentials(m.Data)
	if err != nil {
		return nil, err
	}
	return (*Ucred)(&u), nil
}
