package p4src

import (
	"encoding/json"
	"errors"
	"fmt"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
)

// flowCacheSource is the file that the flow cache's size is used in.
const flowCacheSource = "flow_cache.p4"

// WithFlowSlots gives the program with a flow cache of another size: slots in both ways together.
// It is what p4c makes with -DFLOW_SLOTS_PER_WAY of half as many, but for what it says of the
// sources; the size is in the registers, in the modulus of the two hashes, and in where the second
// way begins. Slots must be a power of two, from 2 to FlowSlots.
func WithFlowSlots(slots int) (device []byte, info *p4config.P4Info, err error) {
	if slots < 2 || slots > FlowSlots || slots&(slots-1) != 0 {
		return nil, nil, fmt.Errorf("a flow cache of %d slots: want a power of two, from 2 to %d", slots, FlowSlots)
	}
	if slots == FlowSlots { // the very bytes, by which a switch that has them is known
		info, err = P4Info()
		return DeviceConfig(), info, err
	}
	var program map[string]any
	if err := json.Unmarshal(deviceConfig, &program); err != nil {
		return nil, nil, fmt.Errorf("embedded program: %w", err)
	}
	registers, _ := program["register_arrays"].([]any)
	for _, r := range registers {
		if r, ok := r.(map[string]any); ok && r["size"] == float64(FlowSlots) {
			r["size"] = slots
		}
	}
	changed := 0
	actions, _ := program["actions"].([]any)
	for _, a := range actions {
		primitives, _ := a.(map[string]any)["primitives"].([]any)
		for _, p := range primitives {
			if p, ok := p.(map[string]any); ok && source(p) == flowCacheSource {
				changed += replaceConstant(p["parameters"], FlowSlots/2, slots/2)
			}
		}
	}
	if changed == 0 {
		return nil, nil, errors.New("embedded program: the flow cache's size is nowhere in its actions")
	}
	if device, err = json.Marshal(program); err != nil {
		return nil, nil, err
	}
	if info, err = P4Info(); err != nil {
		return nil, nil, err
	}
	for _, r := range info.GetRegisters() {
		if r.Size == FlowSlots {
			r.Size = int32(slots)
		}
	}
	return device, info, nil
}

// source is the file that a primitive was compiled from.
func source(primitive map[string]any) string {
	info, _ := primitive["source_info"].(map[string]any)
	name, _ := info["filename"].(string)
	return name
}

// replaceConstant gives constants another value, and says how many there were.
func replaceConstant(node any, from, to int) (n int) {
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			n += replaceConstant(v, from, to)
		}
	case map[string]any:
		if node["type"] == "hexstr" && node["value"] == fmt.Sprintf("0x%08x", from) {
			node["value"] = fmt.Sprintf("0x%08x", to)
			return 1
		}
		for _, v := range node {
			n += replaceConstant(v, from, to)
		}
	}
	return n
}
