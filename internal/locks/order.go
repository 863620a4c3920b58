// Package locks has the mutexes of the library, and the order in which a goroutine may take them.
//
// The order stands in one place, [Order]. Built with the tag afunix_locks, every mutex checks what
// its goroutine holds. A goroutine that takes a mutex against the order panics, with the place
// where the other mutex was taken. Built without the tag, a [Mutex] is a sync.Mutex and an
// [RWMutex] a sync.RWMutex: nothing is recorded, and there is nothing to pay.
package locks

// A Class is what a mutex is for. It is the type parameter of a mutex, so that a mutex of any
// struct knows its class from its zero value on.
type Class interface{ isClass() }

// A Lock is what the order says of the mutexes of one class.
type Lock struct {
	Class  Class
	Name   string // where the mutex is declared: package, type and field
	Guards string // what the mutexes guard

	// Long locks make calls come one after the other that may wait. A lock that is not Long is free
	// again soon: under it nobody waits on the condition of another, and nobody calls MayWait.
	Long bool
	// Leaf locks have no other taken under them.
	Leaf bool
	// Anew: what is closed under the lock are sockets of their own, for which the order begins from
	// its top. The lock is only held like this with Long ones.
	Anew bool
}

// Order returns the locks in the order in which they may be taken. A lock may be taken while those
// above it are held, and while none below it is. A goroutine never holds two locks of one class.
func Order() []Lock {
	return []Lock{
		{Class: Readying{}, Name: "upgrade.Upgrader.readying", Guards: "one Ready at a time", Long: true},
		{Class: Sending{}, Name: "upgrade.Upgrader.sending", Guards: "one live connection at a time goes to the successor", Long: true},
		{Class: Upgrader{}, Name: "upgrade.Upgrader.mu", Guards: "what an Upgrader has, and how far it is"},
		{Class: Unused{}, Name: "upgrade.unused.mu", Guards: "what the service manager has passed and New has left"},
		{Class: Arrivals{}, Name: "upgrade.arrivals.mu", Guards: "live connections that wait for ReceiveConn"},
		{Class: Gate{}, Name: "upgrade.gate.mu", Guards: "whether this process may take something from a socket"},
		{Class: Channel{}, Name: "upgrade.channel.writing", Guards: "one message to the successor at a time", Long: true},
		{Class: HTTPServer{}, Name: "httpdrain.Server.mu", Guards: "a server's listeners and connections"},
		{Class: HTTPConn{}, Name: "httpdrain.conn.mu", Guards: "what goes between two frames; held while something is written", Long: true},

		{Class: LazyFD{}, Name: "net.lazyFD.mu", Guards: "the number that SyscallConn shows"},
		{Class: Slots{}, Name: "ends.slots.mu", Guards: "which numbers are ends"},
		{Class: Numbers{}, Name: "ends.numbers.mu", Guards: "numbers that are given out on Windows"},
		{Class: End{}, Name: "ends.End.mu", Guards: "who refers to an end, and its options; held while the last one closes it", Long: true},
		{Class: Ref{}, Name: "ends.Ref.mu", Guards: "calls under way by one number"},

		{Class: Reading{}, Name: "endpoint.Conn.reading", Guards: "one Read at a time", Long: true},
		{Class: Writing{}, Name: "endpoint.session.writing", Guards: "one Write at a time", Long: true},
		{Class: Binding{}, Name: "endpoint.PacketConn.binding", Guards: "one autobind at a time, which tells the peer", Long: true},
		{Class: Dialing{}, Name: "endpoint.outgoing.dialing", Guards: "one dial at a time", Long: true},
		{Class: PacketConn{}, Name: "endpoint.PacketConn.mu", Guards: "a datagram socket: its queue and its links"},
		{Class: Outgoing{}, Name: "endpoint.outgoing.mu", Guards: "the links that a datagram socket has opened"},
		{Class: Listener{}, Name: "endpoint.door.mu", Guards: "a listener and its queue"},
		{Class: Session{}, Name: "endpoint.session.mu", Guards: "a connection or a link, both halves"},

		{Class: Set{}, Name: "descriptor.Set.mu", Guards: "the descriptors of one message; closing it closes the ends in it", Long: true, Anew: true},

		{Class: SimSystem{}, Name: "simproc.system", Guards: "the tables of simulated processes; what is released is told under it", Long: true},
		{Class: SimWorld{}, Name: "sim.World.mu", Guards: "a simulated world", Leaf: true},

		{Class: Accepting{}, Name: "winpipe.entrance.accepting", Guards: "one Accept at a time at each door", Long: true},
		{Class: PipeListener{}, Name: "winpipe.Listener.mu", Guards: "whether a listener of pipes is closed or suspended"},
		{Class: PipeReading{}, Name: "winpipe.Pipe.reading", Guards: "whether a read waits"},
		{Class: PipeWriter{}, Name: "winpipe.writer.mu", Guards: "the write under way"},
		{Class: ForeignUsing{}, Name: "winpipe.foreign.using", Guards: "a handle that is in use stays open", Long: true},
		{Class: Foreign{}, Name: "winpipe.foreign.mu", Guards: "whether an end that was handed on is closed"},
		{Class: Eager{}, Name: "winpipe.eager.mu", Guards: "a read for which a thread waits"},
		{Class: StreamTurn{}, Name: "winpipe.half.turn", Guards: "one Read, or one Write, at a time of a stream with events", Long: true},
		{Class: StreamUsing{}, Name: "winpipe.eventFile.using", Guards: "a stream's handle that is in use stays open", Long: true},
		{Class: StreamDeadline{}, Name: "winpipe.half.mu", Guards: "the deadline of such a stream, in one direction"},
		{Class: TimedIO{}, Name: "winpipe.timedIO.mu", Guards: "the handle of the operation under way", Leaf: true},
		{Class: PipeProcess{}, Name: "winpipe.process.mu", Guards: "the handles of the process at the other end"},
		{Class: PipePeer{}, Name: "linuxpipe.peer.mu", Guards: "the pidfd of the process at the other end", Leaf: true},
		{Class: Spare{}, Name: "linuxpipe.spare.mu", Guards: "the descriptor that is kept back", Leaf: true},

		{Class: SocketTurn{}, Name: "winsock.direction.turn", Guards: "one operation at a time", Long: true},
		{Class: Socket{}, Name: "winsock.socket.mu", Guards: "whether a socket is in use or closed"},
		{Class: Door{}, Name: "kernel.door.mu", Guards: "clients that are being authorized"},
		{Class: Heir{}, Name: "inherit.heir.mu", Guards: "what this process has inherited"},
	}
}

type class struct{}

func (class) isClass() {}

// The classes, as Order has them.
type (
	Readying       struct{ class }
	Sending        struct{ class }
	Upgrader       struct{ class }
	Unused         struct{ class }
	Arrivals       struct{ class }
	Gate           struct{ class }
	Channel        struct{ class }
	HTTPServer     struct{ class }
	HTTPConn       struct{ class }
	LazyFD         struct{ class }
	Slots          struct{ class }
	Numbers        struct{ class }
	End            struct{ class }
	Ref            struct{ class }
	Reading        struct{ class }
	Writing        struct{ class }
	Binding        struct{ class }
	Dialing        struct{ class }
	PacketConn     struct{ class }
	Outgoing       struct{ class }
	Listener       struct{ class }
	Session        struct{ class }
	Set            struct{ class }
	SimSystem      struct{ class }
	SimWorld       struct{ class }
	Accepting      struct{ class }
	PipeListener   struct{ class }
	PipeReading    struct{ class }
	PipeWriter     struct{ class }
	ForeignUsing   struct{ class }
	Foreign        struct{ class }
	Eager          struct{ class }
	StreamTurn     struct{ class }
	StreamUsing    struct{ class }
	StreamDeadline struct{ class }
	TimedIO        struct{ class }
	PipeProcess    struct{ class }
	PipePeer       struct{ class }
	Spare          struct{ class }
	SocketTurn     struct{ class }
	Socket         struct{ class }
	Door           struct{ class }
	Heir           struct{ class }
)
