// Package lookalike recognises what looks like a socket and is none of ours: names of Windows that
// lead to no file, and socket files of other programs.
package lookalike

import (
	"bytes"
	"regexp"
	"strings"

	"afunix/internal/errno"
)

// An Error is the errno of dialling or binding, and what is there instead of a socket.
type Error struct {
	Errno errno.Errno
	What  string // one of the constants below, or a sentence like them
}

// Error is the errno's text and What.
func (e *Error) Error() string { return e.Errno.Error() + ": " + e.What }

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// The things that names of Windows lead to.
const (
	Pipe   = "it is the name of a pipe"
	Share  = "it is on another machine"
	Device = "it is the name of a device"
)

// Name says what a name of Windows leads to if that is no file of this machine, and returns "" if
// it may be one. The name is a full one, as GetFullPathName makes it, which turns CON and the like
// into \\.\CON.
func Name(full string) string {
	slashed := strings.ReplaceAll(full, "/", `\`)
	rest, local := cutDevice(slashed)
	if !local {
		if strings.HasPrefix(slashed, `\\`) {
			return ofHost(slashed[2:])
		}
		return ""
	}
	switch {
	case onVolume(rest):
		return ""
	case hasPrefixFold(rest, `UNC\`):
		return ofHost(rest[len(`UNC\`):])
	case hasPrefixFold(rest, `GLOBALROOT\Device\NamedPipe`), isPipe(rest):
		return Pipe
	}
	return Device
}

// cutDevice cuts what begins the names of devices, of which a drive is one. \??\ is how the system
// itself writes it, and passes through.
func cutDevice(name string) (rest string, ok bool) {
	for _, prefix := range []string{`\\.\`, `\\?\`, `\??\`} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest, true
		}
	}
	return name, false
}

var volume = regexp.MustCompile(`(?i)^([a-z]:|Volume\{[0-9a-f-]+\})\\`)

func onVolume(rest string) bool { return volume.MatchString(rest) }

// ofHost tells apart what another machine has: HOST\pipe\NAME, or HOST\SHARE\PATH.
func ofHost(rest string) string {
	_, share, _ := strings.Cut(rest, `\`)
	if isPipe(share) {
		return Pipe
	}
	return Share
}

func isPipe(rest string) bool { return hasPrefixFold(rest+`\`, `pipe\`) }

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// The socket files of others, by how they begin.
var (
	ours       = regexp.MustCompile(`^!<afunix socket [0-9]+>\n[^\n]+\n`)
	cygwin     = regexp.MustCompile(`^!<socket >[0-9]`)
	assuan     = regexp.MustCompile(`^[0-9]{1,5}\n`)
	redirected = []byte("%Assuan%\n")
)

// Longest is how much of a file File looks at.
const Longest = 256

// File says what a file is that begins like this and leads to no socket of this version; "" if that
// is nothing known.
func File(beginning []byte) string {
	switch {
	case ours.Match(beginning):
		return "it is a socket file of another version of afunix, or on another system"
	case cygwin.Match(beginning):
		return "it is a socket file of Cygwin or MSYS2, to which their programs can connect"
	case bytes.HasPrefix(beginning, redirected):
		return "it is a file of GnuPG that names another socket"
	case assuanNonce(beginning):
		return "it is a socket file of GnuPG on Windows, to which its programs can connect"
	}
	return ""
}

// assuanNonce reports whether b is a whole socket file of libassuan: the number of a TCP port in a
// line, and 16 bytes.
func assuanNonce(b []byte) bool {
	line := assuan.Find(b)
	return line != nil && len(b) == len(line)+16
}
