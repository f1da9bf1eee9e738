package lab

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// Users of the daemon.
const (
	operator   = "operator"   // sees everything
	shopKeeper = "shopkeeper" // sees the namespace of the shop in blue
)

// daemonAccess is who may ask the daemon.
type daemonAccess struct {
	UsersFile string         `yaml:"users-file"`
	AuditFile string         `yaml:"audit-file"`
	Readers   []daemonReader `yaml:"readers"`
}

type daemonReader struct {
	Name       string   `yaml:"name"`
	Users      []string `yaml:"users"`
	Clusters   []string `yaml:"clusters,omitempty"`
	Namespaces []string `yaml:"namespaces,omitempty"`
}

func passwordFile(directory, user string) string { return filepath.Join(directory, user+".password") }

// writeLogins gives the users passwords, unless they have some, and says what they see. blue is the name of that cluster.
func writeLogins(directory, blue string) (daemonAccess, error) {
	a := daemonAccess{UsersFile: filepath.Join(directory, "users"), AuditFile: filepath.Join(directory, "log", "audit.jsonl"), Readers: []daemonReader{
		{Name: "operators", Users: []string{operator}},
		{Name: "shop of blue", Users: []string{shopKeeper}, Clusters: []string{blue}, Namespaces: []string{workload.Namespace}},
	}}
	if _, err := os.Stat(a.UsersFile); !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	var lines []byte
	for _, user := range []string{operator, shopKeeper} {
		password := rand.Text()
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
		if err != nil {
			return a, fmt.Errorf("the password of %s: %w", user, err)
		}
		if err := os.WriteFile(passwordFile(directory, user), []byte(password+"\n"), 0o600); err != nil {
			return a, err
		}
		lines = fmt.Appendf(lines, "%s:%s\n", user, hash)
	}
	return a, os.WriteFile(a.UsersFile, lines, 0o600)
}

// dial connects gnmic's library to the daemon as the operator.
func (l *Lab) dial() (*check.GNMI, error) {
	password, err := os.ReadFile(passwordFile(l.Config.Directory, operator))
	if err != nil {
		return nil, err
	}
	return check.Dial(l.ctx, GNMIAddress, filepath.Join(l.Config.Directory, "state", "gnmi.crt"), operator, strings.TrimSpace(string(password)))
}
