package winpipe

import (
	"bytes"
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"afunix/internal/pipe"
)

var exampleState = sourceState{
	socketType: seqpacket, unlink: true, instances: 3, id: exampleID, path: `C:\dir\socket`, sddl: "D:P(A;;GA;;;SY)",
}

var publicState = sourceState{
	socketType: stream, instances: 8, id: publicID("Demo", stream), sddl: "D:", guests: 100, handles: 7, public: "Demo",
}

func TestStateHasTheDocumentedBytes(t *testing.T) {
	public := "\x02\x01\x00\x08" + string(publicState.id[:]) + "\x00\x00" + "\x02\x00D:" + "\x64\x07" + "\x04\x00Demo"
	if got := string(publicState.append(nil)); got != public {
		t.Errorf("%q, want %q", got, public)
	}
	want := "\x01\x05\x01\x03" + string(exampleID[:]) + "\x0d\x00C:\\dir\\socket" + "\x0f\x00D:P(A;;GA;;;SY)"
	if got := string(exampleState.append(nil)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestStateIsReadBack(t *testing.T) {
	for _, want := range []sourceState{
		exampleState,
		publicState,
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
	for _, s := range []sourceState{exampleState, publicState} {
		b := s.append(nil)
		for n := range len(b) {
			if _, err := parseState(b[:n]); err == nil {
				t.Errorf("the first %d bytes were accepted", n)
			}
		}
		if _, err := parseState(append(b, 0)); err == nil {
			t.Error("a byte too many was accepted")
		}
	}
}

// A process that hands on a listener cannot make another one serve the private pipe of a name that
// is not the public one's.
func TestPublicStatesThatNoListenerHasAreRefused(t *testing.T) {
	for what, change := range map[string]func(s *sourceState){
		"another private pipe":  func(s *sourceState) { s.id = exampleID },
		"another name":          func(s *sourceState) { s.public = "Other" },
		"a name with a slash":   func(s *sourceState) { s.public = "De/mo"; s.id = publicID(s.public, stream) },
		"a name with a NUL":     func(s *sourceState) { s.public = "De\x00mo"; s.id = publicID(s.public, stream) },
		"a long name":           func(s *sourceState) { s.public = strings.Repeat("x", 257); s.id = publicID(s.public, stream) },
		"records":               func(s *sourceState) { s.socketType = seqpacket; s.id = publicID(s.public, seqpacket) },
		"a path beside it":      func(s *sourceState) { s.path = `C:\x` },
		"no guests":             func(s *sourceState) { s.guests = 0 },
		"too many guests":       func(s *sourceState) { s.guests = maxGuests + 1 },
		"too many private ones": func(s *sourceState) { s.handles = s.instances + 1 },
	} {
		s := publicState
		change(&s)
		if _, err := parseState(s.append(nil)); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	for n, want := range map[int]bool{0: false, 1: false, 7: false, 8: true, 109: true, pipe.MaxHandles: true, pipe.MaxHandles + 1: false} {
		if got := publicState.fits(n); got != want {
			t.Errorf("%d handles: %v", n, got)
		}
	}
	if exampleState.fits(0) || !exampleState.fits(4) || exampleState.fits(5) {
		t.Error("a listener without a public name has the sentinel, and as many instances as wait")
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
	for offset, value := range map[int]byte{0: publicVersion + 1, 2: 2} {
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
	documentedHead   = regexp.MustCompile(`(?s)^\x01[\x01\x02\x05][\x00\x01][\x01-\x08].{16}$`)
	documentedPath   = regexp.MustCompile(`(?s)^[A-Za-z]:\\[^\x00]*$`)
	documentedPublic = regexp.MustCompile(`(?s)^\x02\x01\x00[\x01-\x08].{16}$`)
	documentedCounts = regexp.MustCompile(`(?s)^[\x01-\x64][\x00-\x08]$`)
	documentedName   = regexp.MustCompile(`(?s)^[^\x00/]{1,256}$`)
)

// documented reports whether b is a state by the documents alone, and returns its texts.
func documented(b []byte) (path, sddl, public string, ok bool) {
	if len(b) == 0 || b[0] != 2 {
		path, sddl, ok = documentedState(b)
		return path, sddl, "", ok
	}
	if len(b) > pipe.MaxSourceState || len(b) < stateFixed || !documentedPublic.Match(latin1(b[:stateFixed])) {
		return "", "", "", false
	}
	path, rest, ok := documentedText(b[stateFixed:])
	sddl, rest, also := documentedText(rest)
	if !ok || !also || path != "" || len(rest) < 2 || !documentedCounts.Match(latin1(rest[:2])) || rest[1] > b[3] {
		return "", "", "", false
	}
	public, rest, ok = documentedText(rest[2:])
	hash := sha256.Sum256([]byte("afunix public name\x00stream\x00" + strings.ToUpper(public)))
	ok = ok && len(rest) == 0 && !strings.Contains(sddl, "\x00") &&
		documentedName.Match(latin1([]byte(public))) && bytes.Equal(hash[:16], b[4:20])
	return "", sddl, public, ok
}

func documentedText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 2 || len(b)-2 < int(b[0])|int(b[1])<<8 {
		return "", nil, false
	}
	n := 2 + (int(b[0]) | int(b[1])<<8)
	return string(b[2:n]), b[n:], true
}

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
	f.Add(publicState.append(nil))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		path, sddl, public, ok := documented(b)
		switch {
		case (err == nil) != ok:
			t.Fatalf("%q: %+v, %v", b, s, err)
		case err != nil:
			if err != errState || s != (sourceState{}) {
				t.Fatalf("%q: %+v, %v", b, s, err)
			}
			return
		}
		if s.path != path || s.sddl != sddl || s.public != public {
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
