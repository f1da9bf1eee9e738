package access

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// slowDisk takes a line when it is told to.
type slowDisk struct {
	bytes.Buffer
	may  chan struct{}
	fail bool
}

func (d *slowDisk) reopen() error { return nil }

func (d *slowDisk) Write(b []byte) (int, error) {
	<-d.may
	if d.fail {
		return 0, errors.New("full")
	}
	return d.Buffer.Write(b)
}

// TestSlowAuditHoldsNobodyUp: what does not fit is dropped, counted, and told; and what comes after the end is written.
func TestSlowAuditHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := newMetrics(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		disk := &slowDisk{may: make(chan struct{})}
		a := newAuditLog(disk, slog.New(slog.DiscardHandler), m)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { a.run(ctx); close(ended) }()
		synctest.Wait()
		for range auditQueue + 10 { // one is with the disk
			a.Write([]byte("line\n"))
			synctest.Wait()
		}
		if n := testutil.ToFloat64(m.unaudited.WithLabelValues("full")); n != 9 {
			t.Errorf("%v lines are dropped", n)
		}
		close(disk.may)
		synctest.Wait()
		if n := strings.Count(disk.String(), "line\n"); n != auditQueue+1 || !strings.Contains(disk.String(), `"msg":"dropped","calls":9}`) {
			t.Errorf("%d lines are there, and at the end %s", n, disk.String()[max(0, disk.Len()-200):])
		}
		cancel()
		<-ended
		a.Write([]byte("last\n"))
		if !strings.HasSuffix(disk.String(), "last\n") {
			t.Error("a call that ends after all is not written")
		}
	})
}
