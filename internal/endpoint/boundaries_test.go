package endpoint_test

import (
	"fmt"
	"os"
	"testing"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
)

// file is an open file to be sent.
func file(t testing.TB) transport.File {
	t.Helper()
	f, err := os.CreateTemp(testenv.TempDir(t), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return transport.File{Value: f.Fd()}
}

// A step is one read of the table below.
type step struct {
	plain bool // Read, not Recv
	peek  bool
	room  int
	want  string
	descs int
}

// Linux's rules to the letter: the rows of docs/CONFORMANCE.md in which rights meet the boundaries
// of a stream, on the real pipe.
func TestP6RightsAndStreamBoundaries(t *testing.T) {
	testenv.NeedPipeRights(t)
	type part struct {
		data  string
		descs int
	}
	for _, tt := range []struct {
		name  string
		parts []part
		steps []step
	}{
		{"row 17: a read of nothing takes the rights", []part{{"x", 1}}, []step{{room: 0, descs: 1}, {room: 9, want: "x"}}},
		{"row 18: Read closes what came", []part{{"ab", 2}, {"c", 0}},
			[]step{{plain: true, room: 9, want: "ab"}, {room: 9, want: "c"}}},
		{"row 21: rights belong to their own bytes", []part{{"four", 0}, {"no", 1}}, []step{{room: 4, want: "four"}, {room: 4, want: "no", descs: 1}}},
		{"row 26: plain data before is merged", []part{{"four", 0}, {"1", 1}, {"more", 0}},
			[]step{{room: 20, want: "four1", descs: 1}, {room: 20, want: "more"}}},
		{"row 27: a read stops after the segment with rights", []part{{"ab", 1}, {"cd", 0}},
			[]step{{room: 20, want: "ab", descs: 1}, {room: 20, want: "cd"}}},
		{"row 30: the boundary stops Read, too", []part{{"ab", 1}, {"cd", 3}, {"ef", 0}},
			[]step{{plain: true, room: 20, want: "ab"}, {plain: true, room: 20, want: "cd"}, {plain: true, room: 20, want: "ef"}}},
		{"row 33: each peek gives duplicates", []part{{"ab", 1}, {"cd", 0}},
			[]step{{peek: true, room: 20, want: "ab", descs: 1}, {peek: true, room: 20, want: "ab", descs: 1}, {room: 20, want: "ab", descs: 1}}},
		{"row 134: data merges, and a peek spans writes", []part{{"ab", 0}, {"cd", 0}},
			[]step{{peek: true, room: 9, want: "abcd"}, {room: 3, want: "abc"}, {room: 9, want: "d"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, client := dialled(t, sock.Stream)
			f := file(t)
			for _, dir := range [][2]*endpoint.Conn{{client, server}, {server, client}} {
				for _, p := range tt.parts {
					files := make([]transport.File, p.descs)
					for i := range files {
						files[i] = f
					}
					send(t, dir[0], p.data, files...)
				}
				for i, s := range tt.steps {
					if err := do(dir[1], s); err != nil {
						t.Fatalf("read %d: %v", i, err)
					}
				}
			}
		})
	}
}

func do(c *endpoint.Conn, s step) error {
	buf := make([]byte, s.room)
	if s.plain {
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != s.want {
			return fmt.Errorf("%q, %v, want %q", buf[:n], err, s.want)
		}
		return nil
	}
	m, err := c.Recv(buf, s.peek)
	if err != nil || string(buf[:m.N]) != s.want || m.Rights.Len() != s.descs {
		return fmt.Errorf("%q with %d descriptors, %v, want %+v", buf[:m.N], m.Rights.Len(), err, s)
	}
	return m.Rights.Close()
}
