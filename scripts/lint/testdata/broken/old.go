//go:build go1.21

package broken

import (
	"fmt"
	"maps"
	"slices"
)

// Old is of a language in which loops had one variable, and a library without iterators.
func Old(m map[int]int) []int {
	for i := range m {
		defer func() { fmt.Println(i) }()
	}
	return slices.Sorted(maps.Keys(m))
}
