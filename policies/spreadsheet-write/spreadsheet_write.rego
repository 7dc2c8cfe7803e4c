# Tables are written only after a person said yes, for a quarter of an hour, and of single files tables alone.
# An entry that asks for a folder is one question about the folder, and a person decides about it.
package aisandbox.policies["spreadsheet-write"]

tables := {"csv", "ods", "tsv", "xlsx"}

writes := {"append", "overwrite", "create"}

most_bytes := 52428800

verdict contains {"outcome": "prompt", "reason": "a table would be written", "ttl_s": 900} if {
	writing
	ending in tables
	not too_large
}

verdict contains {"outcome": "prompt", "reason": "tables would be written in this folder", "ttl_s": 900} if {
	writing
	input.kind == "folder"
}

verdict contains {"outcome": "deny", "reason": "only tables are written here: csv, ods, tsv, xlsx"} if {
	writing
	not is_table
	not is_folder
}

verdict contains {"outcome": "deny", "reason": "a table of more than 50 MiB is not changed"} if {
	writing
	too_large
}

verdict contains {"outcome": "deny", "reason": "nothing is removed or run here"} if {
	input.resource.file
	some action in input.actions
	action in {"delete", "execute"}
}

# While a lease for writing this very file holds, it is not asked for again.
verdict contains {"outcome": "allow", "reason": "a lease for this table holds", "ttl_s": 900} if {
	writing
	ending in tables
	not too_large
	some held in input.grants
	held.resource == input.resource
	every action in input.actions {
		action in held.actions
	}
}

writing if {
	input.resource.file
	some action in input.actions
	action in writes
}

too_large if {
	is_number(input.size)
	input.size > most_bytes
}

is_folder if input.kind == "folder"

is_table if ending in tables

ending := lower(last) if {
	parts := split(input.resource.file.path, "/")
	name := parts[count(parts) - 1]
	pieces := split(name, ".")
	count(pieces) > 1
	last := pieces[count(pieces) - 1]
}
