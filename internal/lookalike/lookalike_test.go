package lookalike

import (
	"errors"
	"strings"
	"testing"

	"afunix/internal/errno"
)

func TestName(t *testing.T) {
	for name, want := range map[string]string{
		`C:\dir\s`:     "",
		`c:/dir/s`:     "",
		`\\?\C:\dir\s`: "",
		`\\.\C:\dir\s`: "",
		`//./c:/dir/s`: "",
		`\??\C:\dir\s`: "",
		`\\?\Volume{01234567-89ab-cdef-0123-456789abcdef}\s`: "",

		`\\.\pipe\demo`:                     Pipe,
		`//./pipe/demo`:                     Pipe,
		`\\.\PIPE`:                          PipeRoot,
		`\\.\pipe\`:                         PipeRoot,
		`\\?\pipe\demo`:                     Pipe,
		`\??\pipe\demo`:                     Pipe,
		`\\host\pipe\demo`:                  RemotePipe,
		`\\?\UNC\host\PIPE\demo`:            RemotePipe,
		`\\?\GLOBALROOT\Device\NamedPipe\x`: Pipe,

		`\\host\share\s`:        Share,
		`//host/share/s`:        Share,
		`\\host`:                Share,
		`\\host\pipes\s`:        Share,
		`\\?\UNC\host\share\s`:  Share,
		`\\.\unc\host\share\s`:  Share,
		`\\localhost\c$\temp\s`: Share,

		`\\.\CON`:  Device,
		`\\.\NUL`:  Device,
		`\\.\COM1`: Device,
		`\\?\GLOBALROOT\Device\HarddiskVolume1\s`: Device,
		`\\.\PhysicalDrive0`:                      Device,
		`\\.\C:`:                                  Device, // the volume itself
		`\\.\`:                                    Device,
		`\\?\Volume{..}\s`:                        Device,
	} {
		if got := Name(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPipeName(t *testing.T) {
	for name, want := range map[string]string{
		`\\.\pipe\demo`:      "demo",
		`//./pipe/demo`:      "demo",
		`\\?\PIPE\a\b`:       `a\b`,
		`\??\pipe\a/b`:       `a\b`,
		`\\.\pipe\`:          "",
		`\\.\pipe`:           "",
		`\\.\pipes\x`:        "",
		`\\host\pipe\demo`:   "",
		`C:\pipe\demo`:       "",
		`\\?\UNC\h\pipe\x`:   "",
		`\\.\C:\pipe\demo`:   "",
		`\\?\GLOBALROOT\x\y`: "",
	} {
		if got := PipeName(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCheckPipe(t *testing.T) {
	for length, want := range map[int]string{247: "", 248: "at most 256 characters with \\\\.\\pipe\\, and this one has 257"} {
		for _, name := range []string{strings.Repeat("x", length), strings.Repeat("é", length), strings.Repeat("x", length-2) + "😀"} {
			err := CheckPipe(name)
			if (err == nil) != (want == "") || err != nil && (!errors.Is(err, errno.EINVAL) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%d characters: %v, want %q", length, err, want)
			}
		}
	}
}

func TestFile(t *testing.T) {
	for content, want := range map[string]string{
		"!<afunix socket 2>\nanything\n":                          "another version",
		"!<socket >52301 s 1A2B3C4D-1A2B3C4D-1A2B3C4D-1A2B3C4D":   "Cygwin",
		"52301\n0123456789abcdef":                                 "GnuPG on Windows",
		"52301\n\x00\x01\x02\x03\x04\x05\x06\x07\n\n\n\n\n\n\n\n": "GnuPG on Windows",
		"%Assuan%\nsocket=/run/user/1000/gnupg/S.gpg-agent\n":     "names another socket",

		"": "", "words\n": "", "52301\n": "", "52301\n0123456789abcdef0": "", "523011\n0123456789abcdef": "", "!<socket >": "", "!<symlink>\xff\xfe": "",
		"!<afunix socket >\nx\n": "", "!<afunix socket 1>\nstre": "", "%Assuan%": "",
	} {
		got := File([]byte(content))
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}

func TestErrorIsItsErrno(t *testing.T) {
	err := error(&Error{errno.ECONNREFUSED, Pipe})
	if !errors.Is(err, errno.ECONNREFUSED) || !strings.Contains(err.Error(), Pipe) {
		t.Error(err)
	}
}
