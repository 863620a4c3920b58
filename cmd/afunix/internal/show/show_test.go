package show

import (
	"testing"

	"afunix/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestPrintableTextHasNoControlCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"/tmp/Grüße 1":    "/tmp/Grüße 1",
		"a\x1b[31m":       `"a\x1b[31m"`,
		"right\u202eleft": `"right\u202eleft"`,
		"\xff":            `"\xff"`,
		"":                "",
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) = %s, want %s", text, got, want)
		}
	}
}
