// Package lookalike recognises what looks like a socket and is none of ours: names of Windows that
// lead to no file, and socket files of other programs.
package lookalike

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"

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
	Pipe       = "it is the name of a pipe"
	PipeRoot   = "the name of a pipe is missing"
	RemotePipe = "it is the name of a pipe on another machine"
	Share      = "it is on another machine"
	Device     = "it is the name of a device"
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
	case hasPrefixFold(rest, `GLOBALROOT\Device\NamedPipe`):
		return Pipe
	case isPipe(rest):
		if PipeName(full) == "" {
			return PipeRoot
		}
		return Pipe
	}
	return Device
}

// PipeName returns NAME if the full name of Windows is that of a pipe of this machine,
// \\.\pipe\NAME, and otherwise "".
func PipeName(full string) string {
	rest, local := cutDevice(strings.ReplaceAll(full, "/", `\`))
	if !local || !hasPrefixFold(rest, `pipe\`) {
		return ""
	}
	return rest[len(`pipe\`):]
}

// longestPipe bounds the name of a pipe with \\.\pipe\ in front, in UTF-16 units: what Windows
// documents for CreateNamedPipe.
const longestPipe = 256

// CheckPipe refuses what no pipe can be called: EINVAL if \\.\pipe\NAME is too long.
func CheckPipe(name string) error {
	if n := len(utf16.Encode([]rune(`\\.\pipe\` + name))); n > longestPipe {
		return &Error{errno.EINVAL, fmt.Sprintf("the name of a pipe has at most %d characters with %s, and this one has %d", longestPipe, `\\.\pipe\`, n)}
	}
	return nil
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
		return RemotePipe
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

// The socket files to which there is a way on Windows.
const (
	Cygwin = "it is a socket file of Cygwin or MSYS2, which leads to a stream on Windows"
	Assuan = "it is a socket file of GnuPG on Windows, which leads to a stream there"
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
		return Cygwin
	case bytes.HasPrefix(beginning, redirected):
		return "it is a file of GnuPG that names another socket"
	case assuanNonce(beginning):
		return Assuan
	}
	return ""
}

// Refused is the error of dialling a file that begins like this: ECONNREFUSED.
func Refused(beginning []byte) error {
	if what := File(beginning); what != "" {
		return &Error{errno.ECONNREFUSED, what}
	}
	return errno.ECONNREFUSED
}

// assuanNonce reports whether b is a whole socket file of libassuan: the number of a TCP port in a
// line, and 16 bytes.
func assuanNonce(b []byte) bool {
	line := assuan.Find(b)
	return line != nil && len(b) == len(line)+16
}
