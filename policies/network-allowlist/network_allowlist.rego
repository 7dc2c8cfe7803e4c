# Hosts that are listed can be reached by HTTPS; no other host, and no other port.
# Copy this folder and change data.json for a list of your own.
package aisandbox.policies["network-allowlist"]

hosts := data.aisandbox.network_allowlist.hosts

verdict contains {"outcome": "allow", "reason": "a host of the list", "ttl_s": 3600} if {
	input.resource.host.port == 443
	listed
}

verdict contains {"outcome": "deny", "reason": "no host of the list"} if {
	input.resource.host
	not listed
}

verdict contains {"outcome": "deny", "reason": "only port 443 of a listed host"} if {
	listed
	input.resource.host.port != 443
}

name := trim_suffix(lower(input.resource.host.host), ".")

listed if name in hosts

listed if {
	some host in hosts
	startswith(host, "*.")
	endswith(name, substring(host, 1, -1))
}
