package activation_test

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"net"
	"net/http"

	"afunix/activation"
)

// A server whose socket unit has FileDescriptorName=web, and that listens by itself where it is
// started by hand.
func Example() {
	ctx := context.Background()
	sockets, err := activation.Take()
	if err != nil {
		log.Fatal(err)
	}
	l, err := sockets.Listener(ctx, "web", "tcp", ":8080")
	if errors.Is(err, fs.ErrNotExist) {
		l, err = net.Listen("tcp", ":8080")
	}
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range sockets.Names() {
		log.Printf("nobody has asked for the socket %q", name)
	}
	sockets.Close()

	manager, err := activation.Dial(ctx)
	if err != nil {
		log.Print(err) // a reason to say so, and not to stop
	}
	if err := manager.Notify(ctx, "READY=1"); err != nil {
		log.Print(err)
	}
	log.Fatal(http.Serve(l, nil))
}
