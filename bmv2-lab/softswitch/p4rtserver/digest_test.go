package p4rtserver

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

const learnID = 7

// learner is a digester with a pipeline of one digest of one value, and the lists it sent.
type learner struct {
	*digester
	pipeline *pipeline
	lists    chan *p4.DigestList
	refuse   bool
}

func newLearner(t *testing.T, c *p4.DigestEntry_Config) *learner {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	l := &learner{lists: make(chan *p4.DigestList, 1000)}
	l.digester = newDigester(1000, func(d *p4.DigestList) bool {
		if l.refuse {
			return false
		}
		l.lists <- d
		return true
	}, m)
	d := &digest{id: learnID, name: "learn", data: dataType{leaf: leafBit, width: 16}}
	l.pipeline = &pipeline{
		schema:  &schema{info: &p4config.P4Info{}, digests: map[uint32]*digest{learnID: d}, byDigest: map[string]*digest{"learn": d}},
		digests: map[uint32]*p4.DigestEntry_Config{},
	}
	if c != nil {
		l.pipeline.digests[learnID] = c
	}
	l.follow(l.pipeline)
	return l
}

func (l *learner) raise(values ...byte) {
	for _, v := range values {
		l.offer(l.pipeline, engine.Digest{Name: "learn", Values: [][]byte{{v}}})
	}
}

// got says which lists have left, as "id:values" each.
func (l *learner) got() string {
	synctest.Wait()
	s := ""
	for {
		select {
		case d := <-l.lists:
			s += fmt.Sprintf("%d:", d.GetListId())
			for _, v := range d.GetData() {
				s += fmt.Sprintf("%x", v.GetBitstring())
			}
			s += " "
		default:
			return s
		}
	}
}

// inBubble runs a digester under fake time.
func inBubble(t *testing.T, c *p4.DigestEntry_Config, test func(t *testing.T, l *learner)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLearner(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.run(ctx)
		}()
		test(t, l)
		cancel()
		<-done
	})
}

func expect(t *testing.T, l *learner, what, want string) {
	t.Helper()
	if got := l.got(); got != want {
		t.Errorf("%s: lists %q, want %q", what, got, want)
	}
}

func TestListsLeaveByTimeOrSize(t *testing.T) {
	c := &p4.DigestEntry_Config{MaxTimeoutNs: int64(100 * time.Millisecond), MaxListSize: 3}
	inBubble(t, c, func(t *testing.T, l *learner) {
		l.raise(1, 2)
		expect(t, l, "too few", "")
		time.Sleep(99 * time.Millisecond)
		expect(t, l, "too early", "")
		time.Sleep(time.Millisecond)
		expect(t, l, "after the timeout", "1:0102 ")
		l.raise(1, 2, 3, 4)
		expect(t, l, "full", "2:010203 ")
		time.Sleep(100 * time.Millisecond)
		expect(t, l, "the rest", "3:04 ")
	})
}

func TestDuplicatesInOneList(t *testing.T) {
	c := &p4.DigestEntry_Config{MaxTimeoutNs: int64(time.Second)}
	inBubble(t, c, func(t *testing.T, l *learner) {
		l.raise(1, 1, 2, 1)
		time.Sleep(time.Second)
		expect(t, l, "distinct ones", "1:0102 ")
		l.raise(1) // ack_timeout_ns 0: nothing is remembered
		time.Sleep(time.Second)
		expect(t, l, "again", "2:01 ")
		if n := testutil.ToFloat64(l.metrics.digestDuplicates); n != 2 {
			t.Errorf("%v duplicates", n)
		}
	})
}

func TestAcknowledgement(t *testing.T) {
	c := &p4.DigestEntry_Config{AckTimeoutNs: int64(10 * time.Second)}
	inBubble(t, c, func(t *testing.T, l *learner) {
		l.raise(1, 2)
		expect(t, l, "one list each", "1:01 2:02 ")
		l.raise(1, 2)
		expect(t, l, "not acknowledged", "")
		if err := l.ack(&p4.DigestListAck{DigestId: learnID, ListId: 1}); err != nil {
			t.Fatal(err)
		}
		l.raise(1, 2)
		expect(t, l, "1 is acknowledged", "3:01 ")
		time.Sleep(10 * time.Second)
		l.raise(1, 2)
		expect(t, l, "after ack_timeout_ns", "4:01 5:02 ")
		if err := l.ack(&p4.DigestListAck{DigestId: 99}); codeOf(err).String() != "InvalidArgument" {
			t.Errorf("unknown digest: %v", err)
		}
		l.forget()
		l.raise(1)
		expect(t, l, "another primary", "6:01 ")
	})
}

func TestDigestsThatNobodyTakes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, l *learner) {
		l.raise(1)
		expect(t, l, "not enabled", "")
		s := digestSettings{maxList: 1, ackTimeout: time.Hour}
		l.configure(l.pipeline, learnID, &s)
		l.refuse = true
		l.raise(2)
		expect(t, l, "no primary", "")
		l.refuse = false
		l.raise(2)
		expect(t, l, "is learned again", "2:02 ")
		l.configure(l.pipeline, learnID, nil)
		l.raise(3)
		expect(t, l, "disabled", "")
		for reason, want := range map[string]float64{"not_enabled": 2, "no_receiver": 1} {
			if n := testutil.ToFloat64(l.metrics.digestDrops.WithLabelValues(reason)); n != want {
				t.Errorf("%s: %v dropped, want %v", reason, n, want)
			}
		}
	})
}

func TestFullQueueIsCounted(t *testing.T) {
	l := newLearner(t, &p4.DigestEntry_Config{MaxListSize: 1})
	for range 1300 {
		l.raise(1)
	}
	if n := testutil.ToFloat64(l.metrics.digestDrops.WithLabelValues("queue_full")); n != 300 {
		t.Errorf("%v dropped", n)
	}
}
