package aisandbox.policies["spreadsheet-write"].tests

file(path, actions, size) := {"resource": {"file": {"path": path}}, "actions": actions, "size": size, "grants": []}

outcomes(question) := {said.outcome | some said in data.aisandbox.policies["spreadsheet-write"].verdict with input as question}

lives(question) := {said.ttl_s | some said in data.aisandbox.policies["spreadsheet-write"].verdict with input as question}

test_a_table_is_asked_for if outcomes(file("/home/u/a.xlsx", ["create"], null)) == {"prompt"}

test_the_yes_lasts_a_quarter_of_an_hour if lives(file("/home/u/a.csv", ["append"], 10)) == {900}

test_nothing_but_a_table_is_written if outcomes(file("/home/u/a.sh", ["create"], null)) == {"deny"}

test_a_name_without_ending_is_no_table if outcomes(file("/home/u/csv", ["create"], null)) == {"deny"}

test_a_folder_is_asked_for if {
	folder := object.union(file("/home/u/output", ["read", "create"], null), {"kind": "folder"})
	outcomes(folder) == {"prompt"}
	lives(folder) == {900}
	outcomes(object.union(folder, {"actions": ["delete"]})) == {"deny"}
}

test_a_large_table_is_not_changed if outcomes(file("/home/u/a.csv", ["overwrite"], 99999999)) == {"deny"}

test_nothing_is_removed if outcomes(file("/home/u/a.csv", ["delete"], 10)) == {"deny"}

test_reading_is_not_its_matter if outcomes(file("/home/u/a.csv", ["read"], 10)) == set()

test_a_lease_for_the_same_table_is_enough if {
	asked := file("/home/u/a.csv", ["append"], 10)
	held := {"resource": {"file": {"path": "/home/u/a.csv"}}, "actions": ["append", "create"]}
	outcomes(object.union(asked, {"grants": [held]})) == {"allow", "prompt"}
	outcomes(object.union(asked, {"grants": [object.union(held, {"actions": ["create"]})]})) == {"prompt"}
	other := object.union(held, {"resource": {"file": {"path": "/home/u/b.csv"}}})
	outcomes(object.union(asked, {"grants": [other]})) == {"prompt"}
}
