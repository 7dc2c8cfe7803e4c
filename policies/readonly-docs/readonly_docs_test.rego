package aisandbox.policies["readonly-docs"].tests

file(path, actions, label) := {"resource": {"file": {"path": path}}, "actions": actions, "label": label}

outcomes(question) := {said.outcome | some said in data.aisandbox.policies["readonly-docs"].verdict with input as question}

test_a_document_is_read if outcomes(file("/home/u/a.pdf", ["read"], "")) == {"allow", "prompt"}

test_the_ending_counts_in_any_case if "allow" in outcomes(file("/home/u/A.PDF", ["read"], ""))

test_a_sensitive_document_is_asked_for if outcomes(file("/home/u/a.pdf", ["read"], "tax")) == {"prompt"}

test_what_is_no_document_is_asked_for if outcomes(file("/home/u/key", ["read"], "")) == {"prompt"}

test_a_folder_with_a_dot_is_no_ending if outcomes(file("/home/u.pdf/key", ["read"], "")) == {"prompt"}

test_a_folder_is_asked_for_whatever_its_name if {
	outcomes(object.union(file("/home/u/a.pdf", ["read"], ""), {"kind": "folder"})) == {"prompt"}
}

test_nothing_is_written if {
	every action in ["append", "overwrite", "create", "delete", "execute"] {
		outcomes(file("/home/u/a.pdf", ["read", action], "")) == {"deny"}
	}
}

test_no_program_is_started if {
	outcomes({"resource": {"program": {"path": "/bin/sh"}}, "actions": ["execute"], "label": ""}) == {"deny"}
}

test_the_network_is_not_its_matter if {
	outcomes({"resource": {"host": {"host": "example.org", "port": 443}}, "actions": ["connect"], "label": ""}) == set()
}
