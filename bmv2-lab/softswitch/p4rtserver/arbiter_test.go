package p4rtserver

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// arbiterOf is an arbiter of device 0 and two clients; settle runs between one primary and the
// next.
func arbiterOf(t *testing.T, settle func()) (a *arbiter, one, two *client) {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return newArbiter(0, settle, func() {}), newClient(10, m), newClient(10, m)
}

func bid(n uint64) *p4.MasterArbitrationUpdate {
	return &p4.MasterArbitrationUpdate{ElectionId: &p4.Uint128{Low: n}}
}

// An update that waited while its stream ended must not make a session of it.
func TestUpdateOfAStreamThatHasEnded(t *testing.T) {
	a, gone, next := arbiterOf(t, func() {})
	a.remove(gone)
	if err := a.update(gone, bid(9)); codeOf(err) != codes.Canceled {
		t.Errorf("%v", err)
	}
	if err := a.update(next, bid(1)); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.primary(next); !ok {
		t.Error("a client that is not there is the primary")
	}
}

// A client that leaves while it is being made the primary leaves none, and the others hear it.
func TestPrimaryThatLeavesBeforeItIsOne(t *testing.T) {
	var a *arbiter
	var one, two *client
	leaves := false
	a, one, two = arbiterOf(t, func() {
		if leaves {
			a.remove(two)
		}
	})
	if err := a.update(one, bid(1)); err != nil {
		t.Fatal(err)
	}
	leaves = true
	if err := a.update(two, bid(2)); err != nil {
		t.Fatal(err)
	}
	var got []codes.Code
	for len(one.urgent) > 0 {
		m := <-one.urgent
		got = append(got, codes.Code(m.GetArbitration().GetStatus().GetCode()))
	}
	if len(got) != 3 || got[0] != codes.OK || got[1] != codes.AlreadyExists || got[2] != codes.NotFound {
		t.Errorf("the former primary was told %v", got)
	}
}
