package fabric

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/p4rt"
)

// rewriteAfter is the pause after a failed read or write of tables.
const rewriteAfter = time.Second

// client is what the fabric asks of a connected switch; *p4rt.Session is one.
type client interface {
	Name() string
	Apply(ctx context.Context, updates []p4rt.Update) error
	Entries(ctx context.Context, tables ...string) ([]p4rt.Entry, error)
	Counters(ctx context.Context, name string, indices ...int64) ([]p4rt.Counter, error)
	SendPacket(p p4rt.PacketOut) error
}

// programmer makes one switch's tables equal to what is wanted. It writes from a goroutine
// of its own, so that a slow switch holds up nobody, and only the newest wish counts.
type programmer struct {
	tables  []string
	log     *slog.Logger
	updates func(n int)
	failed  func()
	wake    chan struct{} // holds a token while there may be something to do

	mu     sync.Mutex      // guards the fields below
	ctx    context.Context // of the connection
	client client          // nil without one
	have   []p4rt.Entry    // what the switch has, if known
	known  bool
	want   []p4rt.Entry
	wished bool // want was ever set
}

func newProgrammer(tables []string, log *slog.Logger) *programmer {
	return &programmer{tables: tables, log: log, wake: make(chan struct{}, 1), updates: func(int) {}, failed: func() {}}
}

// connect starts a connection to a switch that has these entries.
func (p *programmer) connect(ctx context.Context, c client, have []p4rt.Entry) {
	p.mu.Lock()
	p.ctx, p.client, p.have, p.known = ctx, c, have, true
	p.mu.Unlock()
	p.signal()
}

func (p *programmer) disconnect() {
	p.mu.Lock()
	p.ctx, p.client, p.have, p.known = nil, nil, nil, false
	p.mu.Unlock()
}

// wish replaces what is wanted. The caller does not change entries afterwards.
func (p *programmer) wish(entries []p4rt.Entry) {
	p.mu.Lock()
	p.want, p.wished = entries, true
	p.mu.Unlock()
	p.signal()
}

func (p *programmer) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends.
func (p *programmer) run(ctx context.Context) error {
	var told string
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		}
		err := p.write()
		if err == nil {
			told = ""
			continue
		}
		p.failed()
		if told != err.Error() {
			told = err.Error()
			p.log.Error("tables are not as wanted; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rewriteAfter):
			p.signal()
		}
	}
}

// write brings the switch to the newest wish once.
func (p *programmer) write() error {
	p.mu.Lock()
	ctx, c, have, known, want, wished := p.ctx, p.client, p.have, p.known, p.want, p.wished
	p.mu.Unlock()
	if c == nil || !wished {
		return nil
	}
	err := error(nil)
	if !known {
		if have, err = c.Entries(ctx, p.tables...); err != nil {
			return lost(ctx, err)
		}
	}
	updates := p4rt.Diff(p.tables, have, want)
	if len(updates) > 0 {
		err = c.Apply(ctx, updates)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx != ctx {
		return nil // connected anew meanwhile, or not at all
	}
	// After an error nobody knows which updates were applied.
	p.have, p.known = want, err == nil
	if err == nil {
		p.updates(len(updates))
	}
	return lost(ctx, err)
}

// lost forgets an error that only says that the connection has ended.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
