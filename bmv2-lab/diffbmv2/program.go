package main

import (
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/prototext"
)

// program is what both switches run.
type program struct {
	name   string
	doc    *document
	consts []*big.Int
	config *p4.ForwardingPipelineConfig
}

// loadProgram reads a JSON file with the P4Info next to it, NAME.p4info.txtpb, or compiles a P4
// file with p4c-bm2-ss.
func loadProgram(file string) (*program, error) {
	stem := strings.TrimSuffix(strings.TrimSuffix(file, ".json"), ".p4")
	if strings.HasSuffix(file, ".p4") {
		dir, err := os.MkdirTemp("", "diffbmv2")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		stem = filepath.Join(dir, "program")
		cmd := exec.Command("p4c-bm2-ss", "--std", "p4-16", "--p4runtime-files", stem+".p4info.txtpb", "-o", stem+".json", file)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("p4c-bm2-ss %s: %w: %s", file, err, out)
		}
	}
	text, err := os.ReadFile(stem + ".json")
	if err != nil {
		return nil, err
	}
	infoText, err := os.ReadFile(stem + ".p4info.txtpb")
	if err != nil {
		return nil, err
	}
	info := &p4config.P4Info{}
	if err := prototext.Unmarshal(infoText, info); err != nil {
		return nil, fmt.Errorf("%s.p4info.txtpb: %w", stem, err)
	}
	p := &program{name: file, consts: constants(text)}
	if text, err = neutral(text); err != nil {
		return nil, err
	}
	if p.doc, err = parseDocument(text); err != nil {
		return nil, err
	}
	p.config = &p4.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: text}
	return p, nil
}
