package stf

import (
	"errors"
	"fmt"
	"maps"
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

// controls says whether the statement is one that p4c's runner gives to simple_switch_CLI.
func (s *statement) controls() bool {
	switch s.command.(type) {
	case *packet, *expect, noPacket, wait, *checkCounter:
		return false
	}
	return true
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
	all := basicKeywords()
	maps.Copy(all, profileKeywords())
	maps.Copy(all, targetKeywords())
	return all
}

// basicKeywords are of packets, tables, counters, registers and meters.
func basicKeywords() map[string]func(*scanner) command {
	return map[string]func(*scanner) command{
		"packet":        parsePacket,
		"expect":        parseExpect,
		"no_packet":     parseNoPacket,
		"expect_digest": parseExpectDigest,
		"wait":          parseWait,

		"add":        parseAdd,
		"setdefault": parseSetDefault,
		"remove":     parseRemove,
		"table_dump": parseTableDump,

		"table_delete":                 parseTableDelete,
		"table_clear":                  parseTableClear,
		"table_reset_default":          parseTableResetDefault,
		"table_indirect_delete":        parseTableDelete,
		"table_indirect_reset_default": parseTableResetDefault,

		"check_counter": parseCheckCounter,
		"counter_read":  parseCounterRead,
		"counter_write": parseCounterWrite,
		"counter_reset": parseCounterReset,

		"register_read":  parseRegisterRead,
		"register_write": parseRegisterWrite,
		"register_reset": parseRegisterReset,

		"meter_array_set_rates": parseMeterArraySetRates,
		"meter_set_rates":       parseMeterSetRates,
		"meter_get_rates":       parseMeterGetRates,
	}
}

// profileKeywords are of action profiles and the tables that use them.
func profileKeywords() map[string]func(*scanner) command {
	return map[string]func(*scanner) command{
		"act_prof_create_member":            ofProfile(parseMemberCreate),
		"act_prof_modify_member":            ofProfile(parseMemberModify),
		"act_prof_delete_member":            ofProfile(parseMemberDelete),
		"act_prof_create_group":             ofProfile(parseGroupOfMembers),
		"act_prof_delete_group":             ofProfile(parseGroupOfMembersDelete),
		"act_prof_add_member_to_group":      ofProfile(parseMemberJoin),
		"act_prof_remove_member_from_group": ofProfile(parseMemberLeave),
		"act_prof_dump":                     ofProfile(parseProfileDump),

		"table_indirect_create_member":            ofTable(parseMemberCreate),
		"table_indirect_modify_member":            ofTable(parseMemberModify),
		"table_indirect_delete_member":            ofTable(parseMemberDelete),
		"table_indirect_create_group":             ofTable(parseGroupOfMembers),
		"table_indirect_delete_group":             ofTable(parseGroupOfMembersDelete),
		"table_indirect_add_member_to_group":      ofTable(parseMemberJoin),
		"table_indirect_remove_member_from_group": ofTable(parseMemberLeave),
		"table_indirect_add":                      parseIndirectAdd,
		"table_indirect_add_with_group":           parseIndirectAddGroup,
		"table_indirect_set_default":              parseIndirectDefault,
		"table_indirect_set_default_with_group":   parseIndirectDefaultGroup,
	}
}

// targetKeywords are of value sets and packet replication.
func targetKeywords() map[string]func(*scanner) command {
	return map[string]func(*scanner) command{
		"pvs_add":    parseValueSetAdd,
		"pvs_remove": parseValueSetRemove,
		"pvs_clear":  parseValueSetClear,
		"pvs_get":    parseValueSetGet,

		"mirroring_add":         parseMirroringAdd,
		"mirroring_add_mc":      parseMirroringAddGroup,
		"mirroring_delete":      parseMirroringDelete,
		"mirroring_get":         parseMirroringGet,
		"mc_mgrp_create":        parseGroupCreate,
		"mc_mgrp_destroy":       parseGroupDestroy,
		"mc_node_create":        parseNodeCreate,
		"mc_node_update":        parseNodeUpdate,
		"mc_node_associate":     parseNodeAssociate,
		"mc_node_dissociate":    parseNodeDissociate,
		"mc_node_destroy":       parseNodeDestroy,
		"mc_dump":               parseReplicationDump,
		"mc_set_lag_membership": parseLagMembership,
	}
}
