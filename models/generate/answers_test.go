package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/openconfig/gnmic/pkg/api"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// xsdPatterns makes the patterns of openconfig-inet-types those of YANG. The revision at hand writes POSIX ones, as its
// regexp-posix says, and yanglint would look for their anchors in the values.
func xsdPatterns(module []byte) []byte {
	module = regexp.MustCompile(`'\^`).ReplaceAll(module, []byte(`'`))
	return bytes.ReplaceAll(module, []byte(`$'`), []byte(`'`))
}

// TestAnswersAreDataOfTheModels gives yanglint all that a server tells of each target, in JSON_IETF, as an instance of
// the modules.
func TestAnswersAreDataOfTheModels(t *testing.T) {
	modules, err := readModules("../..")
	if err != nil {
		t.Fatal(err)
	}
	const inetTypes = "openconfig-inet-types.yang"
	modules[inetTypes] = xsdPatterns(modules[inetTypes])
	dir := t.TempDir()
	if err := writeFiles(dir, modules); err != nil {
		t.Fatal(err)
	}
	lab := gnmitest.Start(t, shop.Facts())
	client, err := api.NewTarget(api.Name("lab"), api.Address(lab.Address), api.TLSCA(lab.CA), api.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CreateGNMIClient(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	for target, test := range map[string]struct {
		kind  string   // of yanglint's data
		files []string // the modules with data
	}{
		"fabric": {"data", []string{"fabricscope-kubernetes.yang", "fabricscope-fabric.yang", "fabricscope-flows.yang", "fabricscope-diagnosis.yang"}},
		// The keys of interfaces refer to their configuration, which is not there: yanglint checks references in whole data only.
		"leaf1": {"get", []string{"openconfig-interfaces.yang", "fabricscope-interfaces.yang", "iana-if-type.yang"}},
	} {
		t.Run(target, func(t *testing.T) {
			req, err := api.NewGetRequest(api.EncodingJSON_IETF(), api.Target(target), api.Path("/"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			resp, err := client.Get(ctx, req)
			if err != nil {
				t.Fatal(err)
			}
			document := resp.GetNotification()[0].GetUpdate()[0].GetVal().GetJsonIetfVal()
			valid := func(document []byte) ([]byte, error) {
				file := filepath.Join(t.TempDir(), "answer.json")
				if err := os.WriteFile(file, document, 0o600); err != nil {
					t.Fatal(err)
				}
				args := []string{"-p", dir, "-t", test.kind}
				for _, name := range test.files {
					args = append(args, filepath.Join(dir, name))
				}
				return exec.Command("yanglint", append(args, file)...).CombinedOutput()
			}
			if out, err := valid(document); err != nil {
				t.Errorf("%v (yanglint is in the Debian package libyang2-tools)\n%s", err, out)
			}
			// It would have said so: a name that no module has is an error.
			broken := slices.Concat([]byte(`{"fabricscope-fabric:colour":1,`), document[1:])
			if out, err := valid(broken); err == nil {
				t.Errorf("yanglint takes anything:\n%s", out)
			}
		})
	}
}
