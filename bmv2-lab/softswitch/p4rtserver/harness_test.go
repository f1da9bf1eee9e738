package p4rtserver_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/app"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	device  = 3
	cpuPort = 510
	patient = 10 * time.Second
)

// sent is a frame that left the switch.
type sent struct {
	port  uint32
	frame []byte
}

// bench is a switch with ports 1 to 4 in memory and a connection to it over loopback.
type bench struct {
	t    *testing.T
	sw   *app.Switch
	out  chan sent
	conn *grpc.ClientConn
	p4.P4RuntimeClient
	info   *p4config.P4Info
	config *p4.ForwardingPipelineConfig
}

func newBench(t *testing.T) *bench { return newBenchOf(t, "bridge") }

// newBenchOf is a bench whose primary runs a program of testdata.
func newBenchOf(t *testing.T, program string) *bench {
	t.Helper()
	b := &bench{t: t, out: make(chan sent, 10000)}
	b.config = pipelineOf(t, program)
	b.info = b.config.GetP4Info()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.DefaultConfig()
	cfg.DeviceID, cfg.CPUPort = device, cpuPort
	cfg.Ports = []ports.Port{{Number: 1}, {Number: 2}, {Number: 3}, {Number: 4}}
	b.sw, err = app.New(cfg, app.Deps{
		Log: slog.New(slog.DiscardHandler), Listener: l,
		Transmit: func(port uint32, frame []byte) {
			select {
			case b.out <- sent{port, bytes.Clone(frame)}:
			default:
				t.Error("too many frames")
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.sw.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	b.conn, err = grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.conn.Close() })
	b.P4RuntimeClient = p4.NewP4RuntimeClient(b.conn)
	return b
}

// pipelineOf is the pipeline of a program of testdata.
func pipelineOf(t *testing.T, name string) *p4.ForwardingPipelineConfig {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".p4info.txtpb")
	if err != nil {
		t.Fatal(err)
	}
	info := &p4config.P4Info{}
	if err := prototext.Unmarshal(text, info); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return &p4.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: program, Cookie: &p4.ForwardingPipelineConfig_Cookie{Cookie: 42}}
}

// id finds an object of the P4Info by its name or alias.
func (b *bench) id(name string) uint32 {
	b.t.Helper()
	var all []*p4config.Preamble
	for _, x := range b.info.GetTables() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetActions() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetCounters() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetRegisters() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetDigests() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetActionProfiles() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetMeters() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetValueSets() {
		all = append(all, x.GetPreamble())
	}
	for _, p := range all {
		if p.GetAlias() == name || p.GetName() == name || strings.HasSuffix(p.GetName(), "."+name) {
			return p.GetId()
		}
	}
	b.t.Fatalf("the P4Info has no %q", name)
	return 0
}

// act is a table action with parameters numbered from 1.
func (b *bench) act(name string, params ...[]byte) *p4.TableAction {
	a := &p4.Action{ActionId: b.id(name)}
	for i, v := range params {
		a.Params = append(a.Params, &p4.Action_Param{ParamId: uint32(i + 1), Value: v})
	}
	return &p4.TableAction{Type: &p4.TableAction_Action{Action: a}}
}

func exact(field uint32, value ...byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: field, FieldMatchType: &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: value}}}
}

// entry is an entry of a table with an exact match on its first field.
func (b *bench) entry(table string, key byte, a *p4.TableAction) *p4.TableEntry {
	return &p4.TableEntry{TableId: b.id(table), Match: []*p4.FieldMatch{exact(1, key)}, Action: a}
}

func tableEntity(e *p4.TableEntry) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: e}}
}

func insert(e *p4.Entity) *p4.Update   { return &p4.Update{Type: p4.Update_INSERT, Entity: e} }
func modify(e *p4.Entity) *p4.Update   { return &p4.Update{Type: p4.Update_MODIFY, Entity: e} }
func deleteOf(e *p4.Entity) *p4.Update { return &p4.Update{Type: p4.Update_DELETE, Entity: e} }
func (b *bench) dmac(dst byte, a *p4.TableAction) *p4.TableEntry {
	return b.entry("dmac", dst, a)
}

// frame is an Ethernet frame between addresses of which only the last byte is not zero.
func frame(dst, src byte, etherType uint16) []byte {
	f := make([]byte, 60)
	f[5], f[11], f[12], f[13] = dst, src, byte(etherType>>8), byte(etherType)
	return f
}

func (b *bench) inject(port uint32, f []byte) {
	b.t.Helper()
	if err := b.sw.Inject(port, f); err != nil {
		b.t.Fatal(err)
	}
}

// leaves expects the next frame to leave at a port.
func (b *bench) leaves(port uint32, f []byte) {
	b.t.Helper()
	if got := b.leaving(); got.port != port || !bytes.Equal(got.frame, f) {
		b.t.Fatalf("port %d sent %x, want port %d and %x", got.port, got.frame, port, f)
	}
}

// leaving is the next frame that leaves.
func (b *bench) leaving() sent {
	b.t.Helper()
	select {
	case got := <-b.out:
		return got
	case <-time.After(patient):
		b.t.Fatal("no frame left")
		return sent{}
	}
}

// until polls until ok.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patient); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not after %s: %s", patient, what)
		}
	}
}
