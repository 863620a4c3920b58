package winpipe

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"afunix/internal/sock"
)

// The types of sockets.
const (
	stream    = sock.Stream
	datagram  = sock.Datagram
	seqpacket = sock.Seqpacket
)

func TestNamesHaveLinuxsLimits(t *testing.T) {
	for _, test := range []struct {
		address    string
		socketType sock.Type
		want       error
	}{
		{strings.Repeat("x", 107), stream, nil},
		{strings.Repeat("x", 4000), stream, nil}, // unlike there
		{strings.Repeat("x", 107), datagram, nil},
		{strings.Repeat("x", 108), datagram, syscall.EINVAL},
		{"@" + strings.Repeat("x", 107), seqpacket, nil},
		{"@" + strings.Repeat("x", 108), seqpacket, syscall.EINVAL},
		{"@", datagram, nil}, // an empty abstract name is one
		{"", stream, syscall.EINVAL},
		{"x", 0, syscall.EINVAL},
		{"x", 3, syscall.EINVAL}, // SOCK_RAW
	} {
		if err := checkName(test.address, test.socketType); !errors.Is(err, test.want) {
			t.Errorf("%q, type %d: %v, want %v", test.address, test.socketType, err, test.want)
		}
	}
}

func TestAbstractNamesAreOnesOwn(t *testing.T) {
	const user = "S-1-5-21-1-2-3-1001"
	id := abstractID(user, "@name", stream)
	if id != abstractID(user, "@name", stream) {
		t.Error("the same name leads to different pipes")
	}
	for _, other := range []pipeID{
		abstractID(user, "@name2", stream), abstractID(user, "@name", seqpacket), abstractID(user+"0", "@name", stream),
	} {
		if other == id {
			t.Error("another user, name or type leads to the same pipe")
		}
	}
}

func TestPipesHaveTheDocumentedNames(t *testing.T) {
	const want = `\\.\PIPE\afunix-000102030405060708090a0b0c0d0e0f`
	if got := exampleID.pipeName(); got != want {
		t.Errorf("pipe %s, want %s", got, want)
	}
	if got := exampleID.sentinelName(); got != want+"-listen" {
		t.Errorf("sentinel %s, want %s-listen", got, want)
	}
}

func TestProofIsReadBackAndItsTruncationsAreNot(t *testing.T) {
	want := proof{0x01020304, 0x05060708}
	b := want.append(nil)
	if string(b) != "\x04\x03\x02\x01\x08\x07\x06\x05" {
		t.Errorf("proof % x is not as documented", b)
	}
	if got, err := parseProof(b); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := parseProof(b[:n]); err != syscall.EPROTO {
			t.Errorf("the first %d bytes: %v, want EPROTO", n, err)
		}
	}
}

// The private name beside a public one is the same for everybody, as docs/PROTOCOL.md says.
func TestPrivateNameBesideAPublicOne(t *testing.T) {
	const documented = `\\.\PIPE\afunix-0131cde6f3f483067fc7bb5ddce3f19c`
	id := publicID("docker_engine", stream)
	if got := id.pipeName(); got != documented || publicID("Docker_Engine", stream) != id {
		t.Errorf("%s, want %s", got, documented)
	}
	for _, other := range []pipeID{publicID("docker_engine", seqpacket), publicID(`docker\engine`, stream), abstractID("", "docker_engine", stream)} {
		if other == id {
			t.Error("two names have one pipe")
		}
	}
}
