// Opener is a privileged process that opens files for one that may open none, as servers do that
// drop their privileges:
//
//	sudo opener serve /run/opener.sock /etc/secrets www-data   # opens what is in /etc/secrets, read-only, for www-data alone
//	opener read /run/opener.sock key.pem                       # as www-data
//
// Who asks, the system says (Credentials), and the opener decides before it reads a byte of the
// request. That the worker may have the file, but not open others, needs no trust in the worker: it
// gets descriptors, not permissions.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/user"
	"strconv"

	"afunix"
)

// maxName bounds a request, which is a name.
const maxName = 4096

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(args []string, stdout io.Writer) error {
	switch {
	case len(args) == 4 && args[0] == "serve":
		worker, err := user.Lookup(args[3])
		if err != nil {
			return err
		}
		l, err := listen(args[1], worker.Uid)
		if err != nil {
			return err
		}
		return serve(l, args[2])
	case len(args) == 3 && args[0] == "read":
		return read(args[1], args[2], stdout)
	}
	return errors.New("usage: opener serve SOCKET DIRECTORY USER | opener read SOCKET NAME")
}

// listen lets in the user with this number (on Windows: security identifier) and nobody else.
func listen(address, uid string) (*afunix.Listener, error) {
	lc := afunix.ListenConfig{
		Mode: 0o666, // anybody may try; Authorize decides
		Authorize: func(peer afunix.Credentials) error {
			who := peer.SID
			if who == "" {
				who = strconv.Itoa(peer.UID)
			}
			if who != uid {
				return fmt.Errorf("user %s may not have files opened", who)
			}
			return nil
		},
	}
	// Records keep one request apart from the next. macOS has none.
	return lc.Listen(context.Background(), "unixpacket", address)
}

// serve opens files in the directory until l is closed.
func serve(l *afunix.Listener, directory string) error {
	root, err := os.OpenRoot(directory) // which no name leads out of
	if err != nil {
		return err
	}
	defer root.Close()
	for {
		conn, err := l.AcceptConn()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			for openOne(conn, root) == nil {
			}
		}()
	}
}

// openOne answers one request: with the file, or with an error's text and no file.
func openOne(conn *afunix.Conn, root *os.Root) error {
	msg, err := conn.ReadMsg(make([]byte, maxName))
	if err != nil {
		return err
	}
	msg.Rights.Close() // a request has none
	file, err := root.Open(string(msg.Data))
	if err != nil {
		_, err = conn.WriteMsg([]byte(err.Error()))
		return err
	}
	defer file.Close() // the message has a copy
	_, err = conn.WriteMsg([]byte("ok"), file)
	return err
}

// read asks for a file and prints it.
func read(address, name string, stdout io.Writer) error {
	conn, err := afunix.Dial("unixpacket", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(name)); err != nil {
		return err
	}
	msg, err := conn.ReadMsg(make([]byte, maxName))
	if err != nil {
		return err
	}
	defer msg.Rights.Close()
	if msg.Rights.Len() == 0 {
		return fmt.Errorf("the opener says: %s", msg.Data)
	}
	file, err := msg.Rights.File(0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(stdout, file)
	return err
}
