package config

import (
	"fmt"
	"reflect"
	"strings"
)

// sections are the types whose keys a hint can name, by their Go name as the decoder's errors have it.
var sections = map[string]reflect.Type{
	"Config": reflect.TypeFor[Config](), "GNMI": reflect.TypeFor[GNMI](), "HTTP": reflect.TypeFor[HTTP](), "Access": reflect.TypeFor[Access](),
	"Reader":  reflect.TypeFor[Reader](),
	"Cluster": reflect.TypeFor[Cluster](), "Switch": reflect.TypeFor[Switch](), "Port": reflect.TypeFor[Port](),
	"Fabric": reflect.TypeFor[Fabric](), "Gateway": reflect.TypeFor[Gateway](), "Flows": reflect.TypeFor[Flows](),
	"History": reflect.TypeFor[History](),
}

// hint names the key of a section that is closest to a misspelt one, or all of them.
func hint(section, key string) string {
	t, ok := sections[section]
	if !ok {
		return ""
	}
	var keys []string
	best, distance := "", len(key)/2+1
	for i := range t.NumField() {
		k := t.Field(i).Tag.Get("yaml")
		keys = append(keys, k)
		if d := edits(key, k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return " (known here: " + strings.Join(keys, ", ") + ")"
}

// edits is the Levenshtein distance of two strings in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
