package aisandbox.policies["network-allowlist"].tests

host(name, port) := {"resource": {"host": {"host": name, "port": port}}, "actions": ["connect"]}

outcomes(question) := {said.outcome | some said in data.aisandbox.policies["network-allowlist"].verdict with input as question}

test_a_listed_host_is_reached if outcomes(host("docs.python.org", 443)) == {"allow"}

test_case_and_a_last_dot_do_not_matter if outcomes(host("DOCS.python.org.", 443)) == {"allow"}

test_a_name_below_a_star_is_reached if outcomes(host("en.wikipedia.org", 443)) == {"allow"}

test_the_name_of_the_star_itself_is_not if outcomes(host("wikipedia.org", 443)) == {"deny"}

test_a_name_that_only_ends_alike_is_not if outcomes(host("evilwikipedia.org", 443)) == {"deny"}

test_a_listed_host_below_another_is_not if outcomes(host("docs.python.org.example.org", 443)) == {"deny"}

test_another_port_is_not if outcomes(host("docs.python.org", 80)) == {"deny"}

test_an_address_is_not if outcomes(host("1.1.1.1", 443)) == {"deny"}

test_files_are_not_its_matter if {
	outcomes({"resource": {"file": {"path": "/a"}}, "actions": ["read"]}) == set()
}
