package engine

import "testing"

const ourProgram = "../../../p4src/gen/fabricscope.json"

func TestOurProgramLoads(t *testing.T) {
	sw := load(t, ourProgram)
	var out recorder
	sw.Process(1, 1, make([]byte, 60), &out)
	if len(sw.Tables()) == 0 || len(sw.Registers()) == 0 || len(sw.Counters()) == 0 {
		t.Error("tables, registers or counters are missing")
	}
}
