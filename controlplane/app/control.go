package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// controlSocket is where the daemon takes commands, in the state directory: who may write there may give them.
func controlSocket(stateDir string) string { return filepath.Join(stateDir, "control.sock") }

// backupRequest is the body of POST /backup.
type backupRequest struct {
	Dir string `json:"dir"` // absolute
}

// serveControl takes commands until ctx ends.
func (d *Daemon) serveControl(ctx context.Context) error {
	socket := controlSocket(d.cfg.StateDir)
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) { // of a daemon that was killed: the history's lock is ours
		return fmt.Errorf("control: %w", err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return fmt.Errorf("control: %w", errors.Join(err, listener.Close()))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /backup", d.backup)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}

func (d *Daemon) backup(w http.ResponseWriter, r *http.Request) {
	var request backupRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || !filepath.IsAbs(request.Dir) {
		http.Error(w, "the body must be {\"dir\": \"/an/absolute/path\"}", http.StatusBadRequest)
		return
	}
	if err := backup(r.Context(), d.recorder, d.records, d.store, request.Dir); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// askForBackup tells the daemon of a state directory to back up. It is errNotRunning if there is none.
func askForBackup(ctx context.Context, stateDir, dir string) error {
	body, err := json.Marshal(backupRequest{dir})
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", controlSocket(stateDir))
	}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://daemon/backup", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return errNotRunning
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	said, err := io.ReadAll(response.Body)
	return errors.Join(errors.New(strings.TrimSpace(string(said))), err)
}
