//! A long record is packed by the run that wrote it; a short one by a command.

use crate::network::Service;
use crate::support::for_each_user;
use serde_json::Value;
use std::fs;

#[test]
fn a_long_record_is_packed_at_its_end_and_a_short_one_by_a_command() {
    for_each_user(|home| {
        let service = Service::start();
        let host = format!("localhost, port: {}", service.port);
        let network = format!("network: {{ mode: filtered, allow: [{{ host: {host} }}] }}");
        let text = format!("version: 1\nextends: [offline]\n{network}\n");
        let profile = home.write("filtered.yaml", &text).to_str().unwrap().to_owned();
        // Each connection is an event.
        let many = format!(
            "python3 -c 'import socket\nfor _ in range(1200):\n s = socket.create_connection((\"localhost\", {}), 60)\n \
             s.sendall(b\"hey\\n\"); assert s.recv(9)'",
            service.port
        );
        let files = |run: &str| -> Vec<String> {
            let folder = home.join(".local/state/aisandbox/runs").join(run);
            let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            names.map(|name| name.into_string().unwrap()).filter(|name| name.contains(".seg")).collect()
        };
        let audit = |words: &[&str]| home.aisandbox(&[&["audit"], words].concat()).output();
        let last = || {
            let listed: Value =
                serde_json::from_str(&audit(&["list", "--json", "--limit", "1"]).expect_code(0)).unwrap();
            listed.as_array().unwrap()[0]["run"].as_str().unwrap().to_owned()
        };
        home.aisandbox(&["exec", "--profile", &profile, "--", "sh", "-c", &many]).output().expect_code(0);
        let long = last();
        assert_eq!(files(&long), ["00000000.seg.zst"]);
        assert!(audit(&["verify", &long]).expect_code(0).contains("SEALED"));
        assert!(audit(&["moved", &long]).stdout().contains("localhost"));

        home.aisandbox(&["exec", "--profile", "offline", "--", "true"]).output().expect_code(0);
        let short = last();
        assert_eq!(files(&short), ["00000000.seg"]);
        let told = audit(&["pack", &short]);
        assert!(told.expect_code(0).contains("packed, "), "{told:?}");
        assert_eq!(files(&short), ["00000000.seg.zst"]);
        assert!(audit(&["pack", &short]).expect_code(0).contains("was packed before"));
        assert!(audit(&["verify", "--all"]).expect_code(0).contains("SEALED"));
        let all: Value = serde_json::from_str(&audit(&["pack", "--all", "--json"]).expect_code(0)).unwrap();
        assert!(all.as_array().unwrap().iter().all(|one| one["packed"] == true), "{all}");
        // What is handed on needs no such program.
        let out = home.join("bundle");
        audit(&["bundle", &short, "--out", out.to_str().unwrap()]).expect_code(0);
        assert!(out.join("00000000.seg").exists() && !out.join("00000000.seg.zst").exists());
        let checked = home.outside(&format!("cd {} && python3 verify.py .", out.display()));
        assert!(checked.stdout().contains("SEALED"), "{checked:?}");
    });
}
