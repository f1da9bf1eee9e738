package conformance

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

//go:embed programs
var programs embed.FS

// Case is a program and a script that says how it has to behave.
type Case struct {
	Name    string
	Program *stf.Program
	Script  *stf.Script
	Config  *p4.ForwardingPipelineConfig
	// About is the program's first comment.
	About string
	// Queues is how many priority queues the switch's ports are to have. A script says so in its
	// first line, "# priority queues: N"; without it is 1.
	Queues uint64
}

const queuesComment = "# priority queues:"

// Names lists the cases.
func Names() ([]string, error) {
	scripts, err := fs.Glob(programs, "programs/*.stf")
	for i, s := range scripts {
		scripts[i] = strings.TrimSuffix(path.Base(s), ".stf")
	}
	return scripts, err
}

// Load reads a case.
func Load(name string) (Case, error) {
	c, err := load(name)
	if err != nil {
		return c, fmt.Errorf("case %s: %w", name, err)
	}
	return c, nil
}

func load(name string) (Case, error) {
	c := Case{Name: name}
	var err error
	files := map[string][]byte{}
	for _, suffix := range []string{".p4", ".json", ".p4info.txtpb", ".stf"} {
		if files[suffix], err = programs.ReadFile("programs/" + name + suffix); err != nil {
			return c, err
		}
	}
	first, _, _ := strings.Cut(string(files[".p4"]), "\n")
	c.About = strings.TrimPrefix(first, "// ")
	if c.Program, err = stf.NewProgram(files[".json"]); err != nil {
		return c, err
	}
	if err = c.Program.AddP4Info(files[".p4info.txtpb"]); err != nil {
		return c, err
	}
	c.Queues = 1
	if line, _, _ := strings.Cut(string(files[".stf"]), "\n"); strings.HasPrefix(line, queuesComment) {
		if c.Queues, err = strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(line, queuesComment)), 10, 32); err != nil {
			return c, err
		}
	}
	if c.Script, err = stf.Parse(c.Name+".stf", files[".stf"]); err != nil {
		return c, err
	}
	info := &p4config.P4Info{}
	if err = prototext.Unmarshal(files[".p4info.txtpb"], info); err != nil {
		return c, err
	}
	c.Config = &p4.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: files[".json"]}
	return c, nil
}
