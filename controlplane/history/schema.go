package history

import "math"

const (
	fileName = "history.db"
	lockName = "history.lock"

	quarantineName = "quarantine" // directory of files that were found damaged

	applicationID = 0x46534331 // "FSC1", in the file's header
	schemaVersion = 2          // PRAGMA user_version
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
` + intervalIndexes + `

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
	UNIQUE (conversation, slot_ns)
) STRICT;
CREATE INDEX flow_record_by_event ON flow_record (event_ns);
CREATE INDEX flow_record_by_commit ON flow_record (commit_ns);
CREATE INDEX flow_record_by_last ON flow_record (last_ns);

` + latestTable + `
CREATE VIEW fact_history AS SELECT
	o.kind, o.cluster, o.name,
	strftime('%Y-%m-%dT%H:%M:%fZ', i.event_ns / 1e9, 'unixepoch') AS began,
	CASE WHEN i.end_commit_ns < 9223372036854775807
		THEN strftime('%Y-%m-%dT%H:%M:%fZ', i.end_event_ns / 1e9, 'unixepoch') END AS ended,
	i.end_known, i.fact, i.id AS interval
FROM interval i JOIN object o ON o.id = i.object;
`

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

// intervalIndexes find intervals: by their object, by their end for what is past its retention, and those
// that hold at an instant, of everything or of one service.
const intervalIndexes = `
CREATE INDEX interval_by_object ON interval (object, id);
CREATE INDEX interval_by_commit ON interval (end_commit_ns, commit_ns);
CREATE INDEX interval_at_event ON interval (event_node, event_ns, until_ns) WHERE event_node IS NOT NULL;
CREATE INDEX interval_at_commit ON interval (commit_node, commit_ns, end_commit_ns) WHERE commit_node IS NOT NULL;
CREATE INDEX interval_of_service ON interval (service, event_node, event_ns, until_ns) WHERE service IS NOT NULL;
`
