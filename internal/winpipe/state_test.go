package winpipe

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"afunix/internal/pipe"
)

var exampleState = sourceState{
	socketType: seqpacket, unlink: true, instances: 3, id: exampleID, path: `C:\dir\socket`, sddl: "D:P(A;;GA;;;SY)",
}

func TestStateHasTheDocumentedBytes(t *testing.T) {
	want := "\x01\x05\x01\x03" + string(exampleID[:]) + "\x0d\x00C:\\dir\\socket" + "\x0f\x00D:P(A;;GA;;;SY)"
	if got := string(exampleState.append(nil)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestStateIsReadBack(t *testing.T) {
	for _, want := range []sourceState{
		exampleState,
		{socketType: stream, instances: 1},
		{socketType: datagram, instances: maxInstances, id: exampleID, sddl: strings.Repeat("x", 300)},
		{socketType: stream, instances: 1, path: `z:\` + strings.Repeat("x", 300)},
	} {
		b := want.append(nil)
		if got, err := parseState(b); err != nil || got != want {
			t.Errorf("%+v was read as %+v, %v", want, got, err)
		}
		if len(b) != want.len() {
			t.Errorf("%d bytes, len says %d", len(b), want.len())
		}
	}
}

func TestEveryTruncationOfAStateIsRefused(t *testing.T) {
	b := exampleState.append(nil)
	for n := range len(b) {
		if _, err := parseState(b[:n]); err == nil {
			t.Errorf("the first %d bytes were accepted", n)
		}
	}
	if _, err := parseState(append(b, 0)); err == nil {
		t.Error("a byte too many was accepted")
	}
}

func TestStatesThatNoListenerHasAreRefused(t *testing.T) {
	for what, change := range map[string]func(s *sourceState){
		"socket type 0":          func(s *sourceState) { s.socketType = 0 },
		"socket type 3":          func(s *sourceState) { s.socketType = 3 },
		"no instances":           func(s *sourceState) { s.instances = 0 },
		"too many instances":     func(s *sourceState) { s.instances = maxInstances + 1 },
		"no file to unlink":      func(s *sourceState) { s.path = "" },
		"a relative path":        func(s *sourceState) { s.path = "socket" },
		"a path of a directory":  func(s *sourceState) { s.path = "C:socket" },
		"a path without a drive": func(s *sourceState) { s.path = `\socket` },
		"a share":                func(s *sourceState) { s.path = `\\host\share\socket` },
		"a device":               func(s *sourceState) { s.path = `\\.\PIPE\socket` },
		"a path outside Win32":   func(s *sourceState) { s.path = `\??\C:\socket` },
		"no letter":              func(s *sourceState) { s.path = `1:\socket` },
		"a NUL in the path":      func(s *sourceState) { s.path += "\x00" },
		"a NUL in the SDDL":      func(s *sourceState) { s.sddl += "\x00" },
		"a long SDDL":            func(s *sourceState) { s.sddl = strings.Repeat("x", pipe.MaxSourceState) },
	} {
		s := exampleState
		change(&s)
		if _, err := parseState(s.append(nil)); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	for offset, value := range map[int]byte{0: stateVersion + 1, 2: 2} {
		b := exampleState.append(nil)
		b[offset] = value
		if _, err := parseState(b); err == nil {
			t.Errorf("%d at offset %d: accepted", value, offset)
		}
	}
}

// What the comment of sourceState says, said once more: what is in front of the texts, and the
// path.
var (
	documentedHead = regexp.MustCompile(`(?s)^\x01[\x01\x02\x05][\x00\x01][\x01-\x08].{16}$`)
	documentedPath = regexp.MustCompile(`(?s)^[A-Za-z]:\\[^\x00]*$`)
)

// documentedState reports whether b is a state by the documents alone, and returns its texts.
func documentedState(b []byte) (path, sddl string, ok bool) {
	if len(b) > pipe.MaxSourceState || len(b) < stateFixed || !documentedHead.Match(latin1(b[:stateFixed])) {
		return "", "", false
	}
	texts := b[stateFixed:]
	for _, text := range []*string{&path, &sddl} {
		if len(texts) < 2 {
			return "", "", false
		}
		n := int(texts[0]) | int(texts[1])<<8
		if texts = texts[2:]; len(texts) < n {
			return "", "", false
		}
		*text, texts = string(texts[:n]), texts[n:]
	}
	hasFile := documentedPath.MatchString(path)
	ok = len(texts) == 0 && !strings.Contains(sddl, "\x00") && (hasFile || path == "" && b[2] == 0)
	return path, sddl, ok
}

// latin1 has a rune for each byte, so that a regular expression counts bytes.
func latin1(b []byte) []byte {
	runes := make([]rune, len(b))
	for i := range b {
		runes[i] = rune(b[i])
	}
	return []byte(string(runes))
}

// Whatever another process says is its listener's state: it is one if, and only if, it is what the
// documents say, and then it is read as what it says.
func FuzzState(f *testing.F) {
	f.Add(exampleState.append(nil))
	f.Add(sourceState{socketType: stream, instances: 1}.append(nil))
	f.Add(sourceState{socketType: datagram, instances: maxInstances, path: `z:\`}.append(nil))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		path, sddl, ok := documentedState(b)
		switch {
		case (err == nil) != ok:
			t.Fatalf("%q: %+v, %v", b, s, err)
		case err != nil:
			if err != errState || s != (sourceState{}) {
				t.Fatalf("%q: %+v, %v", b, s, err)
			}
			return
		}
		if s.path != path || s.sddl != sddl {
			t.Errorf("%q was read as %+v", b, s)
		}
		if again := s.append(nil); !bytes.Equal(again, b) || len(b) != s.len() {
			t.Errorf("%q was read as %+v, which is %q", b, s, again)
		}
		if _, err := parseState(append(b, 0)); err == nil {
			t.Errorf("%q with a byte behind it was accepted", b)
		}
	})
}
