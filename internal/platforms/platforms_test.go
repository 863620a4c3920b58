package platforms

import (
	"maps"
	"os/exec"
	"runtime/debug"
	"slices"
	"testing"

	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const module = "afunix"

// promised are names that have to be there, by package: on every platform, or where Go passes
// descriptors.
var (
	promised       = map[string]string{module: "Dial", "afunix/upgrade": "New", "afunix/upgrade/httpdrain": "New"}
	promisedDropin = map[string]string{"afunix/dropin/net": "UnixConn", "afunix/dropin/syscall": "UnixRights", "afunix/dropin/unix": "UnixRights"}
)

// Whatever Go can build for can use this module: what cannot be had there is an error, and never a
// name that is missing.
func TestEveryPlatform(t *testing.T) {
	if testenv.Race {
		t.Skip("the race detector makes it slow, and there is nothing for it to see")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command here")
	}
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	often := debug.SetGCPercent(400) // what is checked is garbage at once
	t.Cleanup(func() { debug.SetGCPercent(often) })
	for _, p := range list {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			names := maps.Clone(promised)
			if p.Builds("p.go", "unix || windows") {
				maps.Copy(names, promisedDropin)
			}
			p.expect(t, "", names)
			if p.Builds("p.go", "linux") {
				p.expect(t, "afunix_pipe", promisedDropin)
			}
		})
	}
}

// expect checks packages and looks for a name in each.
func (p Platform) expect(t *testing.T, tags string, names map[string]string) {
	t.Helper()
	packages, err := p.Check(tags, slices.Collect(maps.Keys(names))...)
	if err != nil {
		t.Fatal(err)
	}
	for path, name := range names {
		if packages[path] == nil || packages[path].Scope().Lookup(name) == nil {
			t.Errorf("%s has no %s", path, name)
		}
	}
}
