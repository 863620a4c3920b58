// Restart is an HTTP server that is replaced while it serves, and no client notices. Start it,
// build another version, and start that in the same way, on Linux or Windows:
//
//	go build -ldflags "-X main.version=1" -o restart . && ./restart -listen :8080 -control restart.sock
//	go build -ldflags "-X main.version=2" -o restart2 . && ./restart2 -listen :8080 -control restart.sock
//
// On Unix, kill -HUP makes the server start its program again by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"afunix/upgrade"
	"afunix/upgrade/httpdrain"
)

// version is set by the linker.
var version = "unknown"

func main() {
	log.SetPrefix(fmt.Sprintf("restart[%d] ", os.Getpid()))
	if err := run(os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("restart", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "the `address` at which to serve")
	control := flags.String("control", "restart.sock", "the `path` at which the next process finds this one")
	drain := flags.Duration("drain", time.Minute, "how long clients may take to send one more request on a connection")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()

	u, err := upgrade.New(ctx, upgrade.Config{
		Address: *control,
		Failed:  func(err error) { log.Print(err) },
	})
	if err != nil {
		return err
	}
	defer u.Close()
	l, err := u.Listen(ctx, "web", "tcp", *listen)
	if err != nil {
		return err
	}
	stop, restart := signals() // before anybody can know that this process serves
	srv := httpdrain.New(&http.Server{Handler: http.HandlerFunc(answer)})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	if err := u.Ready(ctx); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "version %s serves at %v\n", version, l.Addr())

	if err := untilReplaced(u, served, stop, restart); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *drain)
	defer cancel()
	return srv.Shutdown(ctx)
}

// signals returns where signals come that ask for an end, and for a restart.
func signals() (stop, restart <-chan os.Signal) {
	s, r := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(s, stopSignals...)
	if len(restartSignals) > 0 { // or it would be all of them
		signal.Notify(r, restartSignals...)
	}
	return s, r
}

// untilReplaced returns nil when a successor serves, or when this process is told to stop.
func untilReplaced(u *upgrade.Upgrader, served <-chan error, stop, restart <-chan os.Signal) error {
	for {
		select {
		case err := <-served:
			return errors.Join(errors.New("the server has stopped"), err)
		case <-u.Done():
			return nil
		case <-stop:
			signal.Reset(stopSignals...) // a person who asks a second time will not wait
			return nil
		case <-restart:
			go func() {
				if err := u.Upgrade(context.Background()); err != nil {
					log.Print(err)
				}
			}()
		}
	}
}

// answer tells the client which process it talks to, and how much it has sent.
func answer(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return // the client has gone
	}
	fmt.Fprintf(w, "version %s, process %d, %d bytes received\n", version, os.Getpid(), n)
}
