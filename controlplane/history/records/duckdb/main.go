// Duckdb runs statements of SQL with DuckDB, one an argument, and prints the rows that they give, each as an object of JSON on a
// line. Tests read segments and exports with it, since nothing of it is ours. It is a module of its own: what is tested is not
// linked with it.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"

	_ "github.com/duckdb/duckdb-go/v2"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("duckdb: ")
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// run runs statements in a database in memory.
func run(statements []string) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if err := print(db, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// print runs a statement and prints its rows.
func print(db *sql.DB, statement string) error {
	rows, err := db.Query(statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	lines := json.NewEncoder(os.Stdout)
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		line := map[string]any{}
		for i, name := range names {
			line[name] = values[i]
		}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	return rows.Err()
}
