package apitest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"afunix"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"/run/s":               "/run/s",
		"s":                    "s",
		"./a:b":                "./a:b",
		"dir/tcp://x":          "dir/tcp://x",
		"/run/100%20?#":        "/run/100%20?#",
		`C:\dir\s`:             `C:\dir\s`,
		"c:/dir/s":             "c:/dir/s",
		"@name":                "@name",
		"@unix:x":              "@unix:x",
		"unix:/run/s":          "/run/s",
		"unix:s":               "s",
		"unix:./s":             "./s",
		"unix:a:b":             "a:b",
		"unix:s%20?#":          "s%20?#",
		"UNIX:s":               "s",
		`unix:C:\dir\s`:        `C:\dir\s`,
		"unix:///run/s":        "/run/s",
		"unix:@name":           "@name",
		"unix:./@name":         "./@name",
		"unix:paths=x":         "paths=x",
		"unix:./path=x":        "./path=x",
		"unix:////run/s":       "//run/s",
		"unix-abstract:a":      "@a",
		"unix-abstract:@a":     "@@a",
		"unix-abstract:///a/b": "@/a/b",

		`\\.\pipe\a`:              `\\.\pipe\a`,
		`//./pipe/a`:              `\\.\pipe\a`,
		`\\.\PIPE\a\b`:            `\\.\pipe\a\b`,
		`\\?\pipe\a`:              `\\.\pipe\a`,
		"npipe:////./pipe/a":      `\\.\pipe\a`,
		"npipe://./pipe/a":        `\\.\pipe\a`,
		`npipe:\\.\pipe\a`:        `\\.\pipe\a`,
		`npipe://\\.\pipe\a`:      `\\.\pipe\a`,
		"NPIPE:////./pipe/a/b%20": `\\.\pipe\a\b%20`,
	} {
		if got, err := afunix.ParseAddress(text); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                        "empty",
		"unix:":                   "missing",
		"unix:@":                  "missing",
		"unix://":                 "missing",
		"unix:///":                "missing",
		"unix-abstract:":          "missing",
		"unix://run/s":            `has a host, "run"`,
		"unix://localhost/run/s":  `has a host, "localhost"`,
		"unix://@name":            `has a host, "@name"`,
		"unix-abstract://a/b":     "has a host",
		"unix:///run/my%20socket": "as it is",
		"unix:///run/s?x=1":       "as it is",
		"unix:///run/s#x":         "as it is",
		"unix:path=/run/bus":      "D-Bus",
		"unix:abstract=/tmp/x":    "D-Bus",
		"npipe:":                  "does not name a pipe",
		"npipe://":                "does not name a pipe",
		"npipe:///pipe/a":         "does not name a pipe",
		"npipe:a":                 "does not name a pipe",
		`npipe:\\host\pipe\a`:     "does not name a pipe",
		"npipe:////./pipe/":       "does not name a pipe",
		"tcp://127.0.0.1:80":      "scheme tcp: is not known",
		"localhost:50051":         "scheme localhost: is not known",
		"http+unix://%2Frun%2Fs":  "scheme http+unix: is not known",
		"vsock:2:1234":            "written ./vsock:2:1234",
	} {
		got, err := afunix.ParseAddress(text)
		var addr *net.AddrError
		if !errors.As(err, &addr) || addr.Addr != text || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, why)
		}
	}
}

// What ParseAddress returns, Dial and Listen take.
func TestParsedAddressesLeadToASocket(t *testing.T) {
	path := socketPath(t)
	listen(t, afunix.DefaultTransport, "unix", path)
	for _, text := range []string{path, "unix:" + path, "unix://" + slashed(path)} {
		name, err := afunix.ParseAddress(text)
		if err == nil {
			err = dialAttempt(t, afunix.DefaultTransport, "unix", name)
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// slashed is a path as a URL has it.
func slashed(path string) string {
	if path = filepath.ToSlash(path); path[0] != '/' {
		path = "/" + path
	}
	return path
}

// Elsewhere a pipe of Windows is what the error says, and no file.
func TestPipesOfWindowsElsewhere(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("they are here")
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{`\\.\pipe\name`, `\\?\PIPE\name`} {
		for _, network := range all {
			err := dialAttempt(t, afunix.DefaultTransport, network, name)
			expectElsewhere(t, err)
		}
		_, err := afunix.Listen("unix", name)
		expectElsewhere(t, err)
		_, err = afunix.ListenPacket("unixgram", name)
		expectElsewhere(t, err)
	}
	listen(t, afunix.DefaultTransport, "unix", `./\\.\pipe\name`)
}

func expectElsewhere(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, syscall.EOPNOTSUPP) || !strings.Contains(err.Error(), "pipe of Windows") {
		t.Errorf("%v; want that it is a pipe of Windows", err)
	}
}

// Whatever is typed is a name or an error, and a name is one in the form unix:NAME, too.
func FuzzParseAddress(f *testing.F) {
	for _, text := range []string{"/run/s", "unix:///run/s", "unix:@x", "unix-abstract:x", `\\.\pipe\x`, "npipe:////./pipe/x", "tcp://x", "unix:path=x", "c:/x", "a:b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := afunix.ParseAddress(text)
		if (name == "") != (err != nil) {
			t.Fatalf("%q: %q, %v", text, name, err)
		}
		if err != nil || strings.HasPrefix(name, "//") || strings.Contains(name, "=") || name == "@" {
			return
		}
		if again, err := afunix.ParseAddress("unix:" + name); err != nil || again != name {
			t.Errorf("%q is %q, and unix:%s is %q, %v", text, name, name, again, err)
		}
	})
}
