package winpipe

import (
	"bytes"
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

func FuzzSocketFile(f *testing.F) {
	for socketType := range typeNames {
		f.Add(sockfile{socketType, exampleID}.append(nil))
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseSockfile(content)
		if err != nil {
			return
		}
		if again := file.append(nil); !bytes.Equal(again, content) {
			t.Errorf("%q was read as %q", content, again)
		}
	})
}
