package p4rtserver

import (
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
func (d *still) PacketOut([]byte) error { return nil }
func (d *still) Micros() uint64         { return 0 }

// deaf is a Read's stream that nobody reads.
type deaf struct{ p4.P4Runtime_ReadServer }

func (deaf) Send(*p4.ReadResponse) error { return nil }

func fuzzServer(t testing.TB) (*Server, *p4.ForwardingPipelineConfig) {
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
	text, err := os.ReadFile("testdata/bridge.p4info.txtpb")
	if err != nil {
		t.Fatal(err)
	}
	if err := prototext.Unmarshal(text, config.P4Info); err != nil {
		t.Fatal(err)
	}
	if config.P4DeviceConfig, err = os.ReadFile("testdata/bridge.json"); err != nil {
		t.Fatal(err)
	}
	c := newClient(10, s.metrics)
	if err := s.arbiter.update(c, &p4.MasterArbitrationUpdate{ElectionId: &p4.Uint128{Low: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.setPipeline(t.Context(), p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT, config); err != nil {
		t.Fatal(err)
	}
	return s, config
}

// FuzzUpdate writes, reads back and carries over whatever a client may send: no panic, and
// what was accepted can be read and reconciled.
func FuzzUpdate(f *testing.F) {
	_, config := fuzzServer(f)
	table := config.GetP4Info().GetTables()[1]
	seeds := []*p4.Update{
		{Type: p4.Update_INSERT, Entity: &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{
			TableId: table.GetPreamble().GetId(), Priority: 1,
			Match: []*p4.FieldMatch{
				{FieldId: 1, FieldMatchType: &p4.FieldMatch_Ternary_{Ternary: &p4.FieldMatch_Ternary{Value: []byte{1}, Mask: []byte{1}}}},
				{FieldId: 2, FieldMatchType: &p4.FieldMatch_Range_{Range: &p4.FieldMatch_Range{Low: []byte{1}, High: []byte{2}}}},
			},
			Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: &p4.Action{ActionId: table.GetActionRefs()[0].GetId()}}},
		}}}},
		{Type: p4.Update_MODIFY, Entity: &p4.Entity{Entity: &p4.Entity_RegisterEntry{RegisterEntry: &p4.RegisterEntry{
			RegisterId: config.GetP4Info().GetRegisters()[0].GetPreamble().GetId(),
			Data:       &p4.P4Data{Data: &p4.P4Data_Bitstring{Bitstring: []byte{1}}}}}}},
		{Type: p4.Update_INSERT, Entity: &p4.Entity{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: &p4.PacketReplicationEngineEntry{
			Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: &p4.MulticastGroupEntry{
				MulticastGroupId: 1, Replicas: []*p4.Replica{{PortKind: &p4.Replica_Port{Port: []byte{1}}}}}}}}}},
		{Type: p4.Update_INSERT, Entity: &p4.Entity{Entity: &p4.Entity_DigestEntry{DigestEntry: &p4.DigestEntry{
			DigestId: config.GetP4Info().GetDigests()[0].GetPreamble().GetId(), Config: &p4.DigestEntry_Config{MaxListSize: 1}}}}},
	}
	for _, u := range seeds {
		b, err := proto.Marshal(u)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u := &p4.Update{}
		if proto.Unmarshal(b, u) != nil {
			return
		}
		s, config := fuzzServer(t)
		_, err := s.Write(t.Context(), &p4.WriteRequest{ElectionId: &p4.Uint128{Low: 1}, Updates: []*p4.Update{u}})
		_ = s.Read(&p4.ReadRequest{Entities: []*p4.Entity{u.GetEntity()}}, deaf{})
		if err != nil {
			return
		}
		config.P4DeviceConfig = append(config.P4DeviceConfig, '\n') // another program
		if err := s.setPipeline(t.Context(), p4.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT, config); err != nil {
			t.Errorf("%v was accepted and cannot be carried over: %v", u, err)
		}
	})
}

// FuzzPipeline binds whatever P4Info a client may send to a program: no panic.
func FuzzPipeline(f *testing.F) {
	s, config := fuzzServer(f)
	b, err := proto.Marshal(config.GetP4Info())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		info := &p4config.P4Info{}
		if proto.Unmarshal(b, info) != nil {
			return
		}
		sc, err := bind(info, s.current.sw)
		if err != nil {
			return
		}
		p := newPipeline(nil, sc, s.current.sw)
		if err := p.readTable(0, &p4.TableEntry{}, &entities{}); err != nil {
			t.Error(err)
		}
		if err := p.readRegister(&p4.RegisterEntry{}, &entities{}); err != nil {
			t.Error(err)
		}
		sc.packetIn.unpack(make([]byte, maxHeader))
	})
}
