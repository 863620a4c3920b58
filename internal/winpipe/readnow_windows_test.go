package winpipe

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"afunix/internal/pipe"
)

func TestInterruptDrainsThePipeAndThenEndsReading(t *testing.T) {
	a, b := pair(t)
	write(t, a, []byte("one"))
	write(t, a, []byte("two"))
	b.Interrupt()
	for _, want := range []string{"one", "two"} {
		if got := string(read(t, b)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for range 2 {
		if _, err := tryRead(b); err != os.ErrDeadlineExceeded {
			t.Errorf("Read of an empty pipe: %v, want os.ErrDeadlineExceeded", err)
		}
	}
	write(t, a, []byte("three"))
	if got := string(read(t, b)); got != "three" {
		t.Errorf("got %q after the interruption, want what was in the pipe", got)
	}
	write(t, b, []byte("answer")) // writing goes on
	if got := string(read(t, a)); got != "answer" {
		t.Errorf("got %q", got)
	}
}

// Interrupt comes while packets are arriving: each is returned once, in order, none is lost.
func TestInterruptLosesNoPacket(t *testing.T) {
	for range 20 {
		a, b := pair(t)
		const packets = 50
		sent := make(chan error, 1)
		go func() {
			for i := range packets {
				if i == packets/2 {
					b.Interrupt()
				}
				if err := a.Write([]byte{byte(i)}, nil); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		next := 0
		allSent := false
		for next < packets {
			packet, err := tryRead(b)
			if err == os.ErrDeadlineExceeded {
				if allSent {
					break
				}
				select {
				case err := <-sent:
					if err != nil {
						t.Fatal(err)
					}
					allSent = true
				default:
				}
				continue
			}
			if err != nil || packet[0] != byte(next) {
				t.Fatalf("packet %d: %v, %v", next, packet, err)
			}
			next++
		}
		if next != packets {
			t.Fatalf("%d of %d packets arrived", next, packets)
		}
	}
}

func TestInterruptWakesReader(t *testing.T) {
	_, b := pair(t)
	result := make(chan error, 1)
	go func() {
		_, err := tryRead(b)
		result <- err
	}()
	b.Interrupt()
	if err := within(t, "Read", func() error { return <-result }); err != os.ErrDeadlineExceeded {
		t.Errorf("Read: %v, want os.ErrDeadlineExceeded", err)
	}
}

func TestReadNowNeverWaits(t *testing.T) {
	a, b := pair(t)
	readNow := func() (string, error) {
		buf, n, _, err := b.ReadNow(&buffers, nil)
		if err != nil {
			return "", err
		}
		defer buffers.Put(buf)
		return string(buf[:n]), nil
	}
	expect := func(want string, wantErr error) {
		t.Helper()
		err := within(t, "ReadNow", func() error {
			got, err := readNow()
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			return err
		})
		if err != wantErr {
			t.Errorf("ReadNow: %v, want %v", err, wantErr)
		}
	}
	expect("", syscall.EAGAIN)
	write(t, a, []byte("one"))
	write(t, a, []byte("two"))
	expect("one", nil)
	expect("two", nil)
	expect("", syscall.EAGAIN)
	writeRaw(t, a, make([]byte, pipe.MaxPacket+2))
	expect("", syscall.EMSGSIZE)
	a.Close()
	for range 2 { // the rest of that message, and then the end
		if _, err := readNow(); err != nil && err != io.EOF {
			t.Errorf("ReadNow: %v", err)
		}
	}
	expect("", io.EOF)
	b.Close()
	expect("", net.ErrClosed)
}

func TestResumedReaderWaitsAgain(t *testing.T) {
	a, b := pair(t)
	for i := range 3 {
		b.Interrupt()
		if _, err := tryRead(b); err != os.ErrDeadlineExceeded {
			t.Fatalf("Read: %v, want os.ErrDeadlineExceeded", err)
		}
		b.Resume()
		result := make(chan []byte, 1)
		go func() {
			packet, _ := tryRead(b)
			result <- packet
		}()
		write(t, a, []byte{byte(i)})
		within(t, "Read", func() error {
			if got := <-result; len(got) != 1 || got[0] != byte(i) {
				t.Errorf("round %d: got %v", i, got)
			}
			return nil
		})
	}
}

func TestResumeDoesNotReviveAClosedPipe(t *testing.T) {
	a, _ := pair(t)
	fill(t, a) // so that the handle stays open for a while
	a.Close()
	a.Resume()
	err := within(t, "Read", func() error { _, err := tryRead(a); return err })
	if err != net.ErrClosed {
		t.Errorf("Read: %v, want net.ErrClosed", err)
	}
}

func TestInterruptedReaderSeesTheEnd(t *testing.T) {
	a, b := pair(t)
	write(t, a, []byte("last"))
	a.Close()
	b.Interrupt()
	if got := string(read(t, b)); got != "last" {
		t.Errorf("got %q", got)
	}
	if _, err := tryRead(b); err != io.EOF {
		t.Errorf("Read: %v, want EOF", err)
	}
}
