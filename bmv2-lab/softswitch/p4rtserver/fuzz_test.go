package p4rtserver

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// still is a data plane without packets.
type still struct{ sw *engine.Switch }

func (d *still) Install(_ context.Context, build func(*engine.Switch) (*engine.Switch, error), _ Events) (err error) {
	next, err := build(d.sw)
	if err == nil {
		d.sw = next
	}
	return err
}
func (d *still) Between(_ context.Context, do func() error) error { return do() }
func (d *still) HasPort(port uint32) bool                         { return port < 10 }
func (d *still) PacketOut([]byte) error                           { return nil }
func (d *still) Micros() uint64                                   { return 0 }

// deaf is a Read's stream that nobody reads.
type deaf struct{ p4.P4Runtime_ReadServer }

func (deaf) Send(*p4.ReadResponse) error { return nil }

func fuzzServer(t testing.TB, program string) (*Server, *p4.ForwardingPipelineConfig) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s, err := New(DefaultConfig(), Deps{Log: slog.New(slog.DiscardHandler), Dataplane: &still{}, Registry: prometheus.NewRegistry(), Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	config := &p4.ForwardingPipelineConfig{P4Info: &p4config.P4Info{}}
	text, err := os.ReadFile("testdata/" + program + ".p4info.txtpb")
	if err != nil {
		t.Fatal(err)
	}
	if err := prototext.Unmarshal(text, config.P4Info); err != nil {
		t.Fatal(err)
	}
	if config.P4DeviceConfig, err = os.ReadFile("testdata/" + program + ".json"); err != nil {
		t.Fatal(err)
	}
	c := newClient(10, s.metrics)
	if err := s.arbiter.update(c, &p4.MasterArbitrationUpdate{ElectionId: &p4.Uint128{Low: 1}}); err != nil {
		t.Fatal(err)
	}
	push(t, s, p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT, config)
	return s, config
}

// push sets the pipeline as the primary does.
func push(t testing.TB, s *Server, action p4.SetForwardingPipelineConfigRequest_Action, config *p4.ForwardingPipelineConfig) {
	t.Helper()
	if _, err := s.SetForwardingPipelineConfig(t.Context(), &p4.SetForwardingPipelineConfigRequest{
		ElectionId: &p4.Uint128{Low: 1}, Action: action, Config: config}); err != nil {
		t.Fatal(err)
	}
}

// bridgeSeeds are updates of entities that testdata/bridge.p4 has.
func bridgeSeeds(info *p4config.P4Info) []*p4.Entity {
	table := info.GetTables()[1]
	return []*p4.Entity{
		{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{
			TableId: table.GetPreamble().GetId(), Priority: 1,
			Match: []*p4.FieldMatch{
				{FieldId: 1, FieldMatchType: &p4.FieldMatch_Ternary_{Ternary: &p4.FieldMatch_Ternary{Value: []byte{1}, Mask: []byte{1}}}},
				{FieldId: 2, FieldMatchType: &p4.FieldMatch_Range_{Range: &p4.FieldMatch_Range{Low: []byte{1}, High: []byte{2}}}},
			},
			Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: &p4.Action{ActionId: table.GetActionRefs()[0].GetId()}}},
		}}},
		{Entity: &p4.Entity_RegisterEntry{RegisterEntry: &p4.RegisterEntry{
			RegisterId: info.GetRegisters()[0].GetPreamble().GetId(),
			Data:       &p4.P4Data{Data: &p4.P4Data_Bitstring{Bitstring: []byte{1}}}}}},
		{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: &p4.PacketReplicationEngineEntry{
			Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: &p4.MulticastGroupEntry{
				MulticastGroupId: 1, Replicas: []*p4.Replica{{PortKind: &p4.Replica_Port{Port: []byte{1}},
					BackupReplicas: []*p4.BackupReplica{{Port: []byte{2}, Instance: 1}}}}}}}}},
		{Entity: &p4.Entity_DigestEntry{DigestEntry: &p4.DigestEntry{
			DigestId: info.GetDigests()[0].GetPreamble().GetId(), Config: &p4.DigestEntry_Config{MaxListSize: 1}}}},
	}
}

// gatewaySeeds are updates of entities that testdata/gateway.p4 has.
func gatewaySeeds(info *p4config.P4Info) []*p4.Entity {
	action := &p4.Action{ActionId: info.GetTables()[1].GetActionRefs()[1].GetId()} // drop
	profile := info.GetActionProfiles()[1].GetPreamble().GetId()
	config := &p4.MeterConfig{Cir: 1, Cburst: 1, Pir: 1, Pburst: 1}
	route := func(prefix int32, a *p4.TableAction) *p4.Entity {
		return &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{
			TableId: info.GetTables()[1].GetPreamble().GetId(), Action: a,
			Match: []*p4.FieldMatch{{FieldId: 1, FieldMatchType: &p4.FieldMatch_Lpm{Lpm: &p4.FieldMatch_LPM{Value: []byte{0}, PrefixLen: prefix}}}},
		}}}
	}
	return []*p4.Entity{
		route(8, &p4.TableAction{Type: &p4.TableAction_ActionProfileActionSet{ActionProfileActionSet: &p4.ActionProfileActionSet{
			ActionProfileActions: []*p4.ActionProfileAction{{Action: action, Weight: 1}, {Action: action, Weight: 2}}}}}),
		{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: &p4.ActionProfileMember{ActionProfileId: profile, MemberId: 1, Action: action}}},
		{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: &p4.ActionProfileGroup{ActionProfileId: profile, GroupId: 1,
			Members: []*p4.ActionProfileGroup_Member{{MemberId: 1, Weight: 1, WatchKind: &p4.ActionProfileGroup_Member_WatchPort{WatchPort: []byte{1}}}}}}},
		route(16, &p4.TableAction{Type: &p4.TableAction_ActionProfileGroupId{ActionProfileGroupId: 1}}),
		{Entity: &p4.Entity_MeterEntry{MeterEntry: &p4.MeterEntry{MeterId: info.GetMeters()[0].GetPreamble().GetId(), Config: config}}},
		{Entity: &p4.Entity_DirectMeterEntry{DirectMeterEntry: &p4.DirectMeterEntry{
			TableEntry: &p4.TableEntry{TableId: info.GetTables()[3].GetPreamble().GetId()}, Config: config}}},
		{Entity: &p4.Entity_ValueSetEntry{ValueSetEntry: &p4.ValueSetEntry{ValueSetId: info.GetValueSets()[0].GetPreamble().GetId(),
			Members: []*p4.ValueSetMember{{Match: []*p4.FieldMatch{
				{FieldId: 1, FieldMatchType: &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: []byte{1}}}}}}}}}},
	}
}

// namesSeeds are updates of entities that testdata/names.p4 has.
func namesSeeds(info *p4config.P4Info) []*p4.Entity {
	table := info.GetTables()[0]
	return []*p4.Entity{{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{
		TableId: table.GetPreamble().GetId(),
		Match:   []*p4.FieldMatch{{FieldId: 1, FieldMatchType: &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: []byte("eth0")}}}},
		Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: &p4.Action{
			ActionId: table.GetActionRefs()[0].GetId(), Params: []*p4.Action_Param{{ParamId: 1, Value: []byte("blue")}}}}},
	}}}}
}

// FuzzWrite writes, reads back and carries over whatever a client may send: no panic, what was
// accepted can be read and reconciled, and batches that are all or nothing are so.
func FuzzWrite(f *testing.F) {
	for i, name := range fuzzPrograms {
		_, config := fuzzServer(f, name)
		all := &p4.WriteRequest{}
		for _, e := range seedsOf[name](config.GetP4Info()) {
			for _, op := range []p4.Update_Type{p4.Update_INSERT, p4.Update_MODIFY, p4.Update_DELETE} {
				u := &p4.Update{Type: op, Entity: e}
				if op != p4.Update_DELETE {
					all.Updates = append(all.Updates, u)
				}
				addSeed(f, uint8(i), &p4.WriteRequest{Updates: []*p4.Update{u}})
			}
		}
		addSeed(f, uint8(i), all)
		all.Updates = append(all.Updates, all.Updates[0]) // which fails the second time
		for _, all.Atomicity = range []p4.WriteRequest_Atomicity{p4.WriteRequest_ROLLBACK_ON_ERROR, p4.WriteRequest_DATAPLANE_ATOMIC} {
			addSeed(f, uint8(i), all)
		}
	}
	f.Fuzz(func(t *testing.T, program uint8, b []byte) {
		req := &p4.WriteRequest{}
		if proto.Unmarshal(b, req) != nil {
			return
		}
		s, config := fuzzServer(t, fuzzPrograms[int(program)%len(fuzzPrograms)])
		req.DeviceId, req.Role, req.ElectionId = 0, "", &p4.Uint128{Low: 1}
		before := dump(t, s)
		if _, err := s.Write(t.Context(), req); err != nil && req.GetAtomicity() != p4.WriteRequest_CONTINUE_ON_ERROR {
			if after := dump(t, s); !bytes.Equal(before, after) {
				t.Errorf("%v failed with %v, and changed\n%q to\n%q", req, err, before, after)
			}
		}
		read := &p4.ReadRequest{}
		for _, u := range req.GetUpdates() {
			read.Entities = append(read.Entities, u.GetEntity())
		}
		_ = s.Read(read, deaf{})
		config.P4DeviceConfig = append(config.P4DeviceConfig, '\n') // another program
		push(t, s, p4.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT, config)
	})
}

// everything asks for all that can be read.
var everything = []*p4.Entity{
	{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{CounterData: &p4.CounterData{}, MeterConfig: &p4.MeterConfig{}, MeterCounterData: &p4.MeterCounterData{}}}},
	{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{IsDefaultAction: true, CounterData: &p4.CounterData{}, MeterConfig: &p4.MeterConfig{}}}},
	{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: &p4.ActionProfileMember{}}},
	{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: &p4.ActionProfileGroup{}}},
	{Entity: &p4.Entity_CounterEntry{CounterEntry: &p4.CounterEntry{}}},
	{Entity: &p4.Entity_MeterEntry{MeterEntry: &p4.MeterEntry{CounterData: &p4.MeterCounterData{}}}},
	{Entity: &p4.Entity_RegisterEntry{RegisterEntry: &p4.RegisterEntry{}}},
	{Entity: &p4.Entity_ValueSetEntry{ValueSetEntry: &p4.ValueSetEntry{}}},
	{Entity: &p4.Entity_DigestEntry{DigestEntry: &p4.DigestEntry{}}},
	{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: &p4.PacketReplicationEngineEntry{
		Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: &p4.MulticastGroupEntry{}}}}},
	{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: &p4.PacketReplicationEngineEntry{
		Type: &p4.PacketReplicationEngineEntry_CloneSessionEntry{CloneSessionEntry: &p4.CloneSessionEntry{}}}}},
}

// dump is all that can be read of a server.
func dump(t *testing.T, s *Server) []byte {
	t.Helper()
	var all entityList
	for _, e := range everything {
		if err := s.read(s.current, e, &all); err != nil {
			t.Fatal(err)
		}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&p4.ReadResponse{Entities: all})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzRead reads whatever a client may ask of a server with some of everything: no panic, and
// no memory kept.
func FuzzRead(f *testing.F) {
	var servers []*Server
	for i, name := range fuzzPrograms {
		s, config := fuzzServer(f, name)
		for _, e := range seedsOf[name](config.GetP4Info()) {
			for _, op := range []p4.Update_Type{p4.Update_INSERT, p4.Update_MODIFY} {
				_, _ = s.Write(f.Context(), &p4.WriteRequest{ElectionId: &p4.Uint128{Low: 1}, Updates: []*p4.Update{{Type: op, Entity: e}}})
			}
			addSeed(f, uint8(i), &p4.ReadRequest{Entities: []*p4.Entity{e}})
		}
		addSeed(f, uint8(i), &p4.ReadRequest{Entities: everything})
		servers = append(servers, s)
	}
	f.Fuzz(func(t *testing.T, program uint8, b []byte) {
		req := &p4.ReadRequest{}
		if proto.Unmarshal(b, req) != nil {
			return
		}
		s := servers[int(program)%len(servers)]
		req.DeviceId, req.Role = 0, ""
		_ = s.Read(req, deaf{})
		if s.answers.used != 0 {
			t.Errorf("%v leaves %d bytes", req, s.answers.used)
		}
	})
}

// seedsOf are the seeds of each program.
var seedsOf = map[string]func(*p4config.P4Info) []*p4.Entity{"bridge": bridgeSeeds, "gateway": gatewaySeeds, "names": namesSeeds}

// fuzzPrograms are the programs of testdata that are written to.
var fuzzPrograms = []string{"bridge", "gateway", "names"}

func addSeed(f *testing.F, program uint8, m proto.Message) {
	f.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(program, b)
}

// FuzzRoleConfig reads whatever a client may call a role's configuration: no panic.
func FuzzRoleConfig(f *testing.F) {
	f.Add([]byte{0x0a, 2, 7, 8, 0x10, 9, 0x1a, 5, 8, 1, 0x12, 1, 2, 0x20, 1, 0x28, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := newRoleConfig(&anypb.Any{TypeUrl: roleConfigURL, Value: b})
		if err != nil {
			return
		}
		c.takes(&p4.PacketIn{Metadata: []*p4.PacketMetadata{{MetadataId: 1, Value: []byte{2}}}})
		if _, ok := c.collides(c); ok != (len(c.exclusive) > 0) {
			t.Errorf("%x: exclusive ids %v, and it collides with its like: %t", b, c.exclusive, ok)
		}
	})
}

// FuzzPipeline binds whatever P4Info a client may send to a program: no panic.
func FuzzPipeline(f *testing.F) {
	var servers []*Server
	for i, name := range fuzzPrograms {
		s, config := fuzzServer(f, name)
		servers = append(servers, s)
		addSeed(f, uint8(i), config.GetP4Info())
	}
	f.Fuzz(func(t *testing.T, program uint8, b []byte) {
		s, info := servers[int(program)%len(servers)], &p4config.P4Info{}
		if proto.Unmarshal(b, info) != nil {
			return
		}
		sc, err := bind(info, s.current.sw)
		if err != nil {
			return
		}
		p := newPipeline(nil, sc, s.current.sw, s.deps.Dataplane.HasPort)
		for _, e := range []*p4.Entity{
			{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{}}},
			{Entity: &p4.Entity_RegisterEntry{RegisterEntry: &p4.RegisterEntry{}}},
			{Entity: &p4.Entity_MeterEntry{MeterEntry: &p4.MeterEntry{}}},
			{Entity: &p4.Entity_ValueSetEntry{ValueSetEntry: &p4.ValueSetEntry{}}},
			{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: &p4.ActionProfileMember{}}},
		} {
			if err := s.read(p, e, &entityList{}); err != nil {
				t.Error(err)
			}
		}
		sc.packetIn.unpack(make([]byte, maxHeader))
	})
}
