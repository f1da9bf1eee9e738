package access

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// auditFile is a file that is appended to, and opened anew when it was moved away.
type auditFile struct {
	name string
	mu   sync.Mutex
	file *os.File // guarded by mu
}

func openAudit(name string) (*auditFile, error) {
	a := &auditFile{name: name}
	return a, a.reopen()
}

// checkAudit says whether the file could be opened, and does not make it: it would be the wrong user's.
func checkAudit(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(name))
	} else if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("audit-file: %w", err)
	}
	return nil
}

func (a *auditFile) reopen() error {
	f, err := os.OpenFile(a.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("audit-file: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.file
	if a.file = f; old != nil {
		return old.Close()
	}
	return nil
}

// Write implements io.Writer, a line at a time.
func (a *auditFile) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Write(b)
}

func (a *auditFile) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Close()
}

// record is one call as the audit log has it.
type record struct {
	began  time.Time
	method string
	asked  []slog.Attr
	sent   int
}

// write ends a record.
func (g *Guard) write(ctx context.Context, r *record, err error) {
	if g.audit == nil {
		return
	}
	c := callerOf(ctx)
	attrs := []slog.Attr{slog.String("user", c.user), slog.Any("principals", c.principals)}
	if p, ok := peer.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("peer", p.Addr.String()))
	}
	if reader, _ := g.ReaderOf(ctx); reader != nil {
		attrs = append(attrs, slog.String("reader", reader.Name))
	}
	attrs = append(attrs, slog.String("rpc", r.method))
	attrs = append(attrs, r.asked...)
	attrs = append(attrs, slog.Int("messages", r.sent), slog.String("code", status.Code(err).String()), slog.Duration("took", time.Since(r.began)))
	if failed := g.audit.Handler().Handle(context.WithoutCancel(ctx), lineOf(attrs)); failed != nil {
		g.metrics.unwritten.Inc()
		g.log.Error("the audit log cannot be written", "error", failed)
	}
}

func lineOf(attrs []slog.Attr) slog.Record {
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "read", 0)
	line.AddAttrs(attrs...)
	return line
}

// Reopen opens the audit log anew, after it was moved away.
func (g *Guard) Reopen() error {
	if g.auditTo == nil {
		return nil
	}
	return g.auditTo.reopen()
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
