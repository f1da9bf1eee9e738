package cli

import (
	"bufio"
	"context"
	"encoding/json"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// streamFlows writes conversations as they come, so that however many there are none has to be kept.
// Filters by names would have to know all of them first: a name is exact where there is something that
// has it.
func (o *options) streamFlows(ctx context.Context) error {
	o.dated()
	out := bufio.NewWriter(o.Stdout)
	s := flowStream{rest: &branch{}, to: json.NewEncoder(out)}
	list := o.list(gpb.SubscriptionList_ONCE, []string{flowsPath, clusterStatePath, switchStatePath})
	if err := o.read(ctx, list, s.take); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fail("write the answer: %w", err)
	}
	f := &filters{}
	f.warnOfClusters(o, s.rest)
	f.warnOfSwitches(o, s.rest)
	return nil
}

// flowStream collects what comes of one conversation after the other.
type flowStream struct {
	id   string  // of the conversation that is coming
	one  *branch // what has come of it
	rest *branch // everything else
	to   *json.Encoder
}

func (s *flowStream) take(n *note) error {
	id := conversationOf(n)
	if id == "" {
		s.rest.apply(n)
		return nil
	}
	if id != s.id {
		if err := s.flush(); err != nil {
			return err
		}
		s.id, s.one = id, &branch{}
	}
	s.one.apply(n)
	return nil
}

// flush writes the conversation whose last part has come.
func (s *flowStream) flush() error {
	if s.one == nil {
		return nil
	}
	for _, c := range readConversations(s.one) {
		if err := s.to.Encode(c); err != nil {
			return fail("write the answer: %w", err)
		}
	}
	s.id, s.one = "", nil
	return nil
}

// conversationOf gives the conversation that a note is of; empty for another thing.
func conversationOf(n *note) string {
	for _, e := range n.prefix {
		if e.name == "conversation" && len(e.keys) > 0 {
			return e.keys[0].value
		}
	}
	return ""
}
