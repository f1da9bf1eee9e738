package main

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openconfig/ygot/genutil"
	"github.com/openconfig/ygot/gogen"
	"github.com/openconfig/ygot/ygen"
)

// generator stands in the generated files as what made them.
const generator = "go run ./models/generate"

// roots are the modules that code is made for; the others are imported by them.
func roots() []string {
	return []string{
		"fabricscope-fabric.yang",
		"fabricscope-diagnosis.yang",
		"fabricscope-flows.yang",
		"fabricscope-interfaces.yang",
		"fabricscope-kubernetes.yang",
		"iana-if-type.yang",
		"openconfig-interfaces.yang",
	}
}

// generate makes the Go files of the package models, by name, from the text of all YANG
// modules, by file name.
func generate(modules map[string][]byte) (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "models-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the YANG modules: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := writeFiles(dir, modules); err != nil {
		return nil, err
	}
	var inputs []string
	for _, name := range roots() {
		inputs = append(inputs, filepath.Join(dir, name))
	}
	code, errs := gogen.New(generator, irOptions(), goOptions()).Generate(inputs, []string{dir})
	if errs != nil {
		return nil, fmt.Errorf("generate: %w", errs)
	}
	// The header names the files it was made from: the directory of this run is left out.
	code.CommonHeader = strings.ReplaceAll(code.CommonHeader, dir+string(filepath.Separator), "")
	code.CommonHeader = strings.ReplaceAll(code.CommonHeader, dir, "models/yang and the YANG modules in github.com/openconfig/ygot")
	files, err := split(code)
	if err != nil {
		return nil, err
	}
	files[schemaFile], err = generateSchema(dir)
	return files, err
}

func irOptions() ygen.IROptions {
	return ygen.IROptions{
		ParseOptions: ygen.ParseOpts{ExcludeModules: []string{"ietf-interfaces"}},
		TransformationOptions: ygen.TransformationOpts{
			CompressBehaviour:                    genutil.PreferOperationalState,
			GenerateFakeRoot:                     true,
			FakeRootName:                         "root",
			ShortenEnumLeafNames:                 true,
			UseDefiningModuleForTypedefEnumNames: true,
			EnumerationsUseUnderscores:           true,
			EnumOrgPrefixesToTrim:                []string{"fabricscope", "openconfig"},
		},
	}
}

func goOptions() gogen.GoOpts {
	return gogen.GoOpts{
		PackageName:                         "models",
		GenerateJSONSchema:                  true,
		GenerateSimpleUnions:                true,
		IncludeModelData:                    true,
		IgnoreShadowSchemaPaths:             true,
		AppendEnumSuffixForSimpleUnionEnums: true,
	}
}

// split lays the generated code out in files and formats it.
func split(code *gogen.GeneratedCode) (map[string][]byte, error) {
	var structs strings.Builder
	structs.WriteString(code.OneOffHeader)
	for _, s := range code.Structs {
		structs.WriteString(s.String())
		structs.WriteString("\n")
	}
	parts := map[string]string{
		"structs.go": structs.String(),
		"enums.go":   strings.Join(code.Enums, "\n") + code.EnumMap + code.EnumTypeMap,
		"schema.go":  code.JSONSchemaCode,
	}
	// Only the file with the structs uses what the header imports.
	header := code.CommonHeader[:strings.Index(code.CommonHeader, "\nimport (")]
	clause := header[strings.LastIndex(header, "package "):]
	note := header[:strings.IndexByte(header, '\n')]
	imports := map[string][]string{
		"enums.go":  {"reflect", "github.com/openconfig/ygot/ygot"},
		"schema.go": nil,
	}
	files := map[string][]byte{}
	for name, part := range parts {
		text := code.CommonHeader + part
		if name != "structs.go" {
			text = note + "\n\n" + clause + "\n" + importClause(part, imports[name]) + part
		}
		formatted, err := format.Source([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("format %s: %w", name, err)
		}
		files[name] = formatted
	}
	return files, nil
}

// importClause imports those packages whose names occur in text.
func importClause(text string, paths []string) string {
	used := slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		return !strings.Contains(text, p[strings.LastIndexByte(p, '/')+1:]+".")
	})
	if len(used) == 0 {
		return ""
	}
	return "\nimport (\n\t\"" + strings.Join(used, "\"\n\t\"") + "\"\n)\n"
}
