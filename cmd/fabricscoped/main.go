// Fabricscoped is the daemon: see package app.
package main

import (
	"os"

	"github.com/fabricscope/fabricscope/controlplane/app"
)

func main() { os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr)) }
