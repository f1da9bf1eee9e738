package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// manifestName is the file that makes a directory a backup. It is written last: without it the backup never ended.
const manifestName = "backup.json"

// errNoBackup says that a directory is not a whole backup.
var errNoBackup = errors.New("no whole backup")

// manifest says what is in a backup, to the bit.
type manifest struct {
	Made  time.Time   `json:"made"`
	Files []savedFile `json:"files"`
}

// savedFile is a file of a backup.
type savedFile struct {
	Path   string `json:"path"` // from the backup's directory, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // in hexadecimal
}

// takeStock reads all files beneath directories of dir.
func takeStock(ctx context.Context, dir string, directories ...string) (m manifest, err error) {
	m.Made = time.Now().UTC()
	for _, d := range directories {
		err := filepath.WalkDir(filepath.Join(dir, d), func(path string, e fs.DirEntry, err error) error {
			if err = errors.Join(err, ctx.Err()); err != nil || e.IsDir() {
				return err
			}
			f, err := measure(path, io.Discard)
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(dir, path)
			f.Path = filepath.ToSlash(relative)
			m.Files = append(m.Files, f)
			return err
		})
		if err != nil {
			return manifest{}, err
		}
	}
	return m, nil
}

// measure reads a file, and writes what it reads to another place too.
func measure(path string, to io.Writer) (savedFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return savedFile{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(sum, to), f)
	return savedFile{Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// write makes dir a backup: durably, or not at all.
func (m manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	part := filepath.Join(dir, manifestName+".part")
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, filepath.Join(dir, manifestName)); err != nil {
		return err
	}
	return syncDir(dir)
}

// readManifest says what is in a backup. Its error is errNoBackup for what is not one that ended.
func readManifest(dir string) (m manifest, err error) {
	path := filepath.Join(dir, manifestName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s is %w: it has no %s, which a backup writes when all else is there", dir, errNoBackup, manifestName)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w: %w", path, errNoBackup, err)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return m, fmt.Errorf("%s: %w: the path %q leads out of it", path, errNoBackup, f.Path)
		}
	}
	return m, nil
}

// copyTo copies the files of the backup in dir to another directory, durably. A file that is not what it was is an error
// that names it.
func (m manifest) copyTo(to, dir string) error {
	directories := map[string]bool{to: true}
	for _, want := range m.Files {
		from, path := filepath.Join(dir, filepath.FromSlash(want.Path)), filepath.Join(to, filepath.FromSlash(want.Path))
		for d := filepath.Dir(path); !directories[d]; d = filepath.Dir(d) {
			directories[d] = true
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
		if err != nil {
			return err
		}
		have, err := measure(from, out)
		if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
			return err
		}
		if have.Bytes != want.Bytes || have.SHA256 != want.SHA256 {
			return fmt.Errorf("%s: %w: it is not what was saved: %d bytes of %d, with the SHA-256 %s for %s", from, errNoBackup,
				have.Bytes, want.Bytes, have.SHA256, want.SHA256)
		}
	}
	for d := range directories {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes what was made or renamed in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
