package plain

import "testing"

func TestNumbersOfCygwin(t *testing.T) {
	const machine = "S-1-5-21-1-2-3"
	for sid, want := range map[string]uint32{
		machine + "-1001":       197609, // 0x30000 + 1001, as id(1) says on a machine without a domain
		machine + "-513":        197121,
		"S-1-5-21-4-5-6-1104":   1049680,
		"S-1-5-18":              18,
		"S-1-5-32-544":          544,
		"S-1-5-82-1-2-3-4-5":    unknownID,
		"S-1-12-1-1-2-3-4":      unknownID,
		machine + "-4294967296": unknownID,
		"":                      unknownID,
		"nothing":               unknownID,
	} {
		if got := cygwinID(sid, machine); got != want {
			t.Errorf("%s: %d, want %d", sid, got, want)
		}
	}
}
