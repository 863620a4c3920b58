// Package activation takes over what a service manager has passed to this process: sockets that
// listen before the process is started, connections, and other descriptors. And the package talks
// to the service manager, as sd_notify(3) does, with descriptors too.
//
//	sockets, err := activation.Take()
//	defer sockets.Close()
//	web, err := sockets.Listener(ctx, "web", "tcp", ":8080")
//	if errors.Is(err, fs.ErrNotExist) {
//		web, err = net.Listen("tcp", ":8080") // started by hand
//	}
//
// [Sockets.Listener] and [Sockets.PacketConn] choose a socket by its name (FileDescriptorName= of
// the socket unit), its type and its address. The number of a socket decides nothing: systemd gives
// the sockets of several units no order that lasts, and two sockets of one unit have the same name.
//
// The protocol is that of sd_listen_fds(3): LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. Systems
// without it pass nothing, and Take returns no sockets. On macOS launchd is asked for each name,
// the first time that it is wanted (launch_activate_socket(3)): the name is that of a socket in the
// Sockets dictionary of launchd.plist(5), of which there may be several, as for IPv4 and IPv6. (That
// was compiled for macOS, and not run there.)
//
// A server that hands its sockets to its successor uses package afunix/upgrade instead, which does
// all of this.
package activation
