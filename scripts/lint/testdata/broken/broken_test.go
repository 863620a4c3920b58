package broken

import "testing"

func Testlower(t *testing.T) {}

func TestGoroutine(t *testing.T) {
	usedByATest()
	go func() {
		t.Fatalf("%d", "text")
	}()
	if t == nil {
		t.Log(t.Name)
	}
}

func unusedInTests() {}

func ExampleMissing() {}
