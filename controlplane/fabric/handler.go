package fabric

import (
	"context"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/p4rt"
)

// handler hands what the sessions report to the loop. It runs on the sessions' goroutines.
type handler struct{ f *Fabric }

// Connected reads the tables back before the loop hears of the connection.
func (h handler) Connected(ctx context.Context, s *p4rt.Session, _ bool) { h.f.connected(ctx, s) }

// Digests are not the fabric's.
func (h handler) Digests(*p4rt.Session, p4rt.DigestList) {}

// PacketIn hands a packet on.
func (h handler) PacketIn(s *p4rt.Session, p p4rt.PacketIn) { h.f.packetIn(s.Name(), p) }

// Disconnected says that the switch can be neither asked nor written.
func (h handler) Disconnected(s *p4rt.Session, _ error) { h.f.disconnected(s.Name()) }

func (f *Fabric) connected(ctx context.Context, c client) {
	n, ok := f.nodes[c.Name()]
	if !ok {
		f.deps.Log.Error("a switch that the fabric's configuration does not have", "switch", c.Name())
		return
	}
	for {
		have, err := c.Entries(ctx, n.programmer.tables...)
		if err == nil {
			f.do(func(l *loop) { l.connected(ctx, n, c, have) })
			return
		}
		if ctx.Err() != nil {
			return
		}
		f.metrics.failures.WithLabelValues(n.cfg.Name).Inc()
		f.deps.Log.Error("cannot read the tables back; trying again", "switch", n.cfg.Name, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(rewriteAfter):
		}
	}
}

func (f *Fabric) disconnected(sw string) {
	if n, ok := f.nodes[sw]; ok {
		f.do(func(l *loop) { l.disconnected(n) })
	}
}

func (f *Fabric) packetIn(sw string, p p4rt.PacketIn) {
	if n, ok := f.nodes[sw]; ok {
		f.do(func(l *loop) { l.packetIn(n, p) })
	}
}
