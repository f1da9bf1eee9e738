package cli

import "context"

// login are the credentials of a user, sent with each call (gNMI authentication, section "Credentialed RPCs").
type login struct{ user, password string }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (l login) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"username": l.user, "password": l.password}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (login) RequireTransportSecurity() bool { return true }
