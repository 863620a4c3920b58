package plain

import (
	"strings"
	"testing"
)

func TestParseRendezvous(t *testing.T) {
	const secret = "\x04\x03\x02\x01\x08\x07\x06\x05\x0c\x0b\x0a\x09\x10\x0f\x0e\x0d"
	const numbers = "01020304-05060708-090a0b0c-0D0E0F10"
	for file, want := range map[string]Rendezvous{
		"52301\n" + secret:                         {Port: 52301, Secret: [16]byte([]byte(secret))},
		"1\n" + strings.Repeat("\n", 16):           {Port: 1, Secret: [16]byte([]byte(strings.Repeat("\n", 16)))},
		"!<socket >52301 s " + numbers:             {Port: 52301, Secret: [16]byte([]byte(secret)), Cygwin: true},
		"!<socket >65535 s " + numbers + "\x00":    {Port: 65535, Secret: [16]byte([]byte(secret)), Cygwin: true},
		"":                                         {},
		"52301\n":                                  {},
		"52301\n" + secret + "x":                   {},
		"52301\n" + secret[1:]:                     {},
		"0\n" + secret:                             {},
		"65536\n" + secret:                         {},
		"052301\n" + secret:                        {},
		"+1\n" + secret:                            {},
		"\n" + secret:                              {},
		"!<socket >52301 d " + numbers:             {},
		"!<socket >0 s " + numbers:                 {},
		"!<socket >52301 s " + numbers[1:]:         {},
		"!<socket >52301 s " + numbers + "-0":      {},
		"!<socket >52301 s 0102030g" + numbers[8:]: {},
		"!<socket >52301  s " + numbers:            {},
		"!<socket >":                               {},
	} {
		got, ok := ParseRendezvous([]byte(file))
		if got != want || ok != (want != Rendezvous{}) {
			t.Errorf("%q: %+v, %v", file, got, ok)
		}
	}
}
