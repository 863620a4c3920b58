package broken

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"testing"
)

// What these checks find depends on what an identifier stands for.
func TestResolve(t *testing.T) {
	fail := func() {
		t.Fatal()
	}
	go fail()

	other, _ := http.Get("")
	answer, err := http.Get("")
	defer other.Body.Close()
	if err != nil {
		return
	}
	defer answer.Body.Close()

	var signals = make(chan os.Signal)
	signal.Notify(signals)

	{
		panic := func(string) {}
		panic("")
		fmt.Println()
	}
	panic("")
	fmt.Println()
}
