package difftest_test

import (
	"testing"

	"afunix"
	"afunix/internal/difftest"
	"afunix/internal/testenv"
)

// Programs that have shown a difference once, as short as they come. New ones are printed by
// TestPipeIsLikeKernel.
var regressions = map[string]difftest.Program{
	"the error of a bind inside Dial": {
		{Kind: difftest.Dial, Net: "unix", Name: "@a0", Name2: "p3"},
		{Kind: difftest.Dial, Slot: 4, Net: "unix", Name: "@a0", Name2: "p3"},
	},
	"a read of nothing at the end": {
		{Kind: difftest.Pair, Other: 1, Net: "unix"},
		{Kind: difftest.CloseWrite},
		{Kind: difftest.ReadMsg, Slot: 1},
	},
	"a read of nothing at the end, with credentials": {
		{Kind: difftest.Pair, Other: 1, Net: "unix"},
		{Kind: difftest.CloseRead},
		{Kind: difftest.PassCreds, On: true},
		{Kind: difftest.ReadMsg},
	},
	"a reset comes before queued records": {
		{Kind: difftest.Pair, Slot: 1, Other: 3, Net: "unixpacket"},
		{Kind: difftest.WriteMsg, Slot: 1, N: 12, Files: 1},
		{Kind: difftest.Write, Slot: 3, N: 1},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.ReadMsg, Slot: 3, Other: 1, N: 1},
	},
	"a reset comes before queued records after CloseRead": {
		{Kind: difftest.Pair, Slot: 1, Other: 3, Net: "unixpacket"},
		{Kind: difftest.WriteMsg, Slot: 1, N: 12, Files: 1},
		{Kind: difftest.CloseWrite, Slot: 1},
		{Kind: difftest.CloseRead, Slot: 3},
		{Kind: difftest.Write, Slot: 3, N: 1},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.ReadMsg, Slot: 3, Other: 1, N: 1},
	},
	"a reset comes before a queued record although CloseRead follows": {
		{Kind: difftest.Connect, Slot: 1, Other: 2, Net: "unixpacket"},
		{Kind: difftest.WriteMsg, Slot: 2, N: 9, Files: 1},
		{Kind: difftest.Write, Slot: 1, N: 1},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.CloseRead, Slot: 2},
		{Kind: difftest.ReadMsg, Slot: 2, Other: 5},
	},
	"a send to a peer that has gone chooses the name of a socket that passes credentials": {
		{Kind: difftest.Pair, Other: 1, Net: "unixgram"},
		{Kind: difftest.Connect, Proc: 1, Slot: 2, Other: 3, Net: "unix"},
		{Kind: difftest.Close},
		{Kind: difftest.PassCreds, Slot: 1, On: true},
		{Kind: difftest.Write, Slot: 1, N: 1},
		{Kind: difftest.Pass, Slot: 3, Other: 1, N: 1},
		{Kind: difftest.ReadMsg, Slot: 2, Other: 6, N: 1},
	},
	"a datagram that is too long chooses a name": {
		{Kind: difftest.Pair, Other: 1, Net: "unixgram"},
		{Kind: difftest.Connect, Proc: 1, Slot: 2, Other: 3, Net: "unix"},
		{Kind: difftest.PassCreds, Slot: 1, On: true},
		{Kind: difftest.Write, Slot: 1, N: 1 << 20},
		{Kind: difftest.Pass, Slot: 3, Other: 1, N: 1},
		{Kind: difftest.ReadMsg, Slot: 2, Other: 6, N: 1},
	},
	"a record that is written after CloseWrite chooses a name": {
		{Kind: difftest.Pair, Other: 1, Net: "unixpacket"},
		{Kind: difftest.Connect, Proc: 1, Slot: 2, Other: 3, Net: "unix"},
		{Kind: difftest.PassCreds, Slot: 1, On: true},
		{Kind: difftest.CloseWrite, Slot: 1},
		{Kind: difftest.Write, Slot: 1, N: 1},
		{Kind: difftest.Pass, Slot: 3, Other: 1, N: 1},
		{Kind: difftest.ReadMsg, Slot: 2, Other: 6, N: 1},
	},
	"a datagram to a peer that is known to be gone chooses a name": {
		{Kind: difftest.Pair, Other: 1, Net: "unixgram"},
		{Kind: difftest.Connect, Proc: 1, Slot: 2, Other: 3, Net: "unix"},
		{Kind: difftest.Close},
		{Kind: difftest.Write, Slot: 1, N: 1},
		{Kind: difftest.PassCreds, Slot: 1, On: true},
		{Kind: difftest.Write, Slot: 1, N: 1},
		{Kind: difftest.Pass, Slot: 3, Other: 1, N: 1},
		{Kind: difftest.ReadMsg, Slot: 2, Other: 6, N: 1},
	},
	"Dial of a datagram socket to a long path": {
		{Kind: difftest.Listen, Slot: 1, Net: "unix", Name: "long:108", N: 1},
		{Kind: difftest.Dial, Slot: 2, Net: "unixgram", Name: "long:108"},
	},
	"Dial from a name that is in use, to a long path": {
		{Kind: difftest.Listen, Slot: 1, Net: "unixpacket", Name: "p3", N: 1},
		{Kind: difftest.Dial, Slot: 5, Net: "unixgram", Name: "long:108", Name2: "p3"},
	},
	"a connection to a long path that moves": {
		{Kind: difftest.Listen, Proc: 1, Net: "unix", Name: "long:108", N: 1},
		{Kind: difftest.Dial, Proc: 1, Slot: 3, Net: "unix", Name: "long:108"},
		{Kind: difftest.Connect, Slot: 2, Other: 6, Net: "unix"},
		{Kind: difftest.Pass, Slot: 6, Other: 3, N: 1},
		{Kind: difftest.ReadMsg, Slot: 2, Other: 1, N: 1},
	},
	"Dial from an impossible name": {
		{Kind: difftest.Dial, Slot: 9, Net: "unixpacket", Name: "@a2", Name2: "@long:109"},
	},
	"Dial from an impossible path": {
		{Kind: difftest.Dial, Slot: 9, Net: "unix", Name: "@a2", Name2: "long:109"},
	},
	"a write of a record tells of a reset": {
		{Kind: difftest.Connect, Other: 1, Net: "unixpacket"},
		{Kind: difftest.WriteMsg, N: 1},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.WriteMsg, N: 1},
		{Kind: difftest.WriteMsg, N: 1},
	},
	"a write of a record tells that the listener has gone": {
		{Kind: difftest.Listen, Slot: 4, Net: "unixpacket", Name: "@a0"},
		{Kind: difftest.Dial, Slot: 7, Net: "unixpacket", Name: "@a0"},
		{Kind: difftest.Close, Slot: 4},
		{Kind: difftest.Write, Slot: 7, N: 1},
	},
	"a record that is too long for a closed peer": {
		{Kind: difftest.Connect, Other: 1, Net: "unixpacket"},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.WriteMsg, N: 425952},
	},
	"a datagram that is too long for nobody": {
		{Kind: difftest.ListenPacket, Net: "unixgram", Name: "p0"},
		{Kind: difftest.Write, N: 212961},
	},
	"a datagram to nobody after CloseWrite": {
		{Kind: difftest.ListenPacket, Net: "unixgram", Name: "p0"},
		{Kind: difftest.CloseWrite},
		{Kind: difftest.Write, N: 1},
	},
	"a datagram to a closed peer after CloseWrite": {
		{Kind: difftest.Pair, Slot: 3, Other: 4, Net: "unixgram"},
		{Kind: difftest.Close, Slot: 3},
		{Kind: difftest.CloseWrite, Slot: 4},
		{Kind: difftest.Write, Slot: 4, N: 1},
	},
	"LocalAddr does not look again": {
		{Kind: difftest.Connect, Other: 1, Net: "unixgram"},
		{Kind: difftest.PassCreds, Slot: 1, On: true},
		{Kind: difftest.Write, Slot: 1, N: 1},
		{Kind: difftest.Addresses, Slot: 1},
	},
	"a pair is autobound, too": {
		{Kind: difftest.Pair, Other: 1, Net: "unixgram"},
		{Kind: difftest.PassCreds, On: true},
		{Kind: difftest.WriteMsg, N: 10},
		{Kind: difftest.Peek, Slot: 1, N: 10},
	},
	"a record autobinds its sender": {
		{Kind: difftest.Listen, Net: "unixpacket", Name: "p0", N: 1},
		{Kind: difftest.Dial, Slot: 2, Net: "unixpacket", Name: "p0"},
		{Kind: difftest.PassCreds, Slot: 2, On: true},
		{Kind: difftest.Write, Slot: 2, N: 1},
		{Kind: difftest.Accept, Other: 9},
	},
	"a Read of nothing takes no datagram": {
		{Kind: difftest.Connect, Other: 1, Net: "unixgram"},
		{Kind: difftest.Write, Slot: 1, N: 9},
		{Kind: difftest.Read},
		{Kind: difftest.ReadMsg, N: 20},
	},
	"only a reader who asked for credentials stops where they change": {
		{Kind: difftest.Pair, Slot: 2, Other: 3, Net: "unix"},
		{Kind: difftest.Write, Slot: 2, N: 1},
		{Kind: difftest.PassCreds, Slot: 2, On: true},
		{Kind: difftest.Write, Slot: 2, N: 1},
		{Kind: difftest.Read, Slot: 3, N: 10},
	},
	"a peek looks beyond what it fills": {
		{Kind: difftest.Pair, Slot: 3, Other: 4, Net: "unix"},
		{Kind: difftest.Write, Slot: 3, N: 10},
		{Kind: difftest.WriteMsg, Slot: 3, N: 5, Files: 1},
		{Kind: difftest.Peek, Slot: 4, N: 1},
		{Kind: difftest.ReadMsg, Slot: 4, N: 1},
	},
	"the type comes before the state": {
		{Kind: difftest.Listen, Net: "unix", Name: "@a2", N: 1},
		{Kind: difftest.Dial, Slot: 1, Net: "unix", Name: "@a2", Name2: "p3"},
		{Kind: difftest.Dial, Slot: 5, Net: "unixpacket", Name: "p3"},
		{Kind: difftest.Dial, Slot: 5, Net: "unixgram", Name: "p3"},
	},
	"Dial binds before it looks where to": {
		{Kind: difftest.Dial, Slot: 2, Net: "unixpacket", Name: "long:108", Name2: "p2"},
		{Kind: difftest.Stat, Name: "p2"},
	},
	"credentials of what is sent before Accept": {
		{Kind: difftest.Listen, Slot: 3, Net: "unix", Name: "p3", N: 1},
		{Kind: difftest.Dial, Slot: 4, Net: "unix", Name: "p3"},
		{Kind: difftest.Write, Slot: 4, N: 1},
		{Kind: difftest.Accept, Slot: 3, Other: 7},
		{Kind: difftest.PassCreds, Slot: 7, On: true},
		{Kind: difftest.ReadMsg, Slot: 7, N: 1},
	},
	"credentials end a read before Accept": {
		{Kind: difftest.Listen, Slot: 4, Net: "unix", Name: "@a1", N: 1},
		{Kind: difftest.Dial, Slot: 5, Net: "unix", Name: "@a1"},
		{Kind: difftest.Write, Slot: 5, N: 1},
		{Kind: difftest.Accept, Slot: 4, Other: 9},
		{Kind: difftest.Write, Slot: 5, N: 1},
		{Kind: difftest.PassCreds, Slot: 9, On: true},
		{Kind: difftest.ReadFrom, Slot: 9, N: 10},
	},
	"an impossible name after CloseWrite": {
		{Kind: difftest.Connect, Other: 1, Net: "unixgram"},
		{Kind: difftest.CloseWrite},
		{Kind: difftest.WriteTo, Name: "@long:109", N: 1},
	},
	"an impossible name and too much": {
		{Kind: difftest.Connect, Slot: 2, Other: 3, Net: "unixgram"},
		{Kind: difftest.WriteTo, Slot: 2, Name: "long:108", N: 425953},
	},
	"RemoteAddr is what the peer is bound to": {
		{Kind: difftest.ListenPacket, Net: "unixgram", Name: "p2"},
		{Kind: difftest.Symlink, Name: "p2", Name2: "p1"},
		{Kind: difftest.Dial, Slot: 3, Net: "unixgram", Name: "p1"},
	},
	"RemoteAddr is what the listener is bound to": {
		{Kind: difftest.Listen, Net: "unix", Name: "p2"},
		{Kind: difftest.Rename, Name: "p2", Name2: "p1"},
		{Kind: difftest.Dial, Slot: 3, Net: "unix", Name: "p1"},
	},
	"one empty record is no reason for a reset": {
		{Kind: difftest.Connect, Other: 1, Net: "unixpacket"},
		{Kind: difftest.WriteMsg},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.ReadMsg, N: 1},
	},
	"a datagram to a socket that was shut down and closed": {
		{Kind: difftest.Pair, Other: 1, Net: "unixgram"},
		{Kind: difftest.CloseRead},
		{Kind: difftest.Close},
		{Kind: difftest.Write, Slot: 1, N: 1},
	},
	"a read of nothing at the end of records, with credentials": {
		{Kind: difftest.Connect, Slot: 2, Other: 3, Net: "unixpacket"},
		{Kind: difftest.PassCreds, Slot: 3, On: true},
		{Kind: difftest.Close, Slot: 2},
		{Kind: difftest.Peek, Slot: 3},
	},
	"a reset after CloseWrite": {
		{Kind: difftest.Pair, Other: 1, Net: "unix"},
		{Kind: difftest.WriteMsg, N: 12},
		{Kind: difftest.CloseWrite, Slot: 1},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.ReadMsg, N: 1},
	},
	"a reset after CloseRead": {
		{Kind: difftest.Connect, Slot: 2, Other: 3, Net: "unixpacket"},
		{Kind: difftest.Write, Slot: 3, N: 1},
		{Kind: difftest.CloseRead, Slot: 3},
		{Kind: difftest.Close, Slot: 2},
		{Kind: difftest.Read, Slot: 3, N: 1},
	},
	"a read of nothing tells of a reset": {
		{Kind: difftest.Connect, Slot: 2, Other: 3, Net: "unix"},
		{Kind: difftest.CloseRead, Slot: 2},
		{Kind: difftest.WriteMsg, Slot: 2, N: 1},
		{Kind: difftest.Close, Slot: 3},
		{Kind: difftest.ReadMsg, Slot: 2},
	},
	"a datagram that is too long does not disconnect": {
		{Kind: difftest.Pair, Slot: 2, Other: 3, Net: "unixgram"},
		{Kind: difftest.Close, Slot: 3},
		{Kind: difftest.WriteMsg, Slot: 2, N: 425953},
		{Kind: difftest.Write, Slot: 2, N: 1},
	},
	"a reset comes before a record that is too long": {
		{Kind: difftest.Pair, Other: 1, Net: "unixpacket"},
		{Kind: difftest.Write, N: 1},
		{Kind: difftest.Close, Slot: 1},
		{Kind: difftest.WriteMsg, N: 212961},
	},
	"a flood is refused by a socket that hears another": {
		{Kind: difftest.ListenPacket, Net: "unixgram", Name: "p0"},
		{Kind: difftest.Dial, Slot: 1, Proc: 1, Net: "unixgram", Name: "p0", Name2: "@a2"},
		{Kind: difftest.Flood, Slot: 1, N: 4},
	},
	"credentials after a full queue": {
		{Kind: difftest.ListenPacket, Net: "unixgram", Name: "p1"},
		{Kind: difftest.Connect, Slot: 1, Other: 2, Net: "unixgram"},
		{Kind: difftest.Flood, Proc: 1, N: 1},
		{Kind: difftest.ReadMsg, Other: 3, N: 1},
		{Kind: difftest.ReadMsg, Other: 3, N: 1},
		{Kind: difftest.PassCreds, Slot: 1, On: true},
		{Kind: difftest.ReadMsg, Other: 8, N: 1},
		{Kind: difftest.Read, N: 1},
		{Kind: difftest.ReadFrom, N: 1},
		{Kind: difftest.WriteTo, Slot: 1, Name: "p1", N: 10},
		{Kind: difftest.ReadMsg, Other: 7, N: 1},
		{Kind: difftest.ReadFrom, N: 1},
		{Kind: difftest.ReadMsg, Other: 7, N: 1},
		{Kind: difftest.ReadMsg, Other: 7},
		{Kind: difftest.ReadMsg, Other: 7, N: 1},
		{Kind: difftest.PassCreds, On: true},
		{Kind: difftest.ReadMsg, Other: 7, N: 1},
		{Kind: difftest.ReadMsg, N: 1},
	},
	"the name of a listener that was passed": {
		{Kind: difftest.Pair, Proc: 1, Other: 1, Net: "unix"},
		{Kind: difftest.Listen, Proc: 1, Slot: 2, Net: "unixpacket", Name: "p0"},
		{Kind: difftest.Pass, Other: 2, N: 1},
		{Kind: difftest.Listen, Slot: 3, Net: "unixpacket", Name: "p0"},
	},
	"what could not be passed": {
		{Kind: difftest.Connect, Proc: 1, Slot: 4, Other: 5, Net: "unixgram"},
		{Kind: difftest.CloseRead, Slot: 4},
		{Kind: difftest.Connect, Proc: 1, Slot: 6, Other: 7, Net: "unix"},
		{Kind: difftest.Connect, Proc: 1, Slot: 3, Other: 8, Net: "unixpacket"},
		{Kind: difftest.Pass, Slot: 5, Other: 7, N: 1},
		{Kind: difftest.PassCreds, Slot: 7, On: true},
	},
	"a socket that is connected to itself is passed": {
		{Kind: difftest.Connect, Slot: 7, Other: 8, Net: "unixpacket"},
		{Kind: difftest.Dial, Proc: 1, Slot: 9, Net: "unixgram", Name: "p0", Name2: "p0"},
		{Kind: difftest.Pass, Slot: 8, Other: 9, N: 5},
	},
	"the name that the peer of a passed socket has chosen": {
		{Kind: difftest.Pair, Proc: 1, Slot: 2, Other: 3, Net: "unixpacket"},
		{Kind: difftest.PassCreds, Slot: 3, On: true},
		{Kind: difftest.Connect, Slot: 4, Other: 7, Net: "unixgram"},
		{Kind: difftest.WriteMsg, Slot: 3, N: 1},
		{Kind: difftest.Pass, Slot: 7, Other: 2, N: 1},
		{Kind: difftest.ReadMsg, Slot: 4, Other: 2, N: 1},
	},
	"a datagram socket that loses its peer loses what it has not read": {
		{Kind: difftest.Pair, Slot: 2, Other: 3, Net: "unixgram"},
		{Kind: difftest.Write, Slot: 3, N: 1},
		{Kind: difftest.Close, Slot: 3},
		{Kind: difftest.WriteMsg, Slot: 2, N: 1},
		{Kind: difftest.Peek, Slot: 2, N: 1},
	},
	"a passed socket chooses a name": {
		{Kind: difftest.Connect, Other: 1, Net: "unixpacket"},
		{Kind: difftest.Connect, Slot: 3, Other: 4, Net: "unix"},
		{Kind: difftest.PassCreds, Slot: 1, On: true},
		{Kind: difftest.Pass, Slot: 4, Other: 1, N: 1},
		{Kind: difftest.ReadMsg, Slot: 3, Other: 1, N: 1},
		{Kind: difftest.Pass, Slot: 3, N: 1},
		{Kind: difftest.WriteMsg, Slot: 1, N: 1},
		{Kind: difftest.ReadMsg, Slot: 4, N: 1},
	},
	"one of a pair is passed after its peer has closed": {
		{Kind: difftest.Connect, Proc: 1, Other: 1, Net: "unix"},
		{Kind: difftest.Pair, Slot: 2, Other: 3, Net: "unixgram"},
		{Kind: difftest.Close, Slot: 2},
		{Kind: difftest.Write, Slot: 3},
		{Kind: difftest.Pass, Slot: 1, Other: 3, N: 1},
		{Kind: difftest.ListenPacket, Slot: 2, Net: "unixgram", Name: "@a1"},
		{Kind: difftest.ReadMsg, Other: 3, N: 1},
		{Kind: difftest.WriteTo, Slot: 3, Name: "@a1", N: 5},
	},
	"no name is chosen after the deadline": {
		{Kind: difftest.Pair, Proc: 1, Other: 1, Net: "unixpacket"},
		{Kind: difftest.Connect, Proc: 1, Slot: 2, Other: 3, Net: "unixpacket"},
		{Kind: difftest.Write, Slot: 2, N: 1},
		{Kind: difftest.PassCreds, On: true},
		{Kind: difftest.Expire},
		{Kind: difftest.Pass, Slot: 2, N: 1},
		{Kind: difftest.ReadFrom, Slot: 3, N: 1},
		{Kind: difftest.ReadMsg, Slot: 3, N: 1},
	},
	"a socket is passed with a full message of descriptors": {
		{Kind: difftest.Pair, Other: 1, Net: "unixgram"},
		{Kind: difftest.Connect, Proc: 1, Slot: 2, Other: 3, Net: "unixpacket"},
		{Kind: difftest.WriteMsg, N: 1, Files: 252},
		{Kind: difftest.Pass, Slot: 3, Other: 1, N: 2},
	},
	"a name is chosen by a write that fails": {
		{Kind: difftest.Listen, Net: "unixpacket", Name: "@a2", N: 1},
		{Kind: difftest.Dial, Slot: 6, Net: "unixpacket", Name: "@a2"},
		{Kind: difftest.CloseWrite, Slot: 6},
		{Kind: difftest.PassCreds, Slot: 6, On: true},
		{Kind: difftest.WriteMsg, Slot: 6, N: 1},
		{Kind: difftest.Accept, Other: 8},
	},
	"a name is chosen by a datagram that fails": {
		{Kind: difftest.Connect, Slot: 1, Other: 2, Net: "unixgram"},
		{Kind: difftest.Write, Slot: 2, N: 1},
		{Kind: difftest.PassCreds, Slot: 2, On: true},
		{Kind: difftest.CloseWrite, Slot: 2},
		{Kind: difftest.WriteMsg, Slot: 2, N: 10},
		{Kind: difftest.Peek, Slot: 1, N: 1},
	},
	"the process that listens is killed": {
		{Kind: difftest.Listen, Proc: 1, Net: "unixpacket", Name: "@a2", N: 1},
		{Kind: difftest.Dial, Slot: 1, Net: "unixpacket", Name: "@a2"},
		{Kind: difftest.Kill},
		{Kind: difftest.ReadMsg, Slot: 1, Other: 5, N: 1},
	},
	"the process that has not read is killed": {
		{Kind: difftest.Connect, Other: 1, Net: "unix"},
		{Kind: difftest.WriteMsg, N: 1},
		{Kind: difftest.Kill},
		{Kind: difftest.ReadMsg, N: 1},
	},
}

func TestRegressions(t *testing.T) {
	testenv.NeedPipeRights(t)
	tester := newTester(t)
	for name, program := range regressions {
		t.Run(name, func(t *testing.T) {
			d, err := tester.Compare(program, afunix.PipeTransport)
			if err != nil {
				t.Fatal(err)
			}
			if d != nil {
				t.Error(d)
			}
		})
	}
}
