// Fabriclab runs the lab, its checks, and the programs inside it: see package lab.
package main

import (
	"os"

	"github.com/fabricscope/fabricscope/bmv2-lab/lab"
)

func main() { os.Exit(lab.Main(os.Args[1:], os.Stdout, os.Stderr)) }
