package bench

import (
	"os"
	"os/exec"
	"testing"

	"afunix/internal/testenv"
)

func TestMain(m *testing.M) {
	RunPeer(os.Stderr)
	os.Exit(m.Run())
}

// The names are for benchstat: -col /carrier compares the contenders.

// BenchmarkOneProcess has both ends in this process. What is allocated is that of both.
func BenchmarkOneProcess(b *testing.B) {
	each(b, OneProcess)
}

// BenchmarkTwoProcesses has the peer in a second process. What is allocated is that of the driver.
func BenchmarkTwoProcesses(b *testing.B) {
	each(b, func(c Contender, w Workload) (*Session, error) {
		return TwoProcesses(c, w, testenv.TempDir(b), func(address string) (*exec.Cmd, error) { return c.StartPeer(address) })
	})
}

func each(b *testing.B, start func(Contender, Workload) (*Session, error)) {
	for _, w := range Workloads {
		b.Run("work="+w.Name, func(b *testing.B) {
			for _, c := range Contenders() {
				b.Run("carrier="+c.Name, func(b *testing.B) { run(b, w, c, start) })
			}
		})
	}
}

func run(b *testing.B, w Workload, c Contender, start func(Contender, Workload) (*Session, error)) {
	s, err := start(c, w)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(w.Bytes))
	b.ReportAllocs()
	b.ResetTimer()
	err = s.Run(b.N)
	b.StopTimer()
	if err != nil {
		b.Error(err)
	}
	if err := s.Close(); err != nil {
		b.Error(err)
	}
}

// Every contender does every workload, in one process and in two.
func TestEveryContenderDoesEveryWorkload(t *testing.T) {
	for _, w := range Workloads {
		for _, c := range Contenders() {
			t.Run(w.Name+"/"+c.Name, func(t *testing.T) {
				if c.Name == Pipe && w.Passed > 0 {
					testenv.NeedPipeRights(t)
				}
				one, err := OneProcess(c, w)
				runThrice(t, one, err)
				two, err := TwoProcesses(c, w, testenv.TempDir(t), func(a string) (*exec.Cmd, error) { return c.StartPeer(a) })
				runThrice(t, two, err)
			})
		}
	}
}

func runThrice(t *testing.T, s *Session, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Run(3); err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
