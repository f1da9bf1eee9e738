package cli

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An answer may take long as long as more of it comes; what is done with it does not count.
func TestPatienceIsForTheNextPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &options{timeout: 10 * time.Second}
		p := o.patience(t.Context())
		defer p.end()
		for range 5 {
			p.wait()
			time.Sleep(9 * time.Second)
			p.came()
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if err := p.Err(); err != nil {
			t.Fatalf("gave up: %v", err)
		}
		p.wait()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if err := p.explain(p.Err()); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%v, want that it took too long", err)
		}
	})
}

// Who interrupts a call is not told that the daemon was slow.
func TestPatienceOfAnInterruptedCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := (&options{timeout: time.Hour}).patience(ctx)
	defer p.end()
	cancel()
	if err := p.explain(p.Err()); status.Code(err) == codes.DeadlineExceeded {
		t.Error(err)
	}
}
