package main

import "runtime"

// A subject is a module whose tests are run.
type subject struct {
	module, version string
	exercises       string   // what the tests that are run do with Unix sockets
	packages        []string // whose tests are run
	run             string   // a pattern of "go test", if not all tests are run

	onWindows    []string // the packages whose tests are run there, if they are not the same
	whyOnly      string   // why
	lifted       []string // files whose build constraint says that they are for Unix; on Windows it is ignored
	dropped      []string // files that would stand in for them there
	notOnWindows string   // why the suite cannot be run there at all
	why          string   // what else there is to say of it

	nativeCause string            // why tests fail without dropin, where this was written
	chance      map[string]string // tests that fail now and then natively, too, and why
	causes      map[string]cause  // of the tests that fail with dropin alone, by name

	source func(*bench) (string, error) // where its files are, if they are not in the module proxy
}

// A cause says why a test fails, and in which ways of running it.
type cause struct {
	ways []string
	text string
}

var (
	onPipes = []string{pipe, wine}
	onPipe  = []string{pipe}
	onWine  = []string{wine}
)

// readsTheFile is what the pipe transport cannot do.
const readsTheFile = "The test reads the descriptor of an end by way of os.File, which cannot be had (see above)."

const rawSocket = "Each of these tests sends from a socket that it makes with syscall.Socket. That is a kernel's socket, which does not reach the pipe transport."

const noFile = "File of TCP and UDP sockets does not work on Wine 8, with package net either (it cannot take a socket off a completion port); " +
	"the subtests for Unix sockets pass."

const namedPipes = "These tests are about Windows' own named pipes, with backslashes in their names, which Wine does not take."

var subjects = []subject{
	{
		module: "Go's own tests", version: runtime.Version(),
		exercises: "unixsock_*_test.go and file_test.go of package net; the descriptor-passing tests of package syscall",
		packages:  []string{"./unixsock", "./passfd"},
		onWindows: []string{"./unixsock"},
		whyOnly:   "the other hands a descriptor to its child by exec",
		lifted:    []string{"unixsock/unixsock_linux_test.go"},
		dropped:   []string{"unixsock/unixsock_readmsg_test.go"},
		why:       "its one test is about fcntl(2)",
		causes: map[string]cause{
			"TestPassFD":                          {onPipe, "Its child inherits the end of a pair by exec: an end of the pipe transport is not inherited (use afunix's AttachTo)."},
			"TestReadUnixgramWithUnnamedSocket":   {onPipes, rawSocket},
			"TestUnixgramLinuxAbstractLongName":   {onPipes, rawSocket},
			"TestUnixgramConnLocalAndRemoteNames": {onWine, "The test wants a socket without a name to be \"\" where the system is not Linux; it is \"@\", as on Linux."},
			"TestFileConn":                        {onWine, noFile},
			"TestFileListener":                    {onWine, noFile},
			"TestFilePacketConn":                  {onWine, noFile},
		},
		source: fromGo,
	},
	{
		module: "github.com/varlink/go", version: "v0.4.1-0.20261015173642-c935be0c53f7",
		exercises: "descriptors in messages over streams and over pairs (WriteMsgUnix, ReadMsgUnix, MSG_CTRUNC, FileConn); services on Unix sockets",
		packages:  []string{"./varlink/..."},
		lifted: []string{"varlink/internal/ctxio/fd_unix.go", "varlink/internal/ctxio/fd_unix_test.go",
			"varlink/internal/ctxio/conn_unix_test.go"},
		dropped: []string{"varlink/internal/ctxio/fd_other.go"},
		chance: map[string]string{
			"TestLargeFDCount": "The test dials 20 ms after a goroutine was to listen: with nothing else to do that is enough, but of 400 native runs beside others 1 failed.",
		},
		causes: map[string]cause{
			"TestReadBytesWithFDsClosesQueuedFDsOnEOF": {onWine, "The test sets a deadline on an os.Pipe, which has none on Windows."},
		},
	},
	{
		module: "github.com/coreos/go-systemd/v22", version: "v22.7.0",
		exercises:   "sd_notify over unixgram; an end of a pair as standard error; inherited listeners (TCP). Its test of the journal's protocol skips itself where no systemd runs",
		packages:    []string{"./daemon", "./journal", "./activation"},
		onWindows:   []string{"./daemon"},
		whyOnly:     "the others need fstat(2), dup2(2) and inherited descriptors",
		nativeCause: "The tests need a running systemd.",
	},
	{
		module: "github.com/mdlayher/sdnotify", version: "v1.0.0",
		exercises: "sd_notify over unixgram, sockets with chosen names",
		packages:  []string{"./..."},
	},
	{
		module: "github.com/cloudflare/tableflip", version: "v1.2.3",
		exercises: "File of unix, unixgram and unixpacket sockets, dup(2) of their descriptors, FileListener, FileConn and FilePacketConn of those",
		packages:  []string{"."},
		chance: map[string]string{
			"TestFdsFiles": "The test takes the order of a map for the order in which files were added: of 40 native runs 8 failed.",
		},
		notOnWindows: "it duplicates descriptors with fcntl(2) and hands them on by exec",
	},
	{
		module: "github.com/DataDog/datadog-go/v5", version: "v5.9.1",
		exercises: "7 of its tests: statsd over unixgram and unix, reconnecting, streams that are read in parts. The others are about other things",
		packages:  []string{"./statsd"},
		lifted:    []string{"statsd/uds.go", "statsd/uds_test.go", "statsd/end_to_end_uds_test.go"},
		dropped:   []string{"statsd/uds_windows.go"},
		causes: map[string]cause{
			"TestPipeWriter":                  {onWine, namedPipes},
			"TestPipeWriterEnv":               {onWine, namedPipes},
			"TestPipeWriterReconnect":         {onWine, namedPipes},
			"TestPipeWriterCloseWithoutWrite": {onWine, namedPipes},
		},
	},
	{
		module: "github.com/RackSec/srslog", version: "v0.0.0-20180709174129-a4725f04ec91",
		exercises:   "syslog over unixgram and unix, reconnecting, many writers at once",
		packages:    []string{"."},
		nativeCause: "The tests need a syslog daemon, or have a certificate that has expired.",
	},
	{
		module: "github.com/tailscale/peercred", version: "v0.0.0-20250107143737-35a0c7bd7edc",
		exercises: "SO_PEERCRED by way of SyscallConn",
		packages:  []string{"."},
		lifted:    []string{"peercred_linux.go", "peercred_unix_test.go"},
		causes: map[string]cause{
			"TestUnixSock": {onWine, "The test wants the user ID to be that of os.Getuid, which is -1 on Windows; a struct ucred has 4294967295 for it. The process ID is right."},
		},
	},
	{
		module: "github.com/containerd/ttrpc", version: "v1.2.10",
		exercises: "RPC over unix sockets with abstract names; credentials of the peer by way of SyscallConn",
		packages:  []string{"."},
		lifted:    []string{"unixcreds_linux.go", "server_linux_test.go"},
		causes: map[string]cause{
			"TestServerEOF": {onWine, "The test counts descriptors in /proc/self/fd."},
		},
	},
	{
		module: "github.com/hugelgupf/socketpair", version: "v0.0.0-20190730060125-05d35a94e714",
		exercises: "Socketpair of datagram sockets, SetNonblock, FilePacketConn; Close wakes a reader",
		packages:  []string{"."},
		lifted:    []string{"socket_linux.go", "socket_linux_test.go"},
	},
	{
		module: "github.com/containerd/nri", version: "v0.12.5",
		exercises: "Socketpair, FileConn of its ends, and their os.File; a multiplexer over such a pair",
		packages:  []string{"./pkg/net/..."},
		lifted:    []string{"pkg/net/socketpair_cloexec_linux.go"},
		dropped:   []string{"pkg/net/socketpair_cloexec_windows.go"},
		causes:    map[string]cause{"TestFileReadWrite": {onPipes, readsTheFile}},
	},
}
