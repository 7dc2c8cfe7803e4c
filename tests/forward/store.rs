//! Closed segments to a store that speaks S3 and enforces Object Lock: LocalStack.

use crate::support::run::{PATIENCE, comes_true, spawn};
use crate::support::{for_each_user, skip};
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Store {
    child: Child,
    url: String,
}

fn program() -> Option<PathBuf> {
    let tools = PathBuf::from(std::env::var_os("AISANDBOX_TEST_TOOLS")?);
    Some(tools.join("localstack/bin/python")).filter(|place| place.exists())
}

impl Store {
    fn start(program: &Path, folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = format!("127.0.0.1:{port}");
        let mut command = Command::new(program);
        command
            .args(["-m", "localstack.runtime.main"])
            .current_dir(folder)
            .env_clear()
            .env("PATH", crate::support::PATH);
        command.envs([
            ("SERVICES", "s3"),
            ("GATEWAY_LISTEN", &at),
            ("DISABLE_EVENTS", "1"),
            ("SKIP_INFRA_DOWNLOADS", "1"),
        ]);
        command.env("FILESYSTEM_ROOT", folder).env("HOME", folder).env("TMPDIR", folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let store = Self { child: spawn(&mut command).unwrap(), url: format!("http://{at}") };
        assert!(
            comes_true(PATIENCE, || store.ask("GET", "_localstack/health", &[]).0 == 200),
            "it does not listen"
        );
        store
    }

    /// Status and headers of an answer; 0 without one.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, ureq::http::HeaderMap) {
        let signed = "AWS4-HMAC-SHA256 Credential=test/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}/{path}", self.url));
        request = request.header("authorization", signed);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        match config.new_agent().run(request.body(()).unwrap()) {
            Ok(answer) => (answer.status().as_u16(), answer.headers().clone()),
            Err(_) => (0, ureq::http::HeaderMap::new()),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn closed_segments_are_objects_that_nobody_can_delete_or_replace() {
    let Some(program) = program() else { return skip("LocalStack is not in AISANDBOX_TEST_TOOLS") };
    for_each_user(|home| {
        let world = World::new(home);
        let store = Store::start(&program, &world.certificates);
        assert_eq!(store.ask("PUT", "audit", &[("x-amz-bucket-object-lock-enabled", "true")]).0, 200);
        for name in ["id", "key"] {
            let path = world.home.write(name, "s3cr3t\n");
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        let at = |name: &str| world.home.join(name).display().to_string();
        world.configure(&format!(
            "  - name: worm\n    kind: s3\n    url: {}\n    region: us-east-1\n    bucket: audit\n    prefix: logs/\n    lock: {{ days: 30 }}\n    access_key: {{ file: {} }}\n    secret_key: {{ file: {} }}\n",
            store.url, at("id"), at("key")
        ));
        let (whole, changed) = (world.log(50, true), world.log(300, true));
        let segment = |run: &str| world.runs().join(run).join("00000000.seg");
        let bytes = std::fs::read(segment(&whole)).unwrap();
        let mut spoilt = std::fs::read(segment(&changed)).unwrap();
        let middle = spoilt.len() / 2;
        spoilt[middle] ^= 1;
        std::fs::write(segment(&changed), spoilt).unwrap();
        let out = world.forward(&["--once"]).output();
        assert!(out.expect_code(1).contains("a record was changed"), "{}", out.stderr());
        assert!(!format!("{}{}", out.stdout(), out.stderr()).contains("s3cr3t"));

        let verdict = aisandbox::audit::log::verify(&world.runs().join(&whole)).unwrap();
        let device = aisandbox::base::to_hex(&verdict.identity.unwrap().0);
        let key = |run: &str, name: &str| format!("audit/logs/{device}/{run}/{name}");
        let object = key(&whole, "00000000.seg");
        let (status, headers) = store.ask("HEAD", &object, &[("x-amz-checksum-mode", "ENABLED")]);
        let header = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let checksum = STANDARD.encode(aisandbox::crypto::sha256(&bytes).bytes());
        assert_eq!((status, header("x-amz-checksum-sha256")), (200, checksum), "{object}");
        assert_eq!(
            (header("x-amz-object-lock-mode").as_str(), header("content-length")),
            ("COMPLIANCE", bytes.len().to_string())
        );
        // Deleting the version, and shortening its lock, are refused; the control is a version that is not there.
        let version = header("x-amz-version-id");
        assert_eq!(store.ask("DELETE", &format!("{object}?versionId={version}"), &[]).0, 403);
        assert_ne!(store.ask("PUT", &format!("{object}?retention&versionId={version}"), &[]).0, 200);
        assert_eq!(store.ask("HEAD", &object, &[]).0, 200);
        // Of the changed one there is an alert, and no segment.
        assert_eq!(store.ask("HEAD", &key(&changed, "00000000.seg"), &[]).0, 404);
        let held = world.leaves(&changed);
        assert_eq!(store.ask("HEAD", &key(&changed, &format!("alert-tampered-{held}.json")), &[]).0, 200);

        // Sent again it is as it was; another content under its name is told, and not taken for it.
        std::fs::remove_dir_all(world.state().join("forward")).unwrap();
        world.forward(&["--once"]).output().expect_code(1);
        let other = world.log(20, true);
        let (status, _) = store.ask("PUT", &key(&other, "00000000.seg"), &[]);
        assert_eq!(status, 200);
        let out = world.forward(&["--once", "--wait", "1"]).output();
        out.expect_code(2);
        out.expect_said("is there with another content");
    });
}
