package access

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Bounds of what a line of the audit log repeats of a request.
const (
	maxAuditPaths = 16
	maxAuditText  = 256
)

// record is one call as the audit log has it.
type record struct {
	began   time.Time
	method  string
	asked   []slog.Attr
	sent    int
	leaves  *atomic.Int64
	records string // of flows, as the trailer of an export says
}

// newRecord begins the record of a call, and gives the context in which its leaves are counted.
func newRecord(ctx context.Context, method string, asked []slog.Attr) (context.Context, record) {
	leaves := new(atomic.Int64)
	return context.WithValue(ctx, leavesKey{}, leaves), record{began: time.Now(), method: method, asked: asked, leaves: leaves}
}

type leavesKey struct{}

// Counter gives what counts the leaves that a call is answered with.
func (g *Guard) Counter(ctx context.Context) func(leaves int) {
	n, ok := ctx.Value(leavesKey{}).(*atomic.Int64)
	if !ok {
		n = new(atomic.Int64)
	}
	return func(leaves int) { n.Add(int64(leaves)) }
}

// write ends a record.
func (g *Guard) write(ctx context.Context, r *record, err error) {
	if g.audit == nil {
		return
	}
	c, refused := ctx.Value(claimKey{}).(claim)
	if p, ok := peer.FromContext(ctx); ok && refused && !g.tells(p.Addr) {
		return
	}
	attrs := append(g.whoAsked(ctx, r), slog.Int("messages", r.sent), slog.Int64("leaves", r.leaves.Load()))
	if r.records != "" {
		attrs = append(attrs, slog.String("records", r.records))
	}
	attrs = append(attrs, slog.String("code", status.Code(err).String()), slog.Duration("took", time.Since(r.began)))
	what := "read"
	if refused {
		what = "refused"
		attrs = append(attrs, c.told(err)...)
	}
	g.writeLine(ctx, what, attrs)
}

// tells says whether one more who was refused is told of: anybody can be as often as he wants, and would have the files of others'
// reading moved away.
func (g *Guard) tells(from net.Addr) bool {
	if g.strays.allow(from) {
		return true
	}
	g.metrics.unaudited.WithLabelValues("limited").Inc()
	return false
}

// told gives what the log says of somebody who was refused.
func (c claim) told(why error) []slog.Attr {
	return []slog.Attr{slog.String("by", c.by), slog.String("claims", bounded(c.names)), slog.String("why", bounded(status.Convert(why).Message()))}
}

// writeBegin says that a call began that may go on for long.
func (g *Guard) writeBegin(ctx context.Context, r *record) {
	if g.audit != nil {
		g.writeLine(ctx, "reads", g.whoAsked(ctx, r))
	}
}

func (g *Guard) whoAsked(ctx context.Context, r *record) []slog.Attr {
	c := callerOf(ctx)
	attrs := []slog.Attr{slog.String("user", c.user), slog.Any("principals", c.principals)}
	if p, ok := peer.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("peer", p.Addr.String()))
	}
	if reader, _ := g.ReaderOf(ctx); reader != nil {
		attrs = append(attrs, slog.String("reader", reader.Name))
	}
	attrs = append(attrs, slog.String("rpc", r.method))
	return append(attrs, r.asked...)
}

func (g *Guard) writeLine(ctx context.Context, what string, attrs []slog.Attr) {
	line := slog.NewRecord(time.Now(), slog.LevelInfo, what, 0)
	line.AddAttrs(attrs...)
	if err := slog.NewJSONHandler(g.audit, nil).Handle(context.WithoutCancel(ctx), line); err != nil {
		g.metrics.unaudited.WithLabelValues("failed").Inc()
		g.log.Error("the audit log cannot be written", "error", err)
	}
}

// Reopen opens the audit log anew, after it was moved away.
func (g *Guard) Reopen() error {
	if g.audit == nil {
		return nil
	}
	return g.audit.to.reopen()
}

// asked tells what a request asks for.
func asked(req any) []slog.Attr {
	switch r := req.(type) {
	case *gpb.GetRequest:
		return append(askedPaths(r.GetPrefix(), r.GetPath()), askedPast(r.GetExtension())...)
	case *gpb.SubscribeRequest:
		list := r.GetSubscribe()
		if list == nil {
			return nil
		}
		var paths []*gpb.Path
		for _, s := range list.GetSubscription() {
			paths = append(paths, s.GetPath())
		}
		attrs := append(askedPaths(list.GetPrefix(), paths), slog.String("mode", list.GetMode().String()))
		return append(attrs, askedPast(r.GetExtension())...)
	case interface{ String() string }: // of the services beside gNMI
		return []slog.Attr{slog.String("request", bounded(r.String()))}
	}
	return nil
}

// lasts says whether a request is for what goes on until somebody ends it.
func lasts(req any) bool {
	r, ok := req.(*gpb.SubscribeRequest)
	return ok && r.GetSubscribe() != nil && r.GetSubscribe().GetMode() != gpb.SubscriptionList_ONCE
}

func askedPaths(prefix *gpb.Path, paths []*gpb.Path) []slog.Attr {
	var texts []string
	for i, p := range paths {
		if i == maxAuditPaths {
			texts = append(texts, fmt.Sprintf("and %d more", len(paths)-i))
			break
		}
		texts = append(texts, bounded(pathText(prefix)+pathText(p)))
	}
	return []slog.Attr{slog.String("target", bounded(prefix.GetTarget())), slog.Any("paths", texts)}
}

func pathText(p *gpb.Path) string {
	var b strings.Builder
	for _, e := range p.GetElem() {
		fmt.Fprintf(&b, "/%s", e.GetName())
		for k, v := range e.GetKey() {
			fmt.Fprintf(&b, "[%s=%s]", k, v)
		}
	}
	return b.String()
}

func askedPast(list []*gnmi_ext.Extension) []slog.Attr {
	var attrs []slog.Attr
	for _, x := range list {
		if x.GetHistory() != nil || x.GetRegisteredExt() != nil {
			attrs = append(attrs, slog.String("past", bounded(x.String())))
		}
	}
	return attrs
}

func bounded(s string) string {
	if len(s) > maxAuditText {
		return s[:maxAuditText] + "…"
	}
	return s
}
