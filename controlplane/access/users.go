package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// maxPassword is how many bytes of a password bcrypt takes; a longer one is none.
const maxPassword = 72

// users are those of a file as htpasswd -B writes it: a line NAME:HASH each.
type users struct {
	hashes  map[string][]byte
	nobody  []byte // hash that a name that is not there is compared with, to take as long
	key     []byte // of the sums in passed
	mu      sync.Mutex
	passed  map[string][]byte // guarded by mu; a keyed sum of the password that passed last, by name
	hashing chan struct{}     // bounds what bcrypt takes of the processors
}

func (g *Guard) parseUsers(contents [][]byte) (*users, error) {
	u := &users{hashes: map[string][]byte{}, passed: map[string][]byte{}, key: make([]byte, sha256.Size), hashing: make(chan struct{}, 2)}
	if _, err := rand.Read(u.key); err != nil {
		return nil, err
	}
	most := bcrypt.MinCost
	for i, line := range bytes.Split(contents[0], []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		name, hash, ok := strings.Cut(text, ":")
		cost, err := bcrypt.Cost([]byte(hash))
		switch {
		case !ok || name == "":
			return nil, fmt.Errorf("%s: line %d: not NAME:HASH", g.cfg.Users, i+1)
		case err != nil:
			return nil, fmt.Errorf("%s: line %d: user %s: not a bcrypt hash, as htpasswd -B makes it", g.cfg.Users, i+1, name)
		case u.hashes[name] != nil:
			return nil, fmt.Errorf("%s: line %d: user %s is there twice", g.cfg.Users, i+1, name)
		}
		u.hashes[name] = []byte(hash)
		most = max(most, cost)
	}
	if len(u.hashes) == 0 {
		return nil, fmt.Errorf("%s: no user", g.cfg.Users)
	}
	var err error
	u.nobody, err = bcrypt.GenerateFromPassword(u.key[:16], most)
	return u, err
}

// sum is what is remembered of a password that passed: calls are many, and bcrypt is slow on purpose.
func (u *users) sum(password string) []byte {
	h := hmac.New(sha256.New, u.key)
	h.Write([]byte(password))
	return h.Sum(nil)
}

// remembered says whether the password is the one that passed before.
func (u *users) remembered(name, password string) bool {
	sum := u.sum(password)
	u.mu.Lock()
	defer u.mu.Unlock()
	return hmac.Equal(u.passed[name], sum)
}

// check says whether the password is the user's.
func (u *users) check(name, password string) bool {
	u.hashing <- struct{}{}
	defer func() { <-u.hashing }()
	hash, known := u.hashes[name]
	if !known {
		hash = u.nobody
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !known || len(password) > maxPassword {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.passed[name] = u.sum(password)
	return true
}
