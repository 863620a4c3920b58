package main

// A subject is a module whose tests are run.
type subject struct {
	module, version string
	exercises       string   // what the tests that are run do with Unix sockets
	packages        []string // whose tests are run
	run, skip       string   // patterns of "go test", if not all tests are run
	why             string   // why not

	lifted       []string // files whose build constraint says that they are for Unix; on Windows it is ignored
	dropped      []string // files that would stand in for them there
	notOnWindows string   // why the suite cannot be run there at all

	causes map[string]cause // of the tests that fail with dropin, by name

	source func(subject) (string, error) // where its files are; nil: the module proxy
}

// A cause says why a test fails, and in which ways of running it.
type cause struct {
	ways []string
	text string
}

func fromProxy(s subject) (string, error) { return download(s.module, s.version) }

var subjects = []subject{
	{
		module: "github.com/varlink/go", version: "v0.4.1-0.20261015173642-c935be0c53f7",
		exercises: "descriptors in messages over streams and over pairs (WriteMsgUnix, ReadMsgUnix, MSG_CTRUNC, FileConn); services on unix sockets",
		packages:  []string{"./varlink/..."},
		source:    fromProxy,
		lifted: []string{"varlink/internal/ctxio/fd_unix.go", "varlink/internal/ctxio/fd_unix_test.go",
			"varlink/internal/ctxio/conn_unix_test.go"},
		dropped: []string{"varlink/internal/ctxio/fd_other.go"},
	},
}
