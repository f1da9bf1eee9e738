package stf

import (
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Program is a program that scripts can run against.
type Program struct {
	schema *schema
	engine *engine.Program
}

// NewProgram reads a JSON document of p4c-bm2-ss. An error names the place in it.
func NewProgram(doc []byte) (*Program, error) {
	decoded, err := bmjson.Decode(doc)
	if err != nil {
		return nil, err
	}
	compiled, err := engine.Compile(decoded)
	if err != nil {
		return nil, err
	}
	return &Program{newSchema(decoded), compiled}, nil
}

// AddP4Info gives scripts the names of a P4Info in text format besides those of the program.
// It is an error if the two are not of the same P4 program.
func (p *Program) AddP4Info(text []byte) error { return p.schema.addP4Info(text) }

// NewSwitch starts the engine as a target with nothing but the program.
func (p *Program) NewSwitch(opt engine.Options) Target {
	return &engineTarget{sw: engine.New(p.engine, opt)}
}
