package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/internal/descriptor"
	"afunix/internal/testenv"
	"afunix/internal/wire"
)

func init() { children["former owner"] = formerOwner }

// A stranger that may not open this process hands it an end whose other end is here, too, and keeps
// a duplicate. What the stranger writes there afterwards must not make the other end take
// descriptors out of the process that has the end now: here, the secret, out of this process's own
// table.
func TestAFormerOwnerCannotSpeakForTheNewOne(t *testing.T) {
	testenv.NeedPipeRights(t)
	path := socketPath(t)
	if err := os.Chmod(path[:len(path)-2], 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := (&afunix.ListenConfig{Transport: afunix.PipeTransport, Mode: 0o777}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	secret, err := os.CreateTemp(t.TempDir(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	secret.WriteString("secret")
	raw, err := secret.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	raw.Control(func(fd uintptr) { number = int(fd) })
	start := child
	if os.Getuid() == 0 {
		start = childOfNobody
	}
	cmd := start(t, "former owner", path, strconv.Itoa(number))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ends [2]*afunix.Conn // what it sends over, and what it sends: the other end of that
	for i := range ends {
		l.SetDeadline(time.Now().Add(patience))
		if ends[i], err = l.AcceptConn(); err != nil {
			t.Fatal(err)
		}
		defer ends[i].Close()
		ends[i].SetDeadline(time.Now().Add(patience))
	}
	received, err := mustReadMsg(t, ends[0], "an end", 1).Rights.Conn(0)
	if err != nil {
		t.Fatal(err)
	}
	defer received.Close()
	received.SetDeadline(time.Now().Add(patience))
	mustWriteMsg(t, received.(*afunix.Conn), "from here", secret) // on purpose, so that it has said hello
	mustReadMsg(t, ends[1], "from here", 1).Rights.Close()
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	m, err := ends[1].ReadMsg(make([]byte, 100))
	if m.Rights.Len() != 0 || !errors.Is(err, syscall.EPROTO) {
		t.Errorf("%q with %d descriptors, %v; want EPROTO", m.Data, m.Rights.Len(), err)
	}
	m.Rights.Close()
}

// formerOwner sends an end over a connection, and then writes a packet to its duplicate of it.
func formerOwner(args []string) error {
	d := afunix.Dialer{Transport: afunix.PipeTransport}
	over, err := d.DialContext(context.Background(), "unix", args[0])
	if err != nil {
		return err
	}
	defer over.Close()
	over.SetDeadline(time.Now().Add(patience))
	end, err := d.DialContext(context.Background(), "unix", args[0])
	if err != nil {
		return err
	}
	raw, err := end.SyscallConn()
	if err != nil {
		return err
	}
	var dup int
	if err := errors.Join(raw.Control(func(fd uintptr) { dup, err = unix.Dup(int(fd)) }), err); err != nil {
		return err
	}
	if _, err := over.WriteMsg([]byte("an end"), end); err != nil {
		return err
	}
	if _, err := io.ReadAll(os.Stdin); err != nil { // until the new owner has said hello
		return err
	}
	number, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	record := wire.Record{Kind: uint8(descriptor.File), Owner: wire.Sender, Value: number}
	packet := wire.Packet{Type: wire.Data, Serial: 1000, Records: 1, Ancillary: record.Append(nil),
		Payload: []byte("x")}
	if n, err := unix.Write(dup, packet.Append(nil)); err != nil {
		return fmt.Errorf("%d bytes: %w", n, err)
	}
	return nil
}
