// Package bmjson decodes and validates BMv2's JSON format, version 2.24.
//
// Decode is strict: an attribute that it does not know, a reference to nothing, or a
// construct that BMv2's v1model target does not have is an error that names its place, like
//
//	pipelines[0].tables[3].key[1].match_type: "foo" is not supported
//
// What it returns is consistent: every name and id in it refers to something that exists.
package bmjson
