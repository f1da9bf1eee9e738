package history

import "math"

const (
	fileName = "history.db"
	lockName = "history.lock"

	quarantineName = "quarantine" // directory of files that were found damaged

	applicationID = 0x46534331 // "FSC1", in the file's header
	schemaVersion = 3          // PRAGMA user_version
)

// open is the end of an interval that has not ended.
const open = math.MaxInt64

// schema makes an empty file's tables. docs/formats/history.md explains each column.
const schema = `
CREATE TABLE progress (
	one             INTEGER PRIMARY KEY CHECK (one = 1),
	version         INTEGER NOT NULL,
	commit_ns       INTEGER NOT NULL,
	horizon_ns      INTEGER NOT NULL,
	flow_horizon_ns INTEGER NOT NULL
) STRICT;
INSERT INTO progress VALUES (1, 0, 0, 0, 0);

` + lifeTables + `

CREATE TABLE flow_record (
	id               INTEGER PRIMARY KEY,
	conversation     TEXT NOT NULL,
	slot_ns          INTEGER NOT NULL,
	event_ns         INTEGER NOT NULL,
	commit_ns        INTEGER NOT NULL,
	first_ns         INTEGER NOT NULL,
	last_ns          INTEGER NOT NULL,
	protocol         INTEGER NOT NULL,
	client_address   TEXT NOT NULL,
	client_port      INTEGER NOT NULL,
	client_cluster   TEXT NOT NULL,
	client_namespace TEXT NOT NULL,
	client_pod       TEXT NOT NULL,
	client_service   TEXT NOT NULL,
	server_address   TEXT NOT NULL,
	server_port      INTEGER NOT NULL,
	server_cluster   TEXT NOT NULL,
	server_namespace TEXT NOT NULL,
	server_pod       TEXT NOT NULL,
	server_service   TEXT NOT NULL,
	forward_packets  INTEGER NOT NULL,
	forward_bytes    INTEGER NOT NULL,
	reverse_packets  INTEGER NOT NULL,
	reverse_bytes    INTEGER NOT NULL,
	fact             TEXT NOT NULL,
	sum              INTEGER,
	UNIQUE (conversation, slot_ns)
) STRICT;
CREATE INDEX flow_record_by_event ON flow_record (event_ns);
CREATE INDEX flow_record_by_commit ON flow_record (commit_ns);
CREATE INDEX flow_record_by_last ON flow_record (last_ns);

` + latestTable + damagedTable

// latestTable has what only its newest state matters of. Files of before it get it when they
// are opened; whoever does not know it does not miss it.
const latestTable = `CREATE TABLE IF NOT EXISTS latest (
	kind      TEXT NOT NULL,
	name      TEXT NOT NULL,
	event_ns  INTEGER NOT NULL,
	commit_ns INTEGER NOT NULL,
	fact      TEXT NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT;
`

// damagedTable has what was found not to be what was written. Files of before it get it likewise.
const damagedTable = `CREATE TABLE IF NOT EXISTS damaged (
	life     INTEGER NOT NULL,
	part     INTEGER NOT NULL,
	flow     INTEGER NOT NULL,
	found_ns INTEGER NOT NULL,
	content  BLOB,
	PRIMARY KEY (life, part, flow, found_ns)
) WITHOUT ROWID;
`

// lifeTables have the intervals: lives in parts, by what a life is found, where the parts are in the time's tree, and when
// those ended in which everything has.
const lifeTables = `
CREATE TABLE vocabulary (
	number INTEGER PRIMARY KEY,
	words  BLOB NOT NULL
) STRICT;

CREATE TABLE numbering (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	next_life INTEGER NOT NULL
) STRICT;
INSERT INTO numbering VALUES (1, 1);

CREATE TABLE owner (
	key  INTEGER PRIMARY KEY,
	life INTEGER NOT NULL
) STRICT;

CREATE TABLE life (
	life   INTEGER NOT NULL,
	part   INTEGER NOT NULL,
	states BLOB NOT NULL,
	PRIMARY KEY (life, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE span (
	scope INTEGER NOT NULL,
	node  INTEGER NOT NULL,
	begin INTEGER NOT NULL,
	until INTEGER NOT NULL,
	life  INTEGER NOT NULL,
	part  INTEGER NOT NULL,
	PRIMARY KEY (scope, node, begin, until, life, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE ended (
	at   INTEGER NOT NULL,
	life INTEGER NOT NULL,
	part INTEGER NOT NULL,
	PRIMARY KEY (at, life, part)
) STRICT, WITHOUT ROWID;
`
