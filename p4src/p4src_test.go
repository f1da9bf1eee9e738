package p4src_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"

	"github.com/fabricscope/fabricscope/p4src"
)

// gen/sources.sha256 is what sha256sum printed of the sources that gen was compiled from.
func TestGeneratedFilesAreOfTheseSources(t *testing.T) {
	sums, err := os.ReadFile("gen/sources.sha256")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(sums)); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			t.Fatalf("gen/sources.sha256: %q is not a line of sha256sum", lines.Text())
		}
		recorded[name] = sum
	}
	sources, err := filepath.Glob("*.p4")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); got != recorded[name] {
			t.Errorf("%s changed since gen was compiled: run `make p4`", name)
		}
		delete(recorded, name)
	}
	for name := range recorded {
		t.Errorf("%s went since gen was compiled: run `make p4`", name)
	}
}

func info(t *testing.T) *p4config.P4Info {
	t.Helper()
	i, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestNamesAreThoseOfP4Info(t *testing.T) {
	i := info(t)
	have := map[string]bool{}
	for _, table := range i.Tables {
		have[table.Preamble.Name] = true
		for _, f := range table.MatchFields {
			have[f.Name] = true
		}
	}
	for _, a := range i.Actions {
		have[a.Preamble.Name] = true
		for _, p := range a.Params {
			have[p.Name] = true
		}
	}
	for _, c := range i.Counters {
		have[c.Preamble.Name] = true
	}
	for _, d := range i.Digests {
		have[d.Preamble.Name] = true
	}
	for _, h := range i.ControllerPacketMetadata {
		have[h.Preamble.Name] = true
		for _, m := range h.Metadata {
			have[m.Name] = true
		}
	}
	for _, name := range []string{
		p4src.TableTunnelPort, p4src.TableMyMAC, p4src.TableIPv4Route, p4src.TableECMPMember, p4src.TableNexthop,
		p4src.ActionVXLAN, p4src.ActionGeneve, p4src.ActionRoutePacket, p4src.ActionSetNexthop, p4src.ActionSetGroup,
		p4src.ActionPunt, p4src.ActionDiscard, p4src.ActionForward,
		p4src.FieldUDPDstPort, p4src.FieldEthernetDst, p4src.FieldIPv4Dst, p4src.FieldGroup, p4src.FieldIndex, p4src.FieldNexthop,
		p4src.ParamNexthop, p4src.ParamGroup, p4src.ParamSize, p4src.ParamReason, p4src.ParamPort, p4src.ParamSrcMAC, p4src.ParamDstMAC,
		p4src.CounterPort, p4src.CounterClass, p4src.CounterExpired, p4src.DigestFlow,
		p4src.PacketIn, p4src.PacketInReason, p4src.PacketInIngressPort, p4src.PacketInTimestamp,
		p4src.PacketOut, p4src.PacketOutOp, p4src.PacketOutEgressPort, p4src.PacketOutSlot, p4src.PacketOutIdle,
		p4src.PacketOutClock, p4src.PacketOutIncarnation, p4src.PacketOutGeneration, p4src.PacketOutPackets,
	} {
		if !have[name] {
			t.Errorf("P4Info has no %q", name)
		}
	}
}

func TestSizesAreThoseOfTheProgram(t *testing.T) {
	for _, c := range info(t).Counters {
		if c.Preamble.Name == p4src.CounterClass && c.Size != 512*p4src.ClassesPerPort {
			t.Errorf("%s has %d entries, want %d", c.Preamble.Name, c.Size, 512*p4src.ClassesPerPort)
		}
	}
	var program struct {
		RegisterArrays []struct {
			Name string
			Size int
		} `json:"register_arrays"`
		Enums []struct {
			Name    string
			Entries [][2]any
		}
	}
	if err := json.Unmarshal(p4src.DeviceConfig(), &program); err != nil {
		t.Fatal(err)
	}
	if len(program.RegisterArrays) == 0 {
		t.Fatal("no registers in the compiled program")
	}
	for _, r := range program.RegisterArrays {
		if name := strings.TrimPrefix(r.Name, "FabricscopeIngress.flow_cache."); name == "clock_offset" || name == "incarnation" {
			continue // one for all flows
		}
		if strings.Contains(r.Name, "flow_cache") && r.Size != p4src.FlowSlots {
			t.Errorf("register %s has %d cells, want FlowSlots = %d", r.Name, r.Size, p4src.FlowSlots)
		}
	}
}

// The Go constants are compared with the text of enums.p4, where the compiler leaves no trace.
func TestNumbersAreThoseOfEnums(t *testing.T) {
	text, err := os.ReadFile("enums.p4")
	if err != nil {
		t.Fatal(err)
	}
	enums := map[string]map[string]int{}
	var enum string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "//")
		fields := strings.Fields(strings.TrimRight(strings.TrimSpace(line), ",;"))
		switch {
		case len(fields) >= 3 && fields[0] == "enum":
			enum = fields[2]
			enums[enum] = map[string]int{}
		case len(fields) == 3 && fields[1] == "=" && enum != "":
			n, err := strconv.Atoi(fields[2])
			if err != nil {
				t.Fatalf("enums.p4: %q: %v", lines.Text(), err)
			}
			enums[enum][fields[0]] = n
		case len(fields) == 5 && fields[0] == "const" && fields[2] == "CPU_PORT":
			if fields[4] != strconv.Itoa(p4src.CPUPort) {
				t.Errorf("CPU_PORT is %s, want %d", fields[4], p4src.CPUPort)
			}
		}
	}
	for _, c := range []struct {
		enum, name string
		want       int
	}{
		{"Class", "FLOW", int(p4src.ClassFlow)}, {"Class", "FRAGMENT", int(p4src.ClassFragment)},
		{"Class", "MALFORMED", int(p4src.ClassMalformed)}, {"Class", "LLDP", int(p4src.ClassLLDP)},
		{"Class", "OTHER", int(p4src.ClassOther)},
		{"Encapsulation", "NATIVE", int(p4src.EncapsulationNative)}, {"Encapsulation", "VXLAN", int(p4src.EncapsulationVXLAN)},
		{"Encapsulation", "GENEVE", int(p4src.EncapsulationGeneve)}, {"Encapsulation", "IPIP", int(p4src.EncapsulationIPIP)},
		{"Encapsulation", "GRE", int(p4src.EncapsulationGRE)},
		{"PuntReason", "LLDP", int(p4src.PuntLLDP)}, {"PuntReason", "ARP", int(p4src.PuntARP)},
		{"PuntReason", "GLEAN", int(p4src.PuntGlean)}, {"PuntReason", "GATEWAY", int(p4src.PuntGateway)},
		{"PuntReason", "SLOT", int(p4src.PuntSlot)}, {"PuntReason", "EXPIRED", int(p4src.PuntExpired)},
		{"PacketOutOp", "SEND", int(p4src.OpSend)}, {"PacketOutOp", "READ", int(p4src.OpRead)},
		{"PacketOutOp", "EVICT_IF_IDLE", int(p4src.OpEvictIfIdle)}, {"PacketOutOp", "SET_CLOCK", int(p4src.OpSetClock)},
		{"PacketOutOp", "SET_INCARNATION", int(p4src.OpSetIncarnation)},
	} {
		if got, ok := enums[c.enum][c.name]; !ok || got != c.want {
			t.Errorf("%s.%s is %d (found: %t), want %d", c.enum, c.name, got, ok, c.want)
		}
	}
}

func TestWithFlowSlots(t *testing.T) {
	device, i, err := p4src.WithFlowSlots(64)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(device, []byte("0x00002000")) {
		t.Error("there is still a constant of the size that the program was compiled with")
	}
	for _, r := range i.Registers {
		if strings.Contains(r.Preamble.Name, ".flow_cache.") && r.Size != 64 && r.Size != 1 {
			t.Errorf("register %s has %d cells, want 64", r.Preamble.Name, r.Size)
		}
	}
	if constants := bytes.Count(device, []byte(`"0x00000020"`)); constants < 4 {
		t.Errorf("%d constants of 32 slots a way, want the two hashes' and where the second way begins", constants)
	}
	if device, _, err := p4src.WithFlowSlots(p4src.FlowSlots); err != nil || !bytes.Equal(device, p4src.DeviceConfig()) {
		t.Errorf("of the compiled size it is not the compiled program: %v", err)
	}
	for _, slots := range []int{0, 1, 63, 2 * p4src.FlowSlots} {
		if _, _, err := p4src.WithFlowSlots(slots); err == nil {
			t.Errorf("no error for %d slots", slots)
		}
	}
}
