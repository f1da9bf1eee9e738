package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// AuditToStderr has the audit log go to standard error, and from there to the journal, in the place of a file.
const AuditToStderr = "-"

// auditQueue is how many lines may wait for the disk.
const auditQueue = 4096

// auditLog writes lines behind those who have them, so that a slow disk holds nobody up. What does not fit into the
// queue is dropped, counted, and told in the log.
type auditLog struct {
	to      lineWriter
	queue   chan []byte
	metrics *metrics
	log     *slog.Logger

	mu      sync.Mutex
	running bool   // guarded by mu; somebody takes from the queue
	dropped uint64 // guarded by mu; since the log said so last
}

// lineWriter takes a line each time.
type lineWriter interface {
	io.Writer
	reopen() error
}

func newAuditLog(to lineWriter, log *slog.Logger, m *metrics) *auditLog {
	return &auditLog{to: to, queue: make(chan []byte, auditQueue), metrics: m, log: log}
}

// Write implements io.Writer for whoever has a line. When nobody takes from the queue, as before Run and for the calls
// that end after it, it writes by itself.
func (a *auditLog) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.running {
		return a.to.Write(line)
	}
	select {
	case a.queue <- append([]byte(nil), line...):
	default:
		a.dropped++
		a.metrics.unaudited.WithLabelValues("full").Inc()
	}
	return len(line), nil
}

// run writes until ctx ends, and then what is left.
func (a *auditLog) run(ctx context.Context) {
	a.mu.Lock()
	a.running = true
	a.mu.Unlock()
	for {
		select {
		case line := <-a.queue:
			a.put(line)
			a.confess()
			continue
		case <-ctx.Done():
		}
		break
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = false
	for len(a.queue) > 0 {
		a.put(<-a.queue)
	}
}

func (a *auditLog) put(line []byte) {
	if _, err := a.to.Write(line); err != nil {
		a.metrics.unaudited.WithLabelValues("failed").Inc()
		a.log.Error("the audit log cannot be written", "error", err)
	}
}

// confess writes how many lines are missing, when there is room for them again.
func (a *auditLog) confess() {
	a.mu.Lock()
	n := a.dropped
	a.dropped = 0
	a.mu.Unlock()
	if n > 0 {
		a.put(fmt.Appendf(nil, `{"time":%q,"level":"WARN","msg":"dropped","calls":%d}`+"\n", time.Now().Format(time.RFC3339Nano), n))
	}
}

// auditFile is a file that is appended to, moved away when it is full, and opened anew when somebody else moved it away.
type auditFile struct {
	name string
	most int64 // bytes; 0 for any number
	keep int   // of those that were full

	mu   sync.Mutex
	file *os.File // guarded by mu
	size int64    // guarded by mu
}

func openAudit(name string, most int64, keep int) (*auditFile, error) {
	a := &auditFile{name: name, most: most, keep: keep}
	return a, a.reopen()
}

// checkAudit says whether the file could be opened, and does not make it: it would be the wrong user's.
func checkAudit(name string) error {
	if name == "" || name == AuditToStderr {
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
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open()
}

// open opens the file, in the place of the one that is open. a.mu is held.
func (a *auditFile) open() error {
	f, err := os.OpenFile(a.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("audit-file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("audit-file: %w", err), f.Close())
	}
	old := a.file
	a.file, a.size = f, info.Size()
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write implements io.Writer, a line at a time.
func (a *auditFile) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.most > 0 && a.size > 0 && a.size+int64(len(line)) > a.most {
		if err := a.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := a.file.Write(line)
	a.size += int64(n)
	return n, err
}

// rotate moves the file to NAME.1, what was there to NAME.2 and so on; the oldest goes. a.mu is held.
func (a *auditFile) rotate() error {
	for i := a.keep; i > 0; i-- {
		from := a.name
		if i > 1 {
			from = fmt.Sprintf("%s.%d", a.name, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", a.name, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("audit-file: %w", err)
		}
	}
	if a.keep == 0 {
		if err := os.Remove(a.name); err != nil {
			return fmt.Errorf("audit-file: %w", err)
		}
	}
	return a.open()
}

// stream is a lineWriter without a file to open.
type stream struct{ io.Writer }

func (stream) reopen() error { return nil }
