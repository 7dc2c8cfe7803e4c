# Documents may be read. Nothing is written, removed or run.
# What is sensitive by its place or name, or is no document, is left to a person.
package aisandbox.policies["readonly-docs"]

documents := {
	"csv", "doc", "docx", "epub", "htm", "html", "json", "md", "odp", "ods", "odt", "pdf", "ppt", "pptx", "rst", "rtf",
	"tex", "tsv", "txt", "xls", "xlsx", "xml", "yaml", "yml",
}

changes := {"append", "overwrite", "create", "delete", "execute"}

verdict contains {"outcome": "deny", "reason": "documents are read here, and nothing else is done with them"} if {
	input.resource.file
	some action in input.actions
	action in changes
}

verdict contains {"outcome": "deny", "reason": "no further program is started for reading documents"} if input.resource.program

verdict contains {"outcome": "allow", "reason": "reading a document", "ttl_s": 3600} if {
	input.resource.file
	input.actions == ["read"]
	input.label == ""
	not is_folder
	ending in documents
}

verdict contains {"outcome": "prompt", "reason": "this is no plain document; a person decides", "ttl_s": 900} if {
	input.resource.file
	input.actions == ["read"]
	not is_folder
}

# An entry that asks for a folder is one question about the folder.
verdict contains {"outcome": "prompt", "reason": "all in this folder would be read; a person decides", "ttl_s": 900} if {
	input.resource.file
	input.actions == ["read"]
	is_folder
}

is_folder if input.kind == "folder"

# The letters behind the last dot of the name.
ending := lower(last) if {
	parts := split(input.resource.file.path, "/")
	name := parts[count(parts) - 1]
	pieces := split(name, ".")
	count(pieces) > 1
	last := pieces[count(pieces) - 1]
}
