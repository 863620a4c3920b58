package relay

import (
	"errors"
	"net"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Address{
		"-":                {Network: "-"},
		"path":             {Network: "unix", Name: "path"},
		"unix:path":        {Network: "unix", Name: "path"},
		"@name":            {Network: "unix", Name: "@name"},
		"unixpacket:@name": {Network: "unixpacket", Name: "@name"},
		"unixgram:path":    {Network: "unixgram", Name: "path"},
		"tcp:localhost:80": {Network: "tcp", Name: "localhost:80"},
		"tcp:[::1]:http":   {Network: "tcp", Name: "[::1]:http"},
		"//./pipe/x":       {Network: "unix", Name: `\\.\pipe\x`},
	} {
		if got, err := Parse(text); got != want || err != nil {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "unix:", "unixpacket:", "tcp:", "tcp::80", "tcp:localhost", "tcp:10.0.0.1:80", "tcp:example.com:80", "udp:x:1"} {
		var wrong *net.AddrError
		if got, err := Parse(text); !errors.As(err, &wrong) {
			t.Errorf("%q: %+v, %v; want a *net.AddrError", text, got, err)
		}
	}
}
