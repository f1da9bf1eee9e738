package p4rtserver_test

import (
	"bytes"
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	verify    = p4.SetForwardingPipelineConfigRequest_VERIFY
	save      = p4.SetForwardingPipelineConfigRequest_VERIFY_AND_SAVE
	commit    = p4.SetForwardingPipelineConfigRequest_COMMIT
	atOnce    = p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT
	reconcile = p4.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT
)

func (b *bench) getConfig(r p4.GetForwardingPipelineConfigRequest_ResponseType) *p4.ForwardingPipelineConfig {
	b.t.Helper()
	resp, err := b.GetForwardingPipelineConfig(b.ctx(), &p4.GetForwardingPipelineConfigRequest{DeviceId: device, ResponseType: r})
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.GetConfig()
}

// wrong is the bridge's pipeline with a change that does not fit.
func (b *bench) wrong(change func(c *p4.ForwardingPipelineConfig)) *p4.ForwardingPipelineConfig {
	c := proto.Clone(b.config).(*p4.ForwardingPipelineConfig)
	change(c)
	return c
}

func TestPipelineErrors(t *testing.T) {
	b := newBench(t)
	s := b.open()
	if _, err := b.SetForwardingPipelineConfig(b.ctx(), &p4.SetForwardingPipelineConfigRequest{DeviceId: device, Action: verify, Config: b.config}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("without a session: %v", err)
	}
	s.arbitrate(device, "", election(1))
	s.told(codes.OK, election(1))
	for name, c := range map[string]struct {
		action p4.SetForwardingPipelineConfigRequest_Action
		config *p4.ForwardingPipelineConfig
		want   codes.Code
	}{
		"no action":             {0, b.config, codes.InvalidArgument},
		"no config":             {verify, nil, codes.InvalidArgument},
		"no device config":      {atOnce, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = nil }), codes.InvalidArgument},
		"no P4Info":             {atOnce, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info = nil }), codes.InvalidArgument},
		"garbage":               {atOnce, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = []byte("\xff\xff") }), codes.InvalidArgument},
		"half a document":       {atOnce, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = c.P4DeviceConfig[:5000] }), codes.InvalidArgument},
		"another table":         {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.Tables[0].Preamble.Name = "nope" }), codes.InvalidArgument},
		"another width":         {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.Tables[0].MatchFields[0].Bitwidth = 32 }), codes.InvalidArgument},
		"another kind":          {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.Tables[0].MatchFields = c.P4Info.Tables[3].MatchFields }), codes.InvalidArgument},
		"another action":        {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.Actions[1].Preamble.Name = "nope" }), codes.InvalidArgument},
		"another parameter":     {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.Actions[1].Params[0].Bitwidth = 8 }), codes.InvalidArgument},
		"no width":              {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.ControllerPacketMetadata[0].Metadata[0].Bitwidth = -1 }), codes.InvalidArgument},
		"another counter":       {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.Counters[0].Preamble.Name = "nope" }), codes.InvalidArgument},
		"another digest":        {verify, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4Info.TypeInfo.Structs["learn_t"].Members = nil }), codes.InvalidArgument},
		"commit without saving": {commit, nil, codes.NotFound},
		"commit with a config":  {commit, b.config, codes.InvalidArgument},
		"reconcile nothing":     {reconcile, nil, codes.InvalidArgument},
	} {
		if err := s.set(c.action, c.config); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if c := b.getConfig(0); c != nil {
		t.Errorf("a pipeline is set: %v", c.GetCookie())
	}
	if err := s.set(verify, b.config); err != nil {
		t.Error(err)
	}
	if c := b.getConfig(0); c != nil {
		t.Error("VERIFY has set a pipeline")
	}
	if _, err := b.GetForwardingPipelineConfig(b.ctx(), &p4.GetForwardingPipelineConfigRequest{DeviceId: 99}); status.Code(err) != codes.NotFound {
		t.Errorf("unknown device: %v", err)
	}
}

func TestGetPipeline(t *testing.T) {
	b := newBench(t)
	b.primary()
	if !proto.Equal(b.getConfig(p4.GetForwardingPipelineConfigRequest_ALL), b.config) {
		t.Error("ALL is not what was set")
	}
	for r, want := range map[p4.GetForwardingPipelineConfigRequest_ResponseType]*p4.ForwardingPipelineConfig{
		p4.GetForwardingPipelineConfigRequest_COOKIE_ONLY:              {Cookie: b.config.Cookie},
		p4.GetForwardingPipelineConfigRequest_P4INFO_AND_COOKIE:        {Cookie: b.config.Cookie, P4Info: b.info},
		p4.GetForwardingPipelineConfigRequest_DEVICE_CONFIG_AND_COOKIE: {Cookie: b.config.Cookie, P4DeviceConfig: b.config.P4DeviceConfig},
	} {
		if !proto.Equal(b.getConfig(r), want) {
			t.Errorf("%s", r)
		}
	}
}

// A saved pipeline takes writes, and its packets run from the commit on.
func TestSaveAndCommit(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))))
	if err := s.set(save, b.config); err != nil {
		t.Fatal(err)
	}
	if n := len(b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("dmac")}))); n != 0 {
		t.Errorf("%d entries in the saved pipeline", n)
	}
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{3})))))
	b.inject(1, frame(1, 9, 0x800))
	b.leaves(2, frame(1, 9, 0x800))
	if err := s.set(commit, nil); err != nil {
		t.Fatal(err)
	}
	b.inject(1, frame(1, 9, 0x800))
	b.leaves(3, frame(1, 9, 0x800))
	if err := s.set(commit, nil); status.Code(err) != codes.NotFound {
		t.Errorf("commit again: %v", err)
	}
	// VERIFY_AND_COMMIT begins anew.
	if err := s.set(atOnce, b.config); err != nil {
		t.Fatal(err)
	}
	if n := len(b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("dmac")}))); n != 0 {
		t.Errorf("%d entries in a new pipeline", n)
	}
}

func TestReconcile(t *testing.T) {
	b := newBench(t)
	s := b.open()
	s.arbitrate(device, "", election(1))
	s.told(codes.OK, election(1))
	if err := s.set(reconcile, b.config); err != nil { // as the first one
		t.Fatal(err)
	}
	s.mustWrite(
		insert(tableEntity(with(b.dmac(1, b.act("forward", []byte{2})), func(e *p4.TableEntry) { e.Metadata = []byte("m") }))),
		insert(tableEntity(b.acl(5, b.act("deny"), ternary(1, []byte{77}, []byte{0xff})))),
		modify(tableEntity(&p4.TableEntry{TableId: b.id("vendors"), IsDefaultAction: true, Action: b.act("NoAction")})),
		insert(group(7, replica(1, 1))),
		insert(clone(9, 0, replica(1, 1))),
		insert(digestEntity(b.id("learn_t"), &p4.DigestEntry_Config{MaxListSize: 1})),
	)
	b.inject(1, frame(1, 9, 0x800))
	b.leaves(2, frame(1, 9, 0x800))
	state := []*p4.Entity{
		tableEntity(&p4.TableEntry{CounterData: &p4.CounterData{}}), tableEntity(&p4.TableEntry{IsDefaultAction: true}), counterEntity(0, nil, nil),
		registerEntity(0, nil, nil), group(0), clone(0, 0), digestEntity(0, nil),
	}
	before := b.mustRead(state...)
	// The same program, and one that differs (in white space only) and so is another one.
	for _, c := range []*p4.ForwardingPipelineConfig{
		b.wrong(func(c *p4.ForwardingPipelineConfig) { c.Cookie.Cookie = 43 }),
		b.wrong(func(c *p4.ForwardingPipelineConfig) {
			c.P4DeviceConfig = append(c.P4DeviceConfig, '\n')
			c.Cookie.Cookie = 44
		}),
	} {
		if err := s.set(reconcile, c); err != nil {
			t.Fatal(err)
		}
		after := b.mustRead(state...)
		if len(after) != len(before) {
			t.Fatalf("%d entities, before %d", len(after), len(before))
		}
		for i := range before {
			if !proto.Equal(before[i], after[i]) {
				t.Errorf("%v became %v", before[i], after[i])
			}
		}
		if got := b.getConfig(p4.GetForwardingPipelineConfigRequest_COOKIE_ONLY).GetCookie(); !proto.Equal(got, c.Cookie) {
			t.Errorf("cookie %v", got)
		}
	}
	// State that has no place in the new program leaves the old one running.
	err := s.set(reconcile, b.wrong(func(c *p4.ForwardingPipelineConfig) {
		c.P4Info.Tables = c.P4Info.Tables[1:]
		c.P4Info.DirectCounters = nil
	}))
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a table less: %v", err)
	}
	b.inject(1, frame(1, 9, 0x800))
	b.leaves(2, frame(1, 9, 0x800))
}

// Some clients of BMv2 wrap the JSON in a protobuf message.
func TestWrappedDeviceConfig(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	wrapped := protowire.AppendTag(nil, 1, protowire.VarintType)
	wrapped = protowire.AppendVarint(wrapped, 1)
	wrapped = protowire.AppendTag(wrapped, 3, protowire.BytesType)
	wrapped = protowire.AppendBytes(wrapped, b.config.P4DeviceConfig)
	if err := s.set(atOnce, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = wrapped })); err != nil {
		t.Fatal(err)
	}
	if got := b.getConfig(0).GetP4DeviceConfig(); !bytes.Equal(got, wrapped) {
		t.Error("the device config is not the one that was set")
	}
}

// Packets run through while pipelines are replaced, each through one of them.
func TestSwapUnderTraffic(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))))
	const swaps, each = 10, 100
	for i := range swaps {
		for range each {
			b.inject(1, frame(1, 9, 0x800))
		}
		if err := s.set(reconcile, b.wrong(func(c *p4.ForwardingPipelineConfig) {
			c.P4DeviceConfig = append(c.P4DeviceConfig, bytes.Repeat([]byte{' '}, i%2)...)
		})); err != nil {
			t.Fatal(err)
		}
	}
	for range swaps * each {
		b.leaves(2, frame(1, 9, 0x800))
	}
	got := b.mustRead(counterEntity(b.id("rx"), &p4.Index{Index: 1}, nil))[0].GetCounterEntry().GetData()
	if got.GetPacketCount() != swaps*each {
		t.Errorf("%d frames counted over all pipelines, want %d", got.GetPacketCount(), swaps*each)
	}
}
