package upgrade_test

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"afunix/upgrade"
	"afunix/upgrade/httpdrain"
)

// A web server that is replaced by starting its next version, or by an interrupt.
func Example() {
	ctx := context.Background()
	u, err := upgrade.New(ctx, upgrade.Config{
		Address: "/run/app/upgrade.sock",
		Failed:  func(err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer u.Close()
	l, err := u.Listen(ctx, "web", "tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	server := httpdrain.New(&http.Server{Handler: http.FileServer(http.Dir("/srv/www"))})
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	// Whatever else has to be there before this process can serve: open the database, warm the
	// caches.
	if err := u.Ready(ctx); err != nil {
		log.Fatal(err) // the former process goes on
	}

	restart := make(chan os.Signal, 1)
	signal.Notify(restart, os.Interrupt) // better SIGHUP, where there is one
	for {
		select {
		case <-restart:
			if err := u.Upgrade(ctx); err != nil {
				log.Print(err) // this process goes on
			}
		case <-u.Done():
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			if err := server.Shutdown(ctx); err != nil {
				log.Print(err)
			}
			return
		}
	}
}

// A chat server gives its connections to its successor, with what it knows of each.
func ExampleUpgrader_SendConn() {
	ctx := context.Background()
	u, err := upgrade.New(ctx, upgrade.Config{Address: "/run/chat/upgrade.sock"})
	if err != nil {
		log.Fatal(err)
	}
	defer u.Close()
	if err := u.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	room := newRoom()
	go func() {
		for { // from the predecessor, until it has left
			conn, nick, err := u.ReceiveConn(ctx)
			if err != nil {
				return
			}
			room.enter(conn, string(nick))
		}
	}()
	<-u.Done()
	for _, guest := range room.everybody() { // of whom nobody reads any more
		if err := u.SendConn(ctx, guest.conn, []byte(guest.nick)); err != nil {
			log.Print(err)
			guest.conn.Close()
		}
	}
}

type guest struct {
	conn net.Conn
	nick string
}

type room struct {
	mu     sync.Mutex
	guests []guest
}

func newRoom() *room { return new(room) }

func (r *room) enter(conn net.Conn, nick string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guests = append(r.guests, guest{conn, nick})
}

func (r *room) everybody() []guest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.guests
}
