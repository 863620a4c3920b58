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
	{
		module: "github.com/coreos/go-systemd/v22", version: "v22.7.0",
		exercises: "sd_notify over unixgram; the journal's protocol, with a file in a message of its own where it is too long for a datagram",
		packages:  []string{"./daemon", "./journal", "./activation"},
		source:    fromProxy,
	},
	{
		module: "github.com/mdlayher/sdnotify", version: "v1.0.0",
		exercises: "sd_notify over unixgram, sockets with chosen names",
		packages:  []string{"./..."},
		source:    fromProxy,
	},
	{
		module: "github.com/cloudflare/tableflip", version: "v1.2.3",
		exercises: "File and FileListener, FileConn, FilePacketConn of unix, unixgram and unixpacket sockets",
		packages:  []string{"."},
		source:    fromProxy,
	},
	{
		module: "github.com/DataDog/datadog-go/v5", version: "v5.9.1",
		exercises: "statsd over unixgram and unix: reconnecting, full queues, timeouts",
		packages:  []string{"./statsd"},
		source:    fromProxy,
	},
	{
		module: "github.com/RackSec/srslog", version: "v0.0.0-20180709174129-a4725f04ec91",
		exercises: "syslog over unixgram and unix",
		packages:  []string{"."},
		source:    fromProxy,
	},
	{
		module: "github.com/tailscale/peercred", version: "v0.0.0-20250107143737-35a0c7bd7edc",
		exercises: "SO_PEERCRED by way of SyscallConn",
		packages:  []string{"."},
		source:    fromProxy,
	},
	{
		module: "github.com/containerd/ttrpc", version: "v1.2.10",
		exercises: "RPC over unix sockets, and over abstract ones; credentials of the peer by way of SyscallConn",
		packages:  []string{"."},
		source:    fromProxy,
	},
	{
		module: "github.com/hugelgupf/socketpair", version: "v0.0.0-20190730060125-05d35a94e714",
		exercises: "Socketpair of streams and of records, SetNonblock, FileConn, FilePacketConn; held against nettest",
		packages:  []string{"."},
		source:    fromProxy,
	},
	{
		module: "github.com/containerd/nri", version: "v0.12.5",
		exercises: "Socketpair, FileConn of its ends",
		packages:  []string{"./pkg/net/..."},
		source:    fromProxy,
	},
}
