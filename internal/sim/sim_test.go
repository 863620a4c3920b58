package sim

import (
	"context"
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/leaktest"
	"afunix/internal/sock"
)

func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)                     // fewer orders that the seed has not chosen
	debug.SetGCPercent(1000)                  // worlds are small, and soon garbage
	os.Setenv("GODEBUG", "tracebacklabels=1") // should the engine panic, a label tells in which run: see run
	leaktest.Main(m)
}

// A row of the table of trust in docs/SECURITY.md: who may open whom.
type row struct {
	name           string
	windows        bool
	server, client Standing
}

var rows = []row{
	{"same user, same integrity", true, Standing{1, Plain}, Standing{1, Plain}},
	{"elevated server", true, Standing{1, Elevated}, Standing{1, Plain}},
	{"elevated client", true, Standing{1, Plain}, Standing{1, Elevated}},
	{"SYSTEM's server", true, Standing{0, SYSTEM}, Standing{1, Plain}},
	{"SYSTEM's client", true, Standing{1, Plain}, Standing{0, SYSTEM}},
	{"low client", true, Standing{1, Plain}, Standing{1, Low}},
	{"two users", true, Standing{1, Plain}, Standing{2, Plain}},
	{"Linux, same user", false, Standing{1, Plain}, Standing{1, Plain}},
	{"Linux, root's server", false, Standing{0, SYSTEM}, Standing{1, Plain}},
	{"Linux, root's client", false, Standing{1, Plain}, Standing{0, SYSTEM}},
	{"Linux, two users", false, Standing{1, Plain}, Standing{2, Plain}},
}

// shown: the trace of a failure has been, and others would only be in its way.
var shown, alwaysShow bool

// tooLong is how long a run must not take in real time: one takes milliseconds.
const tooLong = time.Minute

// run runs a world in a bubble of its own, and fails with its trace.
func run(t *testing.T, name string, seed uint64, windows bool, play func(w *World)) (w *World) {
	t.Helper()
	w = new(World)
	var bad []string
	defer time.AfterFunc(tooLong, func() {
		debug.SetTraceback("all")
		w.Show(name)
		panic(name + ": goroutines that turn in circles, or wait for a lock that is never free")
	}).Stop()
	defer func() {
		if r := recover(); r != nil { // goroutines that wait for each other
			w.Show(name)
			panic(r)
		}
	}()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("run", name)))
	synctest.Test(t, func(*testing.T) {
		w.init(seed, windows)
		play(w)
		if w.Run(0) && w.Run(time.Minute) { // longer than anything lingers
			w.Check()
		}
		bad = w.End()
	})
	w.forget()
	if len(bad) > 0 && !shown || alwaysShow {
		shown = true
		w.Show(name)
	}
	if len(bad) > 0 {
		t.Errorf("%s\n\t%s", name, strings.Join(bad, "\n\t"))
	}
	return w
}

// encounter is the smallest world: a server, a client, a message with descriptors one way, and the
// end.
func encounter(w *World, r row, t sock.Type, message Outgoing, serverSends bool, seed uint64) {
	server, client := w.Spawn("server", r.server), w.Spawn("client", r.client)
	s, c := w.connection(t, server, client, seed, 4096)
	messages := []Outgoing{message}
	var fromServer, fromClient []Outgoing
	if serverSends {
		fromServer = messages
	} else {
		fromClient = messages
	}
	r2 := Reader{Max: 200}
	w.meet(&Meeting{server: s, client: c, fromServer: fromServer, fromClient: fromClient, atServer: r2, atClient: r2})
}

func TestEncounter(t *testing.T) {
	for _, r := range rows {
		for _, serverSends := range []bool{true, false} {
			w := run(t, r.name, 1, r.windows, func(w *World) { encounter(w, r, sock.Stream, cargoes[1], serverSends, 1) })
			t.Log(r.name, serverSends, w.Steps())
		}
	}
}
