// Package gnmi shows the history over gNMI: the current state, every change of it as it
// happens, and any past moment. It is read-only, has no state of its own, and renders
// facts straight to the leaves of the YANG modules under models/yang; only what a request
// can match is rendered. Changes are read once and encoded once for all who asked for the same: see hub, group and
// member.
//
// The target fabric (or none) has the models of Fabricscope, and each switch is a target of
// its own with openconfig-interfaces. docs/formats/gnmi.md has the paths and the extensions.
package gnmi
