package cli

import (
	"fmt"
	"slices"
	"strings"
)

// selector is a label selector as Kubernetes has them: all requirements must hold.
type selector []requirement

// requirement is about the value of one label.
type requirement struct {
	key     string
	values  []string // nil asks only whether the label is there
	negated bool
}

// matches says whether labels fulfil the selector.
func (s selector) matches(labels map[string]string) bool {
	for _, r := range s {
		value, ok := labels[r.key]
		if r.values != nil {
			ok = ok && slices.Contains(r.values, value)
		}
		if ok == r.negated {
			return false
		}
	}
	return true
}

// parseSelector reads k=v, k==v, k!=v, k in (a,b), k notin (a,b), k and !k with commas
// between.
func parseSelector(s string) (selector, error) {
	var sel selector
	for _, part := range splitOutside(s) {
		part = strings.TrimSpace(part)
		if part == "" {
			if strings.TrimSpace(s) == "" {
				return nil, nil
			}
			return nil, fmt.Errorf("%q has an empty part", s)
		}
		r, err := parseRequirement(part)
		if err != nil {
			return nil, err
		}
		sel = append(sel, r)
	}
	return sel, nil
}

func parseRequirement(s string) (requirement, error) {
	if open := strings.IndexByte(s, '('); open >= 0 {
		words := strings.Fields(s[:open])
		if len(words) != 2 || words[1] != "in" && words[1] != "notin" || !strings.HasSuffix(s, ")") {
			return requirement{}, fmt.Errorf("%q is not as k in (a,b) or k notin (a,b)", s)
		}
		r := requirement{key: words[0], negated: words[1] == "notin"}
		for _, v := range strings.Split(s[open+1:len(s)-1], ",") {
			r.values = append(r.values, strings.TrimSpace(v))
		}
		return r, validKey(r.key, s)
	}
	for _, operator := range []string{"!=", "==", "="} {
		if key, value, ok := strings.Cut(s, operator); ok {
			key = strings.TrimSpace(key)
			return requirement{key: key, values: []string{strings.TrimSpace(value)}, negated: operator == "!="}, validKey(key, s)
		}
	}
	key, negated := strings.CutPrefix(s, "!")
	key = strings.TrimSpace(key)
	return requirement{key: key, negated: negated}, validKey(key, s)
}

func validKey(key, in string) error {
	if key == "" || strings.ContainsAny(key, " !=()") {
		return fmt.Errorf("%q: %q is no label", in, key)
	}
	return nil
}

// splitOutside splits at commas that are not in parentheses.
func splitOutside(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range s {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth <= 0:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}
