package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history/directory"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// disk is the file. One goroutine at a time writes; any may read.
type disk struct {
	path         string
	lock         *os.File
	last         *os.File // see noteLast; nil where there was no room for it
	writer       *sql.DB  // one connection
	reader       *sql.DB
	readers      int // connections of reader
	flowInterval time.Duration
	statements   statements

	shut       error      // why writer is nil until reopen succeeds: there was no room when the file was opened
	begins     time.Time  // that is to be noted as beginAt says, once there is room
	vocabulary vocabulary // never changed after openDisk
	isolated   string     // copy of a log that was found damaged by openDisk

	// What follows is the writer's own.
	words    words
	rows     map[inventory.Ref]row   // open intervals
	services map[inventory.Ref]int64 // lives of services that were asked for
	nextLife int64
}

// progress is how far the file is, of the table of that name.
type progress struct {
	version uint64
	commit  time.Time
}

func openDisk(cfg Config, deps Deps) (*disk, error) {
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, err
	}
	d := &disk{
		path: filepath.Join(cfg.Dir, fileName), flowInterval: cfg.FlowInterval, readers: cfg.Readers,
		rows: map[inventory.Ref]row{}, services: map[inventory.Ref]int64{},
	}
	var err error
	if d.lock, err = directory.Lock(filepath.Join(cfg.Dir, lockName)); err != nil {
		return nil, err
	}
	if err = d.inspect(deps); err == nil {
		if err = d.connect(); full(err) {
			deps.Log.Error("there is no room on the disk: the history is read, and written when there is some", "file", d.path, "error", err)
			err = d.connectWithoutRoom(err)
		}
	}
	if err == nil {
		err = errors.Join(d.openReader(), d.openLast())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.path, classify(err)), d.close())
	}
	return d, nil
}

// beside gives the path of another file in the directory.
func (d *disk) beside(name string) string { return filepath.Join(filepath.Dir(d.path), name) }

// accessible says, with the path, which of the files cannot be written: SQLite does not tell.
func (d *disk) accessible() error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		f, err := os.OpenFile(d.path+suffix, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return directory.Probe(filepath.Dir(d.path))
}

// inspect looks at what an earlier daemon has left, before SQLite does.
func (d *disk) inspect(deps Deps) error {
	if err := d.accessible(); err != nil {
		return err
	}
	switch why, err := os.ReadFile(marker(d.path)); {
	case err == nil:
		return fmt.Errorf("%w: the last daemon could not write it: %s", ErrCorrupt, strings.TrimSpace(string(why)))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	wal, err := os.Stat(d.path + "-wal")
	logged := err == nil && wal.Size() > 0
	switch file, err := os.Stat(d.path); {
	case err == nil && file.Size() == 0:
		return fmt.Errorf("%w: it is empty", ErrCorrupt) // which is a new one to SQLite
	case errors.Is(err, fs.ErrNotExist) && logged:
		return fmt.Errorf("%w: it is gone, and its write-ahead log is there", ErrCorrupt)
	case !logged:
		return nil
	}
	copied, end, err := isolateLog(d.path+"-wal", deps.Now())
	if err != nil {
		return err
	}
	deps.Log.Info("history was not closed; recovering its write-ahead log", "file", d.path, "bytes", wal.Size(), "pages", end.whole)
	if d.isolated = copied; copied != "" {
		deps.Log.Error("the write-ahead log of the history is damaged; what was written behind the damage is missing",
			"file", d.path+"-wal", "copy", copied, "transactions", end.lost)
	}
	return nil
}

// dsn is how SQLite is told of the file.
func (d *disk) dsn(mode string, pragmas ...string) string {
	u := url.URL{Scheme: "file", Path: d.path, RawQuery: url.Values{
		"mode": {mode}, "_pragma": append(pragmas, "busy_timeout(5000)"), "_txlock": {"immediate"}}.Encode()}
	return u.String()
}

// connect opens the file for writing, and makes it when there is none.
func (d *disk) connect() (err error) {
	_, missing := os.Stat(d.path)
	fresh := errors.Is(missing, fs.ErrNotExist)
	if d.writer, err = sql.Open("sqlite", d.dsn("rwc", "auto_vacuum(incremental)", "journal_mode(wal)", "synchronous(full)", "cache_size(-65536)", "wal_autocheckpoint(4000)")); err != nil {
		return err
	}
	d.writer.SetMaxOpenConns(1)
	if err = d.prepareSchema(fresh); err == nil {
		err = d.statements.prepare(d.writer)
	}
	if err == nil {
		err = d.readVocabulary()
	}
	if err = d.noRoom(err); full(err) {
		d.disconnect(fresh)
		err = fmt.Errorf("%s: %w", d.path, err)
	}
	return err
}

// readVocabulary reads the words, once.
func (d *disk) readVocabulary() (err error) {
	if d.vocabulary == nil {
		d.vocabulary, d.words, err = readWords(context.Background(), d.writer)
	}
	return err
}

func (d *disk) openReader() (err error) {
	if d.reader, err = sql.Open("sqlite", d.dsn("rw", "query_only(1)", "cache_size(-16384)")); err == nil {
		d.reader.SetMaxOpenConns(d.readers)
	}
	return err
}

// prepareSchema makes the tables of a new file and checks that an old one is ours.
func (d *disk) prepareSchema(fresh bool) error {
	version, empty, err := d.identify()
	if err != nil {
		return err
	}
	if fresh || empty {
		return d.create()
	}
	if _, err := d.writer.Exec(latestTable + damagedTable); err != nil {
		return err
	}
	if err := d.addSums(); err != nil {
		return err
	}
	return d.migrate(version)
}

// identify says which version of the schema a file has, or that it has nothing. A file that is not ours is an error.
func (d *disk) identify() (version int64, empty bool, err error) {
	var application, tables int64
	for pragma, value := range map[string]*int64{
		"PRAGMA application_id": &application, "PRAGMA user_version": &version,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := d.writer.QueryRow(pragma).Scan(value); err != nil {
			return 0, false, err
		}
	}
	switch {
	case tables == 0 && application == 0:
		return 0, true, nil
	case application != applicationID:
		return 0, false, fmt.Errorf("%w: its application ID is %#x, not %#x", errForeign, application, applicationID)
	case version > schemaVersion:
		return 0, false, fmt.Errorf("%w: schema %d, this one knows %d", ErrNewerSchema, version, schemaVersion)
	case version < 1:
		return 0, false, fmt.Errorf("%w: schema %d is none", errForeign, version)
	}
	return version, false, nil
}

// addSums lets flow records of a file of before sums have some.
func (d *disk) addSums() error {
	var there int
	err := d.writer.QueryRow(`SELECT count(*) FROM pragma_table_info('flow_record') WHERE name = 'sum'`).Scan(&there)
	if err == nil && there == 0 {
		_, err = d.writer.Exec(`ALTER TABLE flow_record ADD COLUMN sum INTEGER`)
	}
	return err
}

func (d *disk) create() error {
	tx, err := d.writer.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	header := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion)
	if _, err := tx.Exec(schema + header); err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO vocabulary VALUES (1, ?)`, firstWords()); err != nil {
		return err
	}
	return tx.Commit()
}

// isolate moves a damaged file and what belongs to it away, and gives the new name.
func isolate(dir string, now time.Time) (string, error) {
	to, err := inQuarantine(dir, fileName, now)
	if err != nil {
		return "", err
	}
	for _, suffix := range []string{"-shm", "-wal", ""} {
		err := os.Rename(filepath.Join(dir, fileName)+suffix, to+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("isolate: %w", err)
		}
	}
	for _, path := range []string{marker(filepath.Join(dir, fileName)), filepath.Join(dir, lastName)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("isolate: %w", err)
		}
	}
	return to, nil
}

// inQuarantine gives the path for what is found damaged now.
func inQuarantine(dir, name string, now time.Time) (string, error) {
	quarantine := filepath.Join(dir, quarantineName)
	if err := os.MkdirAll(quarantine, 0o750); err != nil {
		return "", fmt.Errorf("isolate: %w", err)
	}
	return filepath.Join(quarantine, now.UTC().Format("20060102T150405.000000000Z-")+name), nil
}

func (d *disk) close() error {
	var errs []error
	if d.reader != nil {
		errs = append(errs, d.reader.Close())
	}
	if d.writer != nil {
		errs = append(errs, d.statements.close(), d.writer.Close())
	}
	if d.last != nil {
		errs = append(errs, d.last.Close())
	}
	return errors.Join(append(errs, d.lock.Close())...)
}

// size is the space that the file and its log take, in bytes.
func (d *disk) size() float64 {
	total := int64(0)
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(d.path + suffix); err == nil {
			total += info.Size()
		}
	}
	return float64(total)
}

// nanos is a time as the file has it: nanoseconds since 1970 in UTC, limited to what fits.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s <= math.MinInt64/int64(time.Second):
		return math.MinInt64
	case s >= math.MaxInt64/int64(time.Second):
		return open - 1
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// load reads what was so when the file was last written: the open intervals, the newest states,
// and the conversations that were seen in the linger time before now, or before the last write
// where that is longer ago: slots may still count for those. Rows that are damaged are left out.
func (d *disk) load(now time.Time, linger time.Duration, each func(inventory.Entry, sum)) (p progress, renamed int, spoiled []*damage, err error) {
	if d.writer == nil { // there is no file, and no room for one
		d.nextLife = 1
		return p, 0, nil, nil
	}
	ctx := context.Background()
	var commit int64
	if err := d.writer.QueryRow(`SELECT version, commit_ns FROM progress`).Scan(&p.version, &commit); err != nil {
		return p, 0, nil, err
	}
	if p.commit = moment(commit); commit == 0 {
		p.commit = time.Time{}
	}
	if err := d.writer.QueryRow(`SELECT next_life FROM numbering`).Scan(&d.nextLife); err != nil {
		return p, 0, nil, err
	}
	leaveOut := func(row *damage) { spoiled = append(spoiled, row) }
	notEnded := question{text: placesAt, args: []any{list(scopesOf(nil)), list([]int64{unended}), int64(open - 1)}, sums: true, spoiled: leaveOut}
	all := choice{holds: func(s *state) bool { return !s.ended() }, is: func(inventory.Ref) bool { return true }}
	err = d.scan(ctx, d.writer, notEnded.read(partsOf), all,
		func(f *found) {
			at := row{place: f.place, index: f.index, event: f.event, commit: f.commit, sum: f.sum}
			d.rows[f.ref] = at
			if f.fact.Ref() == f.ref {
				each(f.entry(), at.sum)
			} else {
				renamed++
			}
		})
	if err == nil {
		err = readLatest(ctx, d.writer, each)
	}
	since, flows := now, recentFlows
	if p.commit.After(now) {
		flows = newestFlows // the clock stepped back: an older state may have a later time
	} else if !p.commit.IsZero() {
		since = p.commit
	}
	if err == nil {
		err = readFlows(ctx, d.writer, flows, []any{nanos(since.Add(-linger))}, each, leaveOut)
	}
	return p, renamed, spoiled, err
}

// beginAt notes that nothing from before a time is known.
func (d *disk) beginAt(t time.Time) error {
	if d.writer == nil {
		d.begins = t
		return nil
	}
	_, err := d.writer.Exec(`UPDATE progress SET horizon_ns = ?1, flow_horizon_ns = ?1`, nanos(t))
	return err
}
