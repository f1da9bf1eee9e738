package gnmi

import (
	"context"
	"fmt"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// heard is a stream that keeps what is sent.
type heard struct {
	grpc.ServerStream
	values []string
}

func (h *heard) Context() context.Context             { return context.Background() }
func (h *heard) Send(*gpb.SubscribeResponse) error    { panic("messages are sent as bytes") }
func (h *heard) Recv() (*gpb.SubscribeRequest, error) { panic("nobody listens") }
func (h *heard) SendMsg(m any) error {
	var resp gpb.SubscribeResponse
	if err := proto.Unmarshal(m.(*encoded).bytes, &resp); err != nil {
		return err
	}
	for _, u := range resp.GetUpdate().GetUpdate() {
		h.values = append(h.values, fmt.Sprint(u.GetVal().GetUintVal()))
	}
	for range resp.GetUpdate().GetDelete() {
		h.values = append(h.values, "gone")
	}
	return nil
}

// still is a source that is as somebody left it.
type still struct {
	Source
	view inventory.View
}

func (s *still) Now() inventory.View { return s.view }

// counted is a state with a counter, recorded at a time; 0 for none.
func counted(n uint64) inventory.View {
	f := newFixed(nil)
	if n > 0 {
		a := inventory.Accounting{Switch: "leaf1", Port: "swp1", PortPackets: n}
		f.put(inventory.Entry{Fact: a, Commit: time.Unix(int64(n), 0)})
	}
	return f
}

// TestClockwork moves the clock by hand, second by second, and changes the counter at 4 s and 7 s. It is gone at 9 s.
func TestClockwork(t *testing.T) {
	m := newMetrics()
	for name, test := range map[string]struct {
		manner
		want string // what comes at each second
	}{
		"samples":                   {sampled(allLeaves, 2*time.Second, 0, false), "2:[10] 4:[11] 6:[11] 8:[12] 10:[gone]"},
		"what changed of samples":   {sampled(allLeaves, 2*time.Second, 0, true), "4:[11] 8:[12] 10:[gone]"},
		"with a heartbeat":          {sampled(allLeaves, 2*time.Second, 3*time.Second, true), "3:[10] 4:[11] 6:[11] 8:[12] 9:[gone]"},
		"a heartbeat of everything": {sampled(allLeaves, 2*time.Second, 3*time.Second, false), "2:[10] 4:[11] 6:[11] 8:[12] 10:[gone]"},
		"one that is due before":    {sampled(allLeaves, 4*time.Second, 3*time.Second, false), "3:[10] 4:[11] 6:[11] 8:[12] 9:[gone]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := asked(t, "fabric/switches/switch/accounting/interface/state/counters/port-pkts")
			p.manner = test.manner
			source, stream := &still{view: counted(10)}, &heard{}
			sub := &subscription{server: &Server{source: source, now: time.Now, metrics: m}, stream: stream, count: func(int) {}, began: time.Now(),
				sent: m.sent("STREAM")}
			begin := time.Unix(1000, 0)
			clocks := []*clockwork{{part: p, told: source.view}}
			clocks[0].plan(begin)
			got := ""
			for second := 1; second <= 11; second++ {
				switch second {
				case 4:
					source.view = counted(11)
				case 7:
					source.view = counted(12)
				case 9:
					source.view = counted(0)
				}
				stream.values = nil
				if err := sub.due(clocks, begin.Add(time.Duration(second)*time.Second)); err != nil {
					t.Fatal(err)
				}
				if len(stream.values) > 0 {
					got += fmt.Sprintf(" %d:%v", second, stream.values)
				}
			}
			if got != " "+test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
