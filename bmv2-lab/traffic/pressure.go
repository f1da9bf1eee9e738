package traffic

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// Shares of the flows under pressure, in percent; the others are single datagrams.
const (
	floodShare  = 35 // single SYNs
	talkShare   = 10 // conversations of talkPackets packets, some time apart
	talkPackets = 4
)

// Pressure are frames of so many flows, at most 1<<24, in an order without sense: what a flow
// cache that is smaller has to let go of, and take in again.
func Pressure(flows int) []Frame {
	floods, talks := flows*floodShare/100, flows*talkShare/100
	frames := make([]Frame, 0, flows+talks*(talkPackets-1))
	for n := range flows {
		source := netip.AddrFrom4([4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)}).String()
		port := 1024 + uint16(n%60_000)
		from := start().ipv4(source, insidePeer)
		switch {
		case n < floods:
			frames = append(frames, from.tcp(port, 80, syn).frame(fmt.Sprintf("SYN %d", n), 0))
		case n < floods+talks:
			f := from.tcp(port, 80, ack).frame(fmt.Sprintf("talk %d", n), 200)
			for range talkPackets {
				frames = append(frames, f)
			}
		default:
			frames = append(frames, from.udp(port, 53).frame(fmt.Sprintf("datagram %d", n), 30))
		}
	}
	r := rand.New(rand.NewPCG(seed, uint64(flows)))
	r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
	return frames
}
