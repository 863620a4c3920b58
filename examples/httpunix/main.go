// Httpunix serves HTTP on a unix socket, with package http as it is:
//
//	httpunix serve web.sock
//	httpunix get web.sock /hello       # or curl --unix-socket web.sock http://localhost/hello
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"afunix"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(args []string, stdout io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		l, err := afunix.Listen("unix", args[1])
		if err != nil {
			return err
		}
		return newServer().Serve(l)
	case len(args) == 3 && args[0] == "get":
		return get(args[1], args[2], stdout)
	}
	return errors.New("usage: httpunix serve SOCKET | httpunix get SOCKET PATH")
}

// peerKey is where the handler finds who asks.
type peerKey struct{}

// newServer returns a server that greets each client by its process, which no client can make up.
func newServer() *http.Server {
	return &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			peer, err := c.(*afunix.Conn).PeerCredentials()
			if err != nil {
				return ctx
			}
			return context.WithValue(ctx, peerKey{}, peer)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, ok := r.Context().Value(peerKey{}).(afunix.Credentials)
			if !ok {
				http.Error(w, "who are you?", http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, "%s for process %d\n", r.URL.Path, peer.PID)
		}),
	}
}

// get prints what the server at address has under the path.
func get(address, path string, stdout io.Writer) error {
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(afunix.Dialer).DialContext(ctx, "unix", address)
		},
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://unix" + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	_, err = io.Copy(stdout, resp.Body)
	return err
}
