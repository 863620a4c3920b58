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
// That is all of it, for the first process and for each one after. A successor is the same program,
// started once more: by hand, by a deployment script, by the service manager, or by
// [Upgrader.Upgrade] of the running process (on SIGHUP, for example). The successor finds the
// running process at the Address.
//
// # What is promised
//
// The socket itself goes to the successor, with the connections that wait to be accepted. There is
// no moment in which nobody listens, and no connection is refused or reset because of an upgrade.
// Over the pipe transport of package afunix a listener moves, and its clients wait for a moment.
// They are not lost, either.
//
// The running process goes on until the successor has called Ready. A successor changes nothing if
// it crashes before that, hangs, is not ready in time, or may not take over (Config.Authorize; by
// default only the same user may). The error says why. The decision is one step: at any time one of
// the two processes serves, and both know which. A successor that dies in the very moment in which
// it is told to serve has not taken over. Only if it had been given a listener of the pipe
// transport, that listener is made anew, and the clients that waited in its queue are lost. If the
// predecessor dies while its successor prepares, Ready succeeds: the service goes on.
//
// A process serves the connections that it has accepted to the end. The server has to know how. For
// HTTP/1.1 and HTTP/2, afunix/upgrade/httpdrain ends connections without losing a request. (The
// Shutdown of package http may lose one, because an idle connection may be about to carry a
// request.) Servers whose clients stay for hours can pass live connections on, with
// [Upgrader.SendConn].
//
// Datagrams go to the successor from the moment in which it serves. A protocol that keeps a state
// of its own for each of its peers, as QUIC does, needs to pass that state on itself.
//
// # Socket files
//
// A path may lead to another socket by the time it is used. A cleaner or a person may have removed
// the file. So may a program that removes what it finds before it listens. (No program needs to do
// that here: a file that a dead process has left is removed, and a predecessor's socket is handed
// on.) A process that serves looks every ten seconds, and tells Config.Failed of each of its
// sockets that clients cannot find any more ([ErrUnreachable]). The next successor makes such a
// socket anew. The process puts the file at Config.Address there again by itself.
//
// # systemd
//
// Under systemd (Type=notify, ExecReload=kill -HUP $MAINPID) Ready sends READY=1, and the
// predecessor tells MAINPID once its successor serves. So systemd follows, and hears nothing of an
// upgrade that fails.
//
// Sockets that systemd passes (LISTEN_FDS) are found by their names (FileDescriptorName= in the
// socket unit), their networks and their addresses: see [Upgrader.Listen]. Each version of a
// program can ask for other sockets, because sockets that nobody has asked for go along. Their
// socket files stay.
//
// A successor has to be in the service's own control group, and should be started by Upgrade, which
// makes it a child of systemd. When the service is stopped, systemd waits for its child, and kills
// a process that is not its child. The exit status of a successor that fails is therefore
// systemd's, and is not in Upgrade's error.
//
// A first process serves even if systemd cannot be told so, and Config.Failed is told of that. A
// successor does not serve if systemd cannot be told, and knows its predecessor. Numbers of
// processes are told only where systemd has the same numbers.
//
// # Containers
//
// A process and its successor may be in different PID namespaces. Both have to see the file at the
// Address. But process 1 of a namespace has no successor in that namespace, because the kernel ends
// all its other processes with process 1: [ErrPID1]. docs/UPGRADE.md has a script that stays as
// process 1.
//
// # Windows
//
// The file of a running program cannot be replaced on Windows, but it can be renamed. Or the next
// version has another name. Sockets are passed with WSADuplicateSocket. A listener that came from
// another process is not served by Go's poller: each of its blocked calls needs a thread while it
// is blocked, and so does each blocked call of the connections that it accepts. A listener at the
// name of a pipe (\\.\pipe\NAME) goes to the successor with all who wait there; if those are more
// than 140 plain clients, the upgrade fails with ETOOMANYREFS.
//
// docs/UPGRADE.md has the protocol, what can fail when, and what was measured.
package upgrade
