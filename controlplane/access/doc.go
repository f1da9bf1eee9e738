// Package access decides who may call the daemon's gRPC port: by certificates, passwords and a policy,
// which are read again when their files change; what each caller sees; and what is written down of it. docs/SECURITY.md describes it to operators.
package access
