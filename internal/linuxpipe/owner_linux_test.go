package linuxpipe

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"afunix/internal/pipe"
	"afunix/internal/testenv"

	"golang.org/x/sys/unix"
)

// A process that has handed an end on, and kept a duplicate, cannot speak for the process that has
// said hello since.
func TestOnlyTheNewOwnerOfAnEndIsHeard(t *testing.T) {
	for name, tt := range map[string]struct {
		moved bool
		want  error
	}{
		"of an end that moves":   {true, syscall.EPROTO},
		"of one that never does": {false, nil}, // as the process that opened it may share it as it likes
	} {
		t.Run(name, func(t *testing.T) {
			server, client := connected(t)
			if tt.moved {
				if err := server.Expect(); err != nil {
					t.Fatal(err)
				}
			}
			client.Write([]byte("hello"), nil)
			packet(t, server)
			if _, _, err := server.Identify(nil); err != nil {
				t.Fatal(err)
			}
			client.Write([]byte("packet"), nil)
			if got := packet(t, server); string(got) != "packet" {
				t.Fatalf("%q", got)
			}
			var dup int
			client.raw.Control(func(fd uintptr) { dup, _ = unix.Dup(int(fd)) })
			file := os.NewFile(uintptr(dup), "duplicate")
			defer file.Close()
			other := exec.CommandContext(t.Context(), "sh", "-c", "printf another >&3")
			other.ExtraFiles = []*os.File{file}
			if err := other.Run(); err != nil {
				t.Fatal(err)
			}
			buf, _, _, err := server.Read(pool, nil)
			if err != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if err == nil {
				pool.Put(buf)
			}
		})
	}
}

// An end that is to move, and stays after all, may say so before anybody has asked the kernel who
// it is.
func TestAHelloThatComesTooEarlyIsOfWhoSaidTheOneBefore(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := connected(t)
	for _, expect := range []bool{false, true} {
		client.Write([]byte("hello"), nil)
		if expect {
			if err := server.Expect(); err != nil {
				t.Fatal(err)
			}
		}
		packet(t, server)
		who, can, err := server.Identify(nil)
		if err != nil || who.PID != os.Getpid() || can != pipe.CanPull {
			t.Errorf("%+v, %d, %v", who, can, err)
		}
	}
	client.Write([]byte("packet"), nil)
	packet(t, server)
}
