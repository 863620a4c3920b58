package plain

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// A Rendezvous is what a socket file says that stands for a TCP port of this machine: the port, and
// a secret by which a client shows that it may read the file.
type Rendezvous struct {
	Port   uint16
	Secret [16]byte
	Cygwin bool // the file is of Cygwin's form: both sides show the secret, and say who they are
	Assuan bool // the file was written by libassuan
}

// cookie is what socket files of Cygwin begin with.
const cookie = "!<socket >"

// ParseRendezvous reads the whole of a socket file. There are two forms:
//
//	52301\n and the 16 bytes of the secret                  GnuPG (libassuan, assuan-socket.c)
//	!<socket >52301 s 01234567-89ABCDEF-01234567-89ABCDEF   Cygwin, MSYS2 (fhandler_socket_local.cc);
//	                                                        libassuan, if told to do as Cygwin
//
// In the second form the secret is four numbers of the processor's byte order, and a NUL may
// follow. Sockets of datagrams have a d in place of the s, and are none of ours.
func ParseRendezvous(file []byte) (Rendezvous, bool) {
	if rest, ok := bytes.CutPrefix(file, []byte(cookie)); ok {
		return parseCygwin(rest)
	}
	port, secret, _ := bytes.Cut(file, []byte("\n"))
	r := Rendezvous{}
	if len(secret) != len(r.Secret) || !r.setPort(port) {
		return Rendezvous{}, false
	}
	copy(r.Secret[:], secret)
	return r, true
}

func parseCygwin(b []byte) (Rendezvous, bool) {
	r := Rendezvous{Cygwin: true}
	fields := bytes.Split(bytes.TrimRight(b, "\x00"), []byte(" "))
	if len(fields) != 3 || string(fields[1]) != "s" || !r.setPort(fields[0]) {
		return Rendezvous{}, false
	}
	numbers := bytes.Split(fields[2], []byte("-"))
	if len(numbers) != 4 {
		return Rendezvous{}, false
	}
	for i, digits := range numbers {
		var number [4]byte
		if len(digits) != hex.EncodedLen(len(number)) {
			return Rendezvous{}, false
		}
		if _, err := hex.Decode(number[:], digits); err != nil {
			return Rendezvous{}, false
		}
		binary.LittleEndian.PutUint32(r.Secret[4*i:], binary.BigEndian.Uint32(number[:]))
	}
	return r, true
}

// setPort reports whether digits are a port's number, without a sign or a zero in front.
func (r *Rendezvous) setPort(digits []byte) bool {
	port, err := strconv.ParseUint(string(digits), 10, 16)
	r.Port = uint16(port)
	return err == nil && port > 0 && strconv.FormatUint(port, 10) == string(digits)
}
