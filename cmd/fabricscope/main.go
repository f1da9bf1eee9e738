// Command fabricscope asks a Fabricscope daemon and shows the answer.
package main

import (
	"os"

	"github.com/fabricscope/fabricscope/controlplane/cli"
)

func main() { os.Exit(cli.Main(cli.Process())) }
