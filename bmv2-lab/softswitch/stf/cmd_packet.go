package stf

import (
	"encoding/hex"
	"math"
	"strings"
)

// packet sends a frame: packet PORT HEX…
type packet struct {
	port  uint32
	frame []byte
}

func parsePacket(s *scanner) command {
	c := &packet{port: parsePort(s)}
	digits := parseDigits(s, "")
	if s.err == nil && digits == "" {
		s.fail("the packet has no bytes")
	}
	var err error
	if c.frame, err = hex.DecodeString(digits); err != nil {
		s.fail("the packet has %d hex digits, which is an odd number", len(digits))
	}
	return c
}

func parsePort(s *scanner) uint32 { return uint32(s.number("the port", math.MaxUint32)) }

// parseDigits reads hex digits, and what else is allowed, up to the end of the line.
func parseDigits(s *scanner, also string) string {
	var b strings.Builder
	for s.more() {
		for _, c := range strings.ToUpper(s.field("data")) {
			if !strings.ContainsRune("0123456789ABCDEF"+also, c) {
				s.fail("%q is no hex digit", c)
			}
			b.WriteRune(c)
		}
	}
	return b.String()
}

func (c *packet) run(x *run) error {
	x.target.Pause(packetGap)
	if x.controlled {
		x.target.Pause(settleTime)
	}
	x.controlled = false
	x.result.Packets++
	if err := x.target.Send(c.port, c.frame); err != nil {
		return err
	}
	return x.receive(0)
}

// receive collects what has left the switch.
func (x *run) receive(want int) error {
	frames, err := x.target.Receive(want)
	for _, f := range frames {
		p := x.port(f.Port)
		p.got = append(p.got, received{x.line, f.Data})
	}
	return err
}

// expect is a frame that has to leave: expect PORT [HEX…[$]], "*" for any digit.
type expect struct {
	port uint32
	want expectation
}

func parseExpect(s *scanner) command {
	c := &expect{port: parsePort(s)}
	c.want.any = !s.more()
	c.want.digits, c.want.exact = strings.CutSuffix(parseDigits(s, "*$"), "$")
	if strings.Contains(c.want.digits, "$") {
		s.fail("there is something behind the $")
	}
	return c
}

func (c *expect) run(x *run) error {
	x.result.Expectations++
	c.want.line = x.line
	p := x.port(c.port)
	p.want = append(p.want, c.want)
	return nil
}

// noPacket says that nothing leaves but what is expected. That holds in every file; the
// statement makes it visible, and counts as an expectation.
type noPacket struct{}

func parseNoPacket(*scanner) command { return noPacket{} }

func (noPacket) run(x *run) error {
	x.result.Expectations++
	return nil
}

// wait is there for switches that take their time; here packets are through at once.
type wait struct{}

func parseWait(*scanner) command { return wait{} }

func (wait) run(x *run) error { return x.receive(0) }

func (x *run) port(number uint32) *port {
	p := x.ports[number]
	if p == nil {
		p = &port{}
		x.ports[number] = p
	}
	return p
}
