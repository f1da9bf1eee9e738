// Package check holds what Fabricscope says against what others say of the same run: tshark
// of the captured frames, kubectl of the API, the topology file of the cabling, and gnmic's
// client library of what comes over gNMI.
package check
