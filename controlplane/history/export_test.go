package history

import "testing"

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
