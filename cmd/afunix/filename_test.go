package main

import (
	"strings"
	"testing"

	"afunix"
)

func TestFileNameIsSafeEverywhere(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for _, test := range []struct {
		kind           afunix.Kind
		original, want string
	}{
		{afunix.KindFile, "/home/me/report.pdf", "report.pdf"},
		{afunix.KindFile, `C:\Users\me\report.pdf`, "report.pdf"},
		{afunix.KindFile, "/tmp/unlinked (deleted)", "unlinked"},
		{afunix.KindFile, "/tmp/Grüße 1.txt", "Grüße_1.txt"},
		{afunix.KindFile, "", "file"},
		{afunix.KindFile, "/", "file"},
		{afunix.KindFile, "/tmp/..", "file"},
		{afunix.KindFile, "/tmp/.bashrc", "bashrc"},
		{afunix.KindFile, "/tmp/-rf", "rf"},
		{afunix.KindFile, "/tmp/a\x1b[31m\nb", "a__31m_b"},
		{afunix.KindFile, "/tmp/trailing..", "trailing"},
		{afunix.KindFile, "/tmp/file:stream", "file_stream"},
		{afunix.KindFile, "/tmp/con.txt", "_con.txt"},
		{afunix.KindFile, "/tmp/LPT1", "_LPT1"},
		{afunix.KindFile, "/tmp/com", "com"},
		{afunix.KindFile, "/tmp/\xff\xfe", "__"},
		{afunix.KindFile, "/tmp/" + long, long[:maxName]},
		{afunix.KindPipe, "pipe:[1234]", "pipe"},
		{afunix.KindMemory, "/memfd:name (deleted)", "shared_memory"},
	} {
		if got := fileName(test.kind, test.original); got != test.want {
			t.Errorf("fileName(%v, %q) = %q, want %q", test.kind, test.original, got, test.want)
		}
	}
}
