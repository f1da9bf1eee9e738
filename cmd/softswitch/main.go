// Command softswitch is a P4 switch that runs what p4c compiles for BMv2.
package main

import (
	"os"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/app"
)

func main() { os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr)) }
