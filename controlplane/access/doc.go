// Package access decides who may call the daemon's gRPC port: by certificates, which are read again
// when their files change. docs/SECURITY.md describes it to operators.
package access
