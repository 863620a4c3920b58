package afunix

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"afunix/internal/lookalike"
)

// ParseAddress returns the name for [Dial] and [Listen] of an address as users type it. The forms
// are those of gRPC and Docker:
//
//	PATH  unix:PATH  unix:///ABSOLUTE/PATH              a path
//	@NAME  unix:@NAME  unix-abstract:NAME               a name that is not in the file system
//	\\.\pipe\NAME  //./pipe/NAME  npipe:////./pipe/NAME  a named pipe of Windows: \\.\pipe\NAME
//
// On Windows a drive may follow the slashes: unix:///C:/PATH. Upper and lower case mean the same in
// a scheme.
//
// A path is taken as it is. Where others would decode it (gRPC, in the form with slashes) and
// others would not (Docker), as with %20, ? and #, the address is refused; so are a host
// (unix://HOST/PATH), an address of D-Bus (unix:path=PATH), and a scheme that is not known, as in
// tcp://HOST or HOST:PORT. A path with a colon in its first part is written with ./ in front.
//
// Errors are of type *[net.AddrError]. Whether the system has such a socket, and whether the name
// is too long, Dial and Listen say.
func ParseAddress(text string) (name string, err error) {
	name, wrong := parseAddress(text)
	if wrong != "" {
		return "", &net.AddrError{Err: wrong, Addr: text}
	}
	return name, nil
}

// scheme matches what is in front of the colon of a URL. A drive of Windows is none.
var scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]+:`)

// parseAddress says what is wrong with the address, or nothing.
func parseAddress(text string) (name, wrong string) {
	if text == "" {
		return "", "the address is empty"
	}
	if pipe := lookalike.PipeName(text); pipe != "" {
		return pipePath(pipe), ""
	}
	prefix := scheme.FindString(text)
	rest := text[len(prefix):]
	switch strings.ToLower(prefix) {
	case "":
		return text, ""
	case "unix:":
		return parseUnix(rest)
	case "unix-abstract:":
		return parseAbstract(rest)
	case "npipe:":
		return parsePipe(rest)
	}
	return "", fmt.Sprintf("the scheme %s is not known; a path with a colon is written ./%s", prefix, text)
}

// parseUnix takes what is behind "unix:".
func parseUnix(rest string) (name, wrong string) {
	path, isURL := strings.CutPrefix(rest, "//")
	switch {
	case isURL:
		return parsePath(path)
	case dbus.MatchString(rest):
		return "", "it is an address of D-Bus: write unix:PATH or unix-abstract:NAME"
	case rest == "" || rest == "@":
		return "", "a path or name is missing"
	}
	return rest, ""
}

// dbus matches the keys of addresses of D-Bus.
var dbus = regexp.MustCompile(`^(path|abstract|dir|tmpdir|runtime)=`)

// parsePath takes what is behind "unix://".
func parsePath(path string) (name, wrong string) {
	switch {
	case path == "" || path == "/":
		return "", "a path is missing"
	case strings.ContainsAny(path, "%?#"):
		return "", "is a URL with %, ? or #, which programs read differently: write unix:PATH with the path as it is"
	case !isAbsolute(path):
		host, _, _ := strings.Cut(path, "/")
		return "", fmt.Sprintf("has a host, %q: write unix:///PATH, or unix:PATH if the path is not absolute", host)
	}
	return cutDrive(path), ""
}

// parseAbstract takes what is behind "unix-abstract:".
func parseAbstract(name string) (abstract, wrong string) {
	if path, isURL := strings.CutPrefix(name, "//"); isURL {
		if !strings.HasPrefix(path, "/") {
			return "", "has a host: write unix-abstract:NAME"
		}
		name = path
	}
	if name == "" {
		return "", "a name is missing"
	}
	return "@" + name, ""
}

// parsePipe takes what is behind "npipe:".
func parsePipe(rest string) (name, wrong string) {
	for _, path := range []string{strings.TrimPrefix(rest, "//"), rest} {
		if pipe := lookalike.PipeName(path); pipe != "" {
			return pipePath(pipe), ""
		}
	}
	return "", "does not name a pipe: write npipe:////./pipe/NAME"
}

func pipePath(name string) string { return `\\.\pipe\` + name }
