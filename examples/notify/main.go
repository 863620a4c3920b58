// Notify sends the two kinds of datagrams that every service on Linux knows: what sd_notify(3)
// tells the service manager, and what syslog(3) tells the log.
//
//	notify ready                       # READY=1 to $NOTIFY_SOCKET
//	notify log "disk full"             # to /dev/log, or $SYSLOG_SOCKET
//
// Both come in one piece or not at all, and the receiver can be told by the system who has sent
// them.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"afunix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "ready":
		return notify("READY=1\nSTATUS=serving")
	case len(args) == 2 && args[0] == "log":
		return logLine(args[1])
	}
	return errors.New("usage: notify ready | notify log TEXT")
}

// notify tells the service manager, if there is one. Its address may be an abstract name.
func notify(state string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	return send(address, state)
}

// Of syslog.h: LOG_USER and LOG_NOTICE.
const priority = 1<<3 | 5

// logLine writes a line into the system's log.
func logLine(text string) error {
	address := os.Getenv("SYSLOG_SOCKET")
	if address == "" {
		address = "/dev/log"
	}
	return send(address, fmt.Sprintf("<%d>%s %s[%d]: %s", priority, time.Now().Format(time.Stamp),
		filepath.Base(os.Args[0]), os.Getpid(), text))
}

func send(address, datagram string) error {
	conn, err := afunix.Dial("unixgram", address)
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte(datagram))
	return errors.Join(err, conn.Close())
}
