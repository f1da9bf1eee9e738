package stf

import (
	"fmt"
	"strconv"
	"strings"
)

// scanner reads the words of one statement. The first error sticks, so that a statement is
// read to its end without asking after every word.
type scanner struct {
	line string
	at   int
	err  error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *scanner) space() {
	for s.at < len(s.line) && strings.IndexByte(" \t\r\f\v", s.line[s.at]) >= 0 {
		s.at++
	}
}

// rest is what has not been read.
func (s *scanner) rest() string {
	s.space()
	return strings.TrimRight(s.line[s.at:], " \t\r\f\v")
}

func (s *scanner) more() bool { return s.err == nil && s.rest() != "" }

// next names what comes next, for an error.
func (s *scanner) next() string {
	f := strings.Fields(s.rest())
	if len(f) == 0 {
		return "the end of the line"
	}
	return strconv.Quote(f[0])
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("_$.*[]", c) >= 0
}

// word is a name or a number: what there is up to punctuation or space. Parts of a name may
// stand in quotes, and may then have any characters.
func (s *scanner) word(what string) string {
	s.space()
	var b strings.Builder
	for s.at < len(s.line) {
		switch c := s.line[s.at]; {
		case isWordByte(c):
			b.WriteByte(c)
			s.at++
			continue
		case c == '"':
			end := strings.IndexByte(s.line[s.at+1:], '"')
			if end < 0 {
				s.fail("a quote does not end")
				return ""
			}
			b.WriteString(s.line[s.at+1 : s.at+1+end])
			s.at += end + 2
			continue
		}
		break
	}
	if b.Len() == 0 {
		s.fail("%s is expected and there is %s", what, s.next())
	}
	return b.String()
}

// accept reads punctuation if it comes next.
func (s *scanner) accept(p string) bool {
	s.space()
	if s.err != nil || !strings.HasPrefix(s.line[s.at:], p) {
		return false
	}
	s.at += len(p)
	return true
}

func (s *scanner) punct(p string) {
	if !s.accept(p) {
		s.fail("%q is expected and there is %s", p, s.next())
	}
}

// value is a number, or two with "/", "&&&" or "->" between them.
func (s *scanner) value(what string) string {
	v := s.word(what)
	for _, op := range []string{"/", "&&&", "->"} {
		if s.accept(op) {
			return v + op + s.word(what)
		}
	}
	return v
}

// field is what there is up to the next space.
func (s *scanner) field(what string) string {
	f := strings.Fields(s.rest())
	if len(f) == 0 {
		s.fail("%s is missing", what)
		return ""
	}
	s.space()
	s.at += len(f[0])
	return f[0]
}

// number is a field with an unsigned number of at most limit.
func (s *scanner) number(what string, limit uint64) uint64 {
	f := s.field(what)
	if s.err != nil {
		return 0
	}
	return s.parseNumber(what, f, limit)
}

func (s *scanner) parseNumber(what, text string, limit uint64) uint64 {
	n, err := strconv.ParseUint(trimZeros(text), 0, 64)
	switch {
	case err != nil:
		s.fail("%s: %q is not a number", what, text)
	case n > limit:
		s.fail("%s: %s is above %d", what, text, limit)
	}
	return n
}

// trimZeros keeps a decimal number with leading zeros from being an octal one.
func trimZeros(text string) string {
	if t := strings.TrimLeft(text, "0"); t != text && (t == "" || t[0] >= '0' && t[0] <= '9') {
		if t == "" {
			return "0"
		}
		return t
	}
	return text
}

// end makes sure that there is nothing more.
func (s *scanner) end() {
	if s.more() {
		s.fail("%s is too much", s.next())
	}
}
