//go:debug panicnil=1

// Package broken has a mistake for each check: what the linters find here is in the file findings.
package broken

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"broken/wrap"
)

type writer struct {
	Name string `json:name`
}

func (writer) WriteByte(c byte) {}

type reader interface{ Read() }

// Vet has mistakes that go vet finds.
func Vet(n int32, s []int, e error, host string, port int, m sync.WaitGroup) {
	s = append(s)
	n = n
	n = atomic.AddInt32(&n, 1)
	if n == 1 || n == 1 {
		_ = flag.Flag{"name", "usage", nil, ""}
	}
	start := time.Now()
	defer log.Println(time.Since(start))
	var text string
	errors.As(e, text)
	answer, err := http.Get(host)
	defer answer.Body.Close()
	if err != nil {
		return
	}
	net.Dial("tcp", fmt.Sprintf("%s:%d", host, port))
	var r reader
	_ = r.(interface{ Read() int })
	ctx, _ := context.WithCancel(context.Background())
	<-ctx.Done()
	if Vet == nil {
		return
	}
	fmt.Printf("%d\n", "text")
	wrap.Logf("%d\n", "text")
	log.Printf("%d\n", "text")
	_ = int8(n) << 8
	signals := make(chan os.Signal)
	signal.Notify(signals)
	slog.Info("message", "key")
	_ = string(port)
	_ = start.Format("2006-02-01")
	json.Unmarshal(nil, text)
	_ = unsafe.Pointer(uintptr(n))
	fmt.Sprint(text)
	var wg sync.WaitGroup
	go func() {
		wg.Add(1)
	}()
	panic("")
	fmt.Println()
}
