package winpipe

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"testing"
)

var exampleID = pipeID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

const exampleFile = "!<afunix socket 1>\nstream\n000102030405060708090a0b0c0d0e0f\n"

func TestSocketFileHasTheDocumentedContent(t *testing.T) {
	file := sockfile{stream, exampleID}
	if got := string(file.append(nil)); got != exampleFile {
		t.Errorf("content = %q, want %q", got, exampleFile)
	}
}

func TestSocketFileOfEveryTypeIsReadBack(t *testing.T) {
	for socketType := range typeNames {
		want := sockfile{socketType, exampleID}
		content := want.append(nil)
		if got, err := parseSockfile(content); err != nil || got != want {
			t.Errorf("type %d: %+v, %v", socketType, got, err)
		}
		if len(content) > sockfileMax {
			t.Errorf("type %d: %d bytes, more than sockfileMax", socketType, len(content))
		}
	}
}

func TestEveryTruncationOfASocketFileIsRefused(t *testing.T) {
	for n := range len(exampleFile) {
		if _, err := parseSockfile([]byte(exampleFile[:n])); err == nil {
			t.Errorf("the first %d bytes were accepted", n)
		}
	}
}

func TestWhatIsNotASocketFileIsRefused(t *testing.T) {
	for _, content := range []string{
		exampleFile + "\n",
		exampleFile + "x",
		"!<afunix socket 2>\nstream\n000102030405060708090a0b0c0d0e0f\n",
		"!<afunix socket 1>\nraw\n000102030405060708090a0b0c0d0e0f\n",
		"!<afunix socket 1>\n\n000102030405060708090a0b0c0d0e0f\n",
		"!<afunix socket 1>\nstream\n000102030405060708090A0B0C0D0E0F\n",
		"!<afunix socket 1>\nstream\n000102030405060708090a0b0c0d0e0g\n",
		"!<afunix socket 1>\nstream\n000102030405060708090a0b0c0d0e0f\r",
		"!<afunix socket 1>\r\nstream\r\n000102030405060708090a0b0c0d0e0f\r\n",
	} {
		if _, err := parseSockfile([]byte(content)); err == nil {
			t.Errorf("%q was accepted", content)
		}
	}
}

// documentedFile is what the head comment of sockfile says, said once more.
var documentedFile = regexp.MustCompile(`^!<afunix socket 1>\n(stream|dgram|seqpacket)\n([0-9a-f]{32})\n$`)

// Whatever is in a file: it is a socket file if, and only if, it is what the documents say, and
// then it is read as what it says.
func FuzzSocketFile(f *testing.F) {
	for socketType := range typeNames {
		f.Add(sockfile{socketType, exampleID}.append(nil))
	}
	f.Add([]byte(nil))
	f.Add(bytes.ToUpper([]byte(exampleFile)))
	f.Add([]byte(exampleFile + exampleFile))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseSockfile(content)
		want := documentedFile.FindSubmatch(content)
		switch {
		case (err == nil) != (want != nil):
			t.Fatalf("%q: %v", content, err)
		case err != nil:
			if err != errNotSockfile || file != (sockfile{}) {
				t.Fatalf("%q: %+v, %v", content, file, err)
			}
			return
		}
		if typeNames[file.socketType] != string(want[1]) || hex.EncodeToString(file.id[:]) != string(want[2]) {
			t.Errorf("%q was read as %+v", content, file)
		}
		if again := file.append(nil); !bytes.Equal(again, content) || len(again) > sockfileMax {
			t.Errorf("%q was read as %q", content, again)
		}
	})
}
