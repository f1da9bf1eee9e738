package stf

import (
	"bytes"
	"fmt"
	"strings"
)

// Digest is a message to the controller.
type Digest struct {
	Name string // P4's name of its type
	// Values are its fields in their order, big-endian.
	Values [][]byte
}

// expectDigest is the next digest: expect_digest NAME VALUE….
type expectDigest struct {
	name   string
	values []string
}

func parseExpectDigest(s *scanner) command {
	c := &expectDigest{name: s.word("a digest")}
	for s.more() {
		c.values = append(c.values, s.word("a value"))
	}
	return c
}

func (c *expectDigest) run(x *run) error {
	x.result.Expectations++
	x.digestsCount = true
	if err := x.receiveDigests(1 - len(x.digests)); err != nil {
		return err
	}
	if len(x.digests) == 0 {
		return fmt.Errorf("no digest has been raised")
	}
	got := x.digests[0]
	x.digests = x.digests[1:]
	if err := c.check(got); err != nil {
		return fmt.Errorf("%w, and there is %s", err, got.text())
	}
	return nil
}

// receiveDigests collects what the program has raised.
func (x *run) receiveDigests(want int) error {
	d, err := x.target.Digests(want)
	x.digests = append(x.digests, d...)
	return err
}

// check compares the name, which may be the end of the full one, and the values.
func (c *expectDigest) check(got Digest) error {
	switch {
	case got.Name != c.name && !strings.HasSuffix(got.Name, "."+c.name):
		return fmt.Errorf("%s is expected", c.name)
	case len(got.Values) != len(c.values):
		return fmt.Errorf("%d values are expected", len(c.values))
	}
	for i, text := range c.values {
		want, err := parsePattern(text)
		switch {
		case err != nil:
			return err
		case want.stars:
			return fmt.Errorf("%s: a \"*\" is not possible here", text)
		case !bytes.Equal(want.value.Bytes(), bytes.TrimLeft(got.Values[i], "\x00")):
			return fmt.Errorf("value %d is expected to be %s", i+1, text)
		}
	}
	return nil
}

func (d Digest) text() string {
	var b strings.Builder
	b.WriteString(d.Name)
	for _, v := range d.Values {
		fmt.Fprintf(&b, " %#x", v)
	}
	return b.String()
}

// finishDigests is for scripts that expect digests: there are no others then.
func (x *run) finishDigests() {
	if !x.digestsCount {
		return
	}
	if err := x.receiveDigests(0); err != nil {
		x.problem("%v", err)
	}
	for _, d := range x.digests {
		x.problem("a digest is too much: %s", d.text())
	}
}
