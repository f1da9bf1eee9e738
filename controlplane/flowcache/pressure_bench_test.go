package flowcache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/p4src"
)

// counted is an output that counts digests.
type counted struct{ digests int }

func (c *counted) Transmit(uint32, []byte) {}

func (c *counted) Digest(engine.Digest) { c.digests++ }

// cacheOf is softswitch with our program and so many slots.
func cacheOf(b *testing.B, slots int) *engine.Switch {
	b.Helper()
	device, _, err := p4src.WithFlowSlots(slots)
	if err != nil {
		b.Fatal(err)
	}
	document, err := bmjson.Decode(device)
	if err != nil {
		b.Fatal(err)
	}
	program, err := engine.Compile(document)
	if err != nil {
		b.Fatal(err)
	}
	return engine.New(program, engine.Options{Seed: 1})
}

// BenchmarkPressure gives the digests a packet by the size of the cache and the number of flows
// that go on at once: evenly, each as likely as any other to send the next packet, and unevenly, by
// Zipf's law, as traffic is. The packets come at 100,000 a second of the switch's time.
func BenchmarkPressure(b *testing.B) {
	for _, slots := range []int{64, 1024, p4src.FlowSlots} {
		for _, flows := range []int{100, 1_000, 10_000, 100_000} {
			for _, kind := range []string{"even", "zipf"} {
				b.Run(fmt.Sprintf("slots=%d/flows=%d/%s", slots, flows, kind), func(b *testing.B) {
					pressure(b, cacheOf(b, slots), flows, kind)
				})
			}
		}
	}
}

// gap is the time between two packets, in microseconds.
const gap = uint64(10 * time.Microsecond / time.Microsecond)

func pressure(b *testing.B, sw *engine.Switch, flows int, kind string) {
	random := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(random, 1.1, 1, uint64(flows-1))
	p := tcpTemplate(b, func(l *layers.TCP) { l.ACK = true }, 100)
	var out counted
	now := uint64(0)
	packet := func() {
		n := random.IntN(flows)
		if kind == "zipf" {
			n = int(zipf.Uint64())
		}
		p.of(n)
		now += gap
		sw.Process(now, 1, p.frame, &out)
	}
	for range 2 * flows { // until the cache is as full as it gets
		packet()
	}
	out.digests = 0
	for b.Loop() {
		packet()
	}
	b.ReportMetric(float64(out.digests)/float64(b.N), "digests/packet")
}
