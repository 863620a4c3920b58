package bench

import (
	"crypto/rand"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"afunix"
)

var connections = flag.Int("connections", 640, "how many connections the crowd makes")

// 64 threads of a program in C come at once, again and again. To that program a busy pipe is an
// error, and it asks a question in each connection: all are served. scripts/wine-clients has the
// program.
func TestCrowdAtAPublicName(t *testing.T) {
	const clients = 64
	program := os.Getenv("AFUNIX_C_CROWD")
	if program == "" {
		t.Skip("AFUNIX_C_CROWD is not set: see scripts/wine-clients")
	}
	address := `\\.\pipe\afunix-test-` + rand.Text()
	l, err := afunix.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go welcome(l, new(sync.Map))
	rounds := (*connections + clients - 1) / clients
	out, err := exec.CommandContext(t.Context(), program, address, strconv.Itoa(clients), strconv.Itoa(rounds)).Output()
	t.Logf("%s%v", out, err)
	if want := "served " + strconv.Itoa(clients*rounds) + ", busy 0, failed 0"; strings.TrimSpace(string(out)) != want {
		t.Errorf("want %s", want)
	}
}
