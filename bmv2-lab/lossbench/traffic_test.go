package lossbench

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// stream is one direction of a conversation.
type stream struct {
	tuple flow.Tuple
	frame []byte
	rate  int // packets/s
	way   []cable
	lost  []uint64 // on each cable of the way
	extra []uint64
	sent  uint64
}

// newStream is UDP from a host of one leaf to one of another, over a spine.
func newStream(from, to, via, host int, port uint16, rate int) *stream {
	s := &stream{rate: rate, way: []cable{up(from, via), down(to, via)},
		tuple: flow.Tuple{Protocol: flow.UDP, Src: hostAddress(from, host), Dst: hostAddress(to, host), SrcPort: port, DstPort: 9}}
	s.lost, s.extra = make([]uint64, len(s.way)), make([]uint64, len(s.way))
	s.frame = frameOf(s.tuple)
	return s
}

// frameOf is a datagram of 100 bytes in all.
func frameOf(t flow.Tuple) []byte {
	const payload = 100 - 14 - 20 - 8
	udp := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, t.SrcPort), t.DstPort)
	udp = append(binary.BigEndian.AppendUint16(udp, 8+payload), 0, 0)
	return packet(t.Src, t.Dst, t.Protocol, append(udp, make([]byte, payload)...))
}

// packet is a frame with an IPv4 header before a payload.
func packet(from, to netip.Addr, protocol flow.Protocol, payload []byte) []byte {
	f := append(make([]byte, 12), 8, 0, 0x45, 0)
	f = binary.BigEndian.AppendUint16(f, uint16(20+len(payload)))
	f = append(f, 0, 0, 0, 0, 64, byte(protocol), 0, 0)
	f = append(append(f, from.AsSlice()...), to.AsSlice()...)
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum))
	return append(f, payload...)
}

// start sends until a moment, with gaps as chance has them (Poisson).
func (r *rig) start(s *stream, until time.Time) {
	gap := func() time.Duration {
		return time.Duration(r.rand.ExpFloat64() * float64(time.Second) / float64(s.rate))
	}
	var send func(now time.Time)
	send = func(now time.Time) {
		if now.After(until) {
			return
		}
		s.sent++
		r.devices[s.way[0].from].receive(now, hostPort, s.frame)
		r.cross(now, s, 0)
		r.at(now.Add(gap()), send)
	}
	r.at(time.Now().Add(gap()), send)
}

// cross takes a packet over the next cable of its way.
func (r *rig) cross(now time.Time, s *stream, i int) {
	if i == len(s.way) {
		return
	}
	c := s.way[i]
	w := r.cables[c]
	if r.rand.Float64() < w.loss {
		w.lost++
		s.lost[i]++
		return
	}
	copies := 1
	if r.rand.Float64() < w.double {
		w.doubled++
		s.extra[i]++
		copies = 2
	}
	for range copies {
		late := r.underWay()
		if r.rand.Float64() < w.hold {
			late += held
		}
		r.at(now.Add(late), func(now time.Time) {
			r.devices[c.to].receive(now, c.inPort, s.frame)
			r.cross(now, s, i+1)
		})
	}
}

// said is what the correlator said last of every stream and every cable, when a stream first named a
// cable, and when the stream's own packets were first said to be lost there.
type said struct {
	mu    sync.Mutex // guards all below
	last  map[flow.Tuple]flow.Conversation
	named map[flow.Tuple]naming
	own   map[flow.Tuple]naming
	links map[string]inventory.LinkLoss
}

// naming is when a cable was first named.
type naming map[string]time.Time

func newSaid() *said {
	return &said{last: map[flow.Tuple]flow.Conversation{}, named: map[flow.Tuple]naming{}, own: map[flow.Tuple]naming{},
		links: map[string]inventory.LinkLoss{}}
}

// Record implements correlate.Sink. All streams go in one direction only.
func (s *said) Record(changes ...inventory.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range changes {
		switch f := ch.Fact.(type) {
		case inventory.LinkLoss:
			s.links[f.A.String()+">"+f.B.String()] = f
		case flow.Conversation:
			s.conversation(f)
		}
	}
}

func (s *said) conversation(c flow.Conversation) {
	t := c.Tuple()
	s.last[t] = c
	note := func(to map[flow.Tuple]naming, at string) {
		if to[t] == nil {
			to[t] = naming{}
		}
		if to[t][at].IsZero() {
			to[t][at] = time.Now()
		}
	}
	for _, g := range segmentsOf(c) {
		if g.Lossy() {
			note(s.own, where(g))
			note(s.named, where(g))
		}
		for _, l := range g.Cables {
			note(s.named, l.Out.String()+">"+l.In.String())
		}
	}
}

func segmentsOf(c flow.Conversation) []flow.Segment {
	return slices.Concat(c.ForwardSegments, c.ReverseSegments)
}

// where is the cable of a segment.
func where(s flow.Segment) string {
	list := func(refs []inventory.PortRef) string {
		var names []string
		for _, p := range refs {
			names = append(names, p.String())
		}
		return strings.Join(names, "|")
	}
	return list(s.Out) + ">" + list(s.In)
}

// of gives what was said of a stream, and when it named which cables. The side with the lower port is
// taken for the server, which is where all streams go.
func (s *said) of(x *stream) (c flow.Conversation, named, own naming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[x.tuple], s.named[x.tuple], s.own[x.tuple]
}

// lossy are the links that are said to lose packets.
func (s *said) lossy() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, l := range s.links {
		if l.Lossy {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
