package history

import (
	"database/sql"
	"testing"
	"time"
)

// FailWrites makes SQLite refuse every write, or not any more.
func FailWrites(s *Store, fail bool) {
	refuse := "PRAGMA query_only = 0"
	if fail {
		refuse = "PRAGMA query_only = 1"
	}
	if _, err := s.disk.writer.Exec(refuse); err != nil {
		panic(err)
	}
}

// Rows counts the rows of a table.
func Rows(t *testing.T, s *Store, table string) (n int) {
	t.Helper()
	if err := s.disk.reader.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// LastCommit gives the commit time of the last change.
func LastCommit(s *Store) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastCommit
}

// Kept gives from when on the file has what existed and flow records, and the bytes in use.
func Kept(t *testing.T, s *Store) (facts, flows time.Time, bytes int64) {
	t.Helper()
	var fact, flow int64
	err := s.disk.reader.QueryRow(`SELECT horizon_ns, flow_horizon_ns, (c.page_count - f.freelist_count) * s.page_size
		FROM progress, pragma_page_count c, pragma_freelist_count f, pragma_page_size s`).Scan(&fact, &flow, &bytes)
	if err != nil {
		t.Fatal(err)
	}
	return moment(fact), moment(flow), bytes
}

// AsSchema2 makes a file what version 2 of the schema would have written.
func AsSchema2(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	all, _, err := readWords(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(schema2); err != nil {
		t.Fatal(err)
	}
	var parts packed
	err = readParts(t.Context(), db, question{text: `SELECT life, part, states FROM life ORDER BY life, part`}, func(some *packed) (*packed, error) {
		for at, data := range some.each {
			parts.add(at, data)
		}
		return some, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range parts.each {
		p, err := unpack(data, all)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.states {
			r := p.objects[s.object]
			if _, err := db.Exec(`INSERT OR IGNORE INTO object (kind, cluster, name) VALUES (?, ?, ?)`, string(r.Kind), r.Cluster, r.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(`INSERT INTO interval (object, event_ns, commit_ns, end_event_ns, end_commit_ns, end_known, fact, until_ns)
				SELECT id, ?, ?, ?, ?, ?, ?, 0 FROM object WHERE kind = ? AND cluster = ? AND name = ?`,
				s.event, s.commit, s.endEvent, s.endCommit, s.endKnown, string(s.text), string(r.Kind), r.Cluster, r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := db.Exec(`DROP TABLE life; DROP TABLE owner; DROP TABLE span; DROP TABLE ended; DROP TABLE vocabulary; DROP TABLE numbering;
		PRAGMA user_version = 2`); err != nil {
		t.Fatal(err)
	}
}

// schema2 are the tables that version 2 of the schema had instead of lives.
const schema2 = `
CREATE TABLE object (
	id      INTEGER PRIMARY KEY,
	kind    TEXT NOT NULL,
	cluster TEXT NOT NULL,
	name    TEXT NOT NULL,
	UNIQUE (kind, cluster, name)
) STRICT;
CREATE TABLE interval (
	id            INTEGER PRIMARY KEY,
	object        INTEGER NOT NULL REFERENCES object (id),
	event_ns      INTEGER NOT NULL,
	commit_ns     INTEGER NOT NULL,
	end_event_ns  INTEGER NOT NULL,
	end_commit_ns INTEGER NOT NULL,
	end_known     INTEGER NOT NULL,
	fact          TEXT NOT NULL,
	until_ns      INTEGER NOT NULL,
	event_node    INTEGER,
	commit_node   INTEGER,
	service       INTEGER
) STRICT;
CREATE INDEX interval_by_object ON interval (object, id);
CREATE INDEX interval_by_commit ON interval (end_commit_ns, commit_ns);
CREATE INDEX interval_at_event ON interval (event_node, event_ns, until_ns) WHERE event_node IS NOT NULL;
CREATE INDEX interval_at_commit ON interval (commit_node, commit_ns, end_commit_ns) WHERE commit_node IS NOT NULL;
CREATE INDEX interval_of_service ON interval (service, event_node, event_ns, until_ns) WHERE service IS NOT NULL;
CREATE VIEW fact_history AS SELECT o.kind, i.fact FROM interval i JOIN object o ON o.id = i.object;`

// Expire lets conversations leave that were quiet for long, as Run does now and then.
func Expire(s *Store) { s.expire() }

// Sweep deletes what is past its retention, as Run does now and then.
func Sweep(s *Store) { s.sweep() }

// Audit looks through the whole file, as Run does once a day.
func Audit(t *testing.T, s *Store) { s.auditAll(t.Context(), 0) }
