package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// Bounds of passwords and their hashes.
const (
	maxPassword = 72 // bytes that bcrypt takes; a longer password is none
	maxCost     = 14 // of a hash: about a second
	atOnce      = 2  // hashes in the making
	maxWaiting  = 64 // that wait for it
)

// errBusy is that too many passwords wait to be checked.
var errBusy = errors.New("too many logins at once")

// users are those of a file as htpasswd -B writes it: a line NAME:HASH each.
type users struct {
	hashes   map[string][]byte
	nobodies [][]byte // hashes of nobody, as many of each cost as users have; what names are compared with that are not there
	hashing  *hashing

	mu     sync.Mutex
	passed map[string][]byte // guarded by mu; a keyed sum of the password that passed last, by name
}

// hashing bounds what bcrypt takes of the processors, and has the key of sums. It outlives the users of a file.
type hashing struct {
	key     []byte
	running chan struct{}
	waiting chan struct{}
}

func newHashing() (*hashing, error) {
	h := &hashing{key: make([]byte, sha256.Size), running: make(chan struct{}, atOnce), waiting: make(chan struct{}, maxWaiting)}
	_, err := rand.Read(h.key)
	return h, err
}

// begin waits until a password can be checked, which takes about a second for each that waits; the caller calls done then.
func (h *hashing) begin() (done func(), err error) {
	select {
	case h.waiting <- struct{}{}:
	default:
		return nil, errBusy
	}
	h.running <- struct{}{}
	<-h.waiting
	return func() { <-h.running }, nil
}

// sum is what is remembered of a password that passed: calls are many, and bcrypt is slow on purpose.
func (h *hashing) sum(text string) []byte {
	s := hmac.New(sha256.New, h.key)
	s.Write([]byte(text))
	return s.Sum(nil)
}

func (g *Guard) parseUsers(contents [][]byte) (*users, error) {
	u := &users{hashes: map[string][]byte{}, passed: map[string][]byte{}, hashing: g.hashing}
	nobody := map[int][]byte{}
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
		case !sendable(name):
			return nil, fmt.Errorf("%s: line %d: nobody can log in with the name %q: it has a blank at its end, or what is no text", g.cfg.Users, i+1, name)
		case err != nil || !isHash(hash):
			return nil, fmt.Errorf("%s: line %d: user %s: not a bcrypt hash, as htpasswd -B makes it", g.cfg.Users, i+1, name)
		case cost > maxCost:
			return nil, fmt.Errorf("%s: line %d: user %s: the cost %d of the hash is more than %d: a login would take seconds", g.cfg.Users, i+1, name, cost, maxCost)
		case u.hashes[name] != nil:
			return nil, fmt.Errorf("%s: line %d: user %s is there twice", g.cfg.Users, i+1, name)
		}
		if nobody[cost] == nil {
			if nobody[cost], err = bcrypt.GenerateFromPassword(u.hashing.key, cost); err != nil {
				return nil, err
			}
		}
		u.hashes[name] = []byte(hash)
		u.nobodies = append(u.nobodies, nobody[cost])
	}
	if len(u.hashes) == 0 {
		return nil, fmt.Errorf("%s: no user", g.cfg.Users)
	}
	if g.users != nil && g.users.value.Load() != nil {
		u.inherit(g.users.get())
	}
	return u, nil
}

// sendable says whether a name can come with a call. One that is not of ASCII can by HTTP alone.
func sendable(name string) bool {
	return utf8.ValidString(name) && name == strings.TrimSpace(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// isHash says whether a text is one of bcrypt's hashes and nothing more: of a longer or damaged one the library checks the cost,
// and then no password is right.
func isHash(text string) bool {
	const digits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" // of bcrypt's base64
	return len(text) == 60 && text[6] == '$' && strings.Trim(text[7:], digits) == ""
}

// inherit remembers the passwords of users who did not change: all of their subscribers would be hashed again at once.
func (u *users) inherit(before *users) {
	before.mu.Lock()
	defer before.mu.Unlock()
	for name, sum := range before.passed {
		if u.has(name, before.hashes[name]) {
			u.passed[name] = sum
		}
	}
}

// has says whether there is a user with a hash.
func (u *users) has(name string, hash []byte) bool {
	mine, there := u.hashes[name]
	return there && bytes.Equal(mine, hash)
}

// remembered says whether the password with a sum is the one that passed before.
func (u *users) remembered(name string, sum []byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return hmac.Equal(u.passed[name], sum)
}

// check says whether the password is the user's. A name that is not there takes as long as one that is: always the same
// one of the users.
func (u *users) check(name, password string) bool {
	hash, known := u.hashes[name]
	if !known {
		hash = u.nobodies[binary.BigEndian.Uint64(u.hashing.sum(name))%uint64(len(u.nobodies))]
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !known || len(password) > maxPassword {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.passed[name] = u.hashing.sum(password)
	return true
}
