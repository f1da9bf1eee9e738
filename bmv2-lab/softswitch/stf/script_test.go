package stf_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/app"
)

// update makes the scripts' golden output what the command writes now.
var update = flag.Bool("update", false, "rewrite the golden output of the scripts")

// TestMain lets the test binary be the command too.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"softswitch": func() { os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command as a P4 engineer does. Each script finds the programs of
// testdata in its directory.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			files, err := filepath.Glob(filepath.Join("testdata", "*.*"))
			if err != nil {
				return err
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, filepath.Base(f)), text, 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// exits is "exits STATUS COMMAND ARGS…": a command that must end with this exit status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND ARGS...")
	}
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	default:
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s: exit status %d, not %s", strings.Join(args[1:], " "), got, args[0])
	}
}
