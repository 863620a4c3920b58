// Package upgrade restarts a server without dropping a connection, on Linux, macOS, the BSDs and
// Windows with the same code. The running process hands its sockets to its successor: listeners of
// TCP, UDP, AF_UNIX and package afunix, and live connections where asked.
//
//	u, err := upgrade.New(ctx, upgrade.Config{Address: "/run/app/upgrade.sock"})
//	l, err := u.Listen(ctx, "web", "tcp", ":8080")  // the predecessor's, if there is one
//	go server.Serve(l)                              // accepts nobody yet
//	err = u.Ready(ctx)                              // now it does, and the predecessor does not any more
//	<-u.Done()                                      // a successor has taken over
//	err = server.Shutdown(ctx)                      // finish what there is, and leave
//
// That is all of it, for the first process and for each one after. A successor is simply the
// program, started once more: by hand, by a deployment script, by the service manager, or by
// [Upgrader.Upgrade] of the running process (on SIGHUP, for example). It finds the running process
// at the Address.
//
// # What is promised
//
// The socket itself goes to the successor, with the connections that wait to be accepted: at no
// moment is there nobody who listens, and no connection is refused or reset because of an upgrade.
// Over the pipe transport of package afunix a listener moves, and its clients wait for a moment;
// they are not lost, either.
//
// The running process goes on until the successor has called Ready. One that crashes before, hangs,
// is not ready in time, or may not take over (Config.Authorize; by default only the same user may)
// changes nothing, and the error says why. The decision is one step: at any time one of the two
// serves, and both know which. A successor that dies in the very moment in which it is told to
// serve has not taken over; only if it had been given a listener of the pipe transport is that made
// anew, and then those who waited in its queue are lost. If it is the predecessor that dies while
// its successor prepares, Ready succeeds: the service goes on.
//
// A connection that a process has accepted is its own. It serves it to the end; how, is for the
// server to know. For HTTP/1.1 and HTTP/2, afunix/upgrade/httpdrain does it without losing a
// request, which the Shutdown of package http does not (an idle connection may be about to carry a
// request). Servers whose clients stay for hours can pass live connections on, with
// [Upgrader.SendConn].
//
// Datagrams go to the successor from the moment in which it serves. A protocol that keeps a state
// of its own for each of its peers, as QUIC does, needs to pass that on itself.
//
// # Socket files
//
// A path may lead to another socket by the time it is used: a cleaner has removed the file, or a
// person, or a program that removes what it finds before it listens (which here none needs to do:
// what a dead process has left is removed, and what a predecessor has is handed on). A process that
// serves looks every ten seconds, and tells Config.Failed of each of its sockets that clients
// cannot find any more ([ErrUnreachable]). The next successor makes such a socket anew. The file at
// Config.Address it puts there again by itself.
//
// # systemd
//
// Under systemd (Type=notify, ExecReload=kill -HUP $MAINPID) Ready sends READY=1, and the
// predecessor tells MAINPID once its successor serves: systemd follows, and hears nothing of an
// upgrade that fails. Sockets that systemd passes (LISTEN_FDS) are found by their names
// (FileDescriptorName= in the socket unit), their networks and their addresses, of which
// [Upgrader.Listen] says more; each version of a program can ask for others of them, since what
// nobody has asked for goes along. Their socket files stay. A successor has to be in the service's
// own control group, and should be started by Upgrade: that makes it a child of systemd, which
// otherwise kills it when the service is stopped, instead of waiting for it. The exit status of one
// that fails is therefore systemd's, and not in Upgrade's error.
//
// A first process serves also if systemd cannot be told so: Config.Failed is. A successor does not,
// if systemd knows its predecessor. Numbers of processes are told only where systemd has the same.
//
// # Containers
//
// A process and its successor may be in different PID namespaces; both see the file at the Address.
// But process 1 of one has no successor there, since with its end the kernel ends all others:
// [ErrPID1]. docs/UPGRADE.md has a script that stays as process 1.
//
// # Windows
//
// A running program's file cannot be replaced there, but renamed; or the next version has another
// name. Sockets are passed with WSADuplicateSocket. A listener that came from another process is
// not served by Go's poller: each of its blocked calls, and each of the connections that it
// accepts, needs a thread while it is blocked.
//
// docs/UPGRADE.md has the protocol, what can fail when, and what was measured.
package upgrade
