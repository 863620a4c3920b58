package main

import (
	"maps"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		want outcome
	}{
		{"tests and subtests", `
			{"Action":"pass","Package":"p","Test":"TestA/x"}
			{"Action":"pass","Package":"p","Test":"TestA"}
			{"Action":"fail","Package":"p","Test":"TestB"}
			{"Action":"skip","Package":"p","Test":"TestC"}
			{"Action":"fail","Package":"p"}`,
			outcome{"TestA": "pass", "TestB": "fail", "TestC": "skip"}},
		{"the same name in two packages", `
			{"Action":"fail","Package":"p","Test":"TestA"}
			{"Action":"fail","Package":"p"}
			{"Action":"pass","Package":"q","Test":"TestA"}
			{"Action":"pass","Package":"q"}`,
			outcome{"TestA": "fail"}},
		{"a package that fails after its tests", `
			{"Action":"pass","Package":"p","Test":"TestA"}
			{"Action":"output","Package":"p","Output":"exit status 1"}
			{"Action":"fail","Package":"p"}`,
			outcome{"TestA": "pass", "p": "fail"}},
		{"a panic", `
			{"Action":"output","Package":"p","Test":"TestA","Output":"panic: no"}
			{"Action":"fail","Package":"p","Test":"TestA"}
			{"Action":"output","Package":"p","Output":"panic: test timed out"}
			{"Action":"fail","Package":"p"}`,
			outcome{"TestA": "fail", "p": "fail"}},
		{"a build that fails", `
			{"Action":"build-output","ImportPath":"p","Output":"undefined: x"}
			{"Action":"build-fail","ImportPath":"p"}
			{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			outcome{"p": "fail"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, text, err := parse(strings.NewReader(test.text))
			if !maps.Equal(got, test.want) || err != nil {
				t.Errorf("%v, %v; want %v", got, err, test.want)
			}
			for _, words := range []string{"undefined: x", "exit status 1", "panic: no"} {
				if strings.Contains(test.text, words) && !strings.Contains(text, words) {
					t.Errorf("%q is not in what failed", words)
				}
			}
		})
	}
}
