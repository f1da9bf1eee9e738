package stf

import (
	"errors"
	"fmt"
	"strings"
)

// Script is a parsed file.
type Script struct {
	File       string
	statements []statement
}

type statement struct {
	line    int
	keyword string
	command command
}

// command is a statement's meaning.
type command interface {
	// run carries it out; an error says why it could not, without the place.
	run(x *run) error
}

// Parse reads a file. The error joins all that is wrong in it, one line each: FILE:LINE: text.
func Parse(file string, text []byte) (*Script, error) {
	known := keywords()
	s := &Script{File: file}
	var errs []error
	for i, line := range strings.Split(string(text), "\n") {
		sc := &scanner{line: withoutComment(line)}
		if !sc.more() {
			continue
		}
		keyword := strings.ToLower(sc.word("a command"))
		parse, ok := known[keyword]
		switch {
		case sc.err != nil:
		case !ok:
			sc.fail("there is no command %q", keyword)
		default:
			c := parse(sc)
			sc.end()
			s.statements = append(s.statements, statement{i + 1, keyword, c})
			if sc.err != nil {
				sc.err = fmt.Errorf("%s: %w", keyword, sc.err)
			}
		}
		if sc.err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, i+1, sc.err))
		}
	}
	return s, errors.Join(errs...)
}

// withoutComment cuts a line at a # outside of quotes.
func withoutComment(line string) string {
	quoted := false
	for i := range len(line) {
		switch line[i] {
		case '"':
			quoted = !quoted
		case '#':
			if !quoted {
				return line[:i]
			}
		}
	}
	return line
}

// keywords leads from each command's name to what reads the rest of its line.
func keywords() map[string]func(*scanner) command {
	return map[string]func(*scanner) command{
		"packet":    parsePacket,
		"expect":    parseExpect,
		"no_packet": parseNoPacket,
		"wait":      parseWait,

		"add":        parseAdd,
		"setdefault": parseSetDefault,
		"remove":     parseRemove,
		"table_dump": parseTableDump,

		"check_counter": parseCheckCounter,
		"counter_read":  parseCounterRead,
		"counter_write": parseCounterWrite,
		"counter_reset": parseCounterReset,

		"register_read":  parseRegisterRead,
		"register_write": parseRegisterWrite,
		"register_reset": parseRegisterReset,

		"mirroring_add":      parseMirroringAdd,
		"mirroring_add_mc":   parseMirroringAddGroup,
		"mirroring_delete":   parseMirroringDelete,
		"mirroring_get":      parseMirroringGet,
		"mc_mgrp_create":     parseGroupCreate,
		"mc_mgrp_destroy":    parseGroupDestroy,
		"mc_node_create":     parseNodeCreate,
		"mc_node_update":     parseNodeUpdate,
		"mc_node_associate":  parseNodeAssociate,
		"mc_node_dissociate": parseNodeDissociate,
		"mc_node_destroy":    parseNodeDestroy,
		"mc_dump":            parseReplicationDump,
	}
}
