//! Chromium without a window, spoken to over two pipes: a page is opened, waited for by what it says, and read.

use super::support::has_program;
use super::support::run::{PATIENCE, comes_true};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const PROGRAM: &str = "chromium-headless-shell";

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    pipes: RefCell<Pipes>,
    profile: PathBuf,
}

struct Pipes {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    /// What the browser complained of.
    said: Vec<String>,
}

impl Browser {
    /// A browser, where there is one; its profile lies in a folder of its own.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        if !has_program(PROGRAM) {
            return None;
        }
        let profile = folder.join(format!("browser-{}", aisandbox::audit::new_run_id().unwrap()));
        std::fs::create_dir(&profile).unwrap();
        // It reads commands from descriptor 3 and writes answers to 4. As root it has no sandbox of its own.
        let line = format!(
            "exec {PROGRAM} --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe \
             --user-data-dir={} about:blank 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null",
            profile.display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &line]).env("HOME", &profile).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = super::support::run::spawn(&mut command).unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let pipes = RefCell::new(Pipes { to, from, session: None, number: 0, said: Vec::new() });
        let browser = Self { child, pipes, profile };
        let page = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": page["targetId"], "flatten": true });
        let session = browser.ask("Target.attachToTarget", target)["sessionId"].as_str().unwrap().to_owned();
        browser.pipes.borrow_mut().session = Some(session);
        ["Page.enable", "Runtime.enable", "Log.enable"]
            .iter()
            .for_each(|what| drop(browser.ask(what, json!({}))));
        Some(browser)
    }

    /// Gives a command, and its answer. What comes meanwhile and complains is kept.
    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        let mut pipes = self.pipes.borrow_mut();
        pipes.number += 1;
        let number = pipes.number;
        let mut message = json!({ "id": number, "method": method, "params": params });
        if let Some(session) = &pipes.session {
            message["sessionId"] = session.as_str().into();
        }
        pipes.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            assert!(pipes.from.read_until(0, &mut bytes).unwrap() > 0, "the browser went away");
            bytes.pop();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            let complains = ["Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"];
            if answer["method"].as_str().is_some_and(|method| complains.contains(&method)) {
                pipes.said.push(answer["params"].to_string());
            }
            if answer["id"] == number {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// What an expression comes to in the page.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let found = self.ask("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// Opens a file and waits until its script has said what it found; gives that, as the attributes of the page.
    pub(crate) fn open(&self, file: &Path) -> Value {
        self.load(file);
        self.wait("document.documentElement.dataset.proof");
        self.eval("({ ...document.documentElement.dataset })")
    }

    /// Opens a file and waits until it is read.
    pub(crate) fn load(&self, file: &Path) {
        self.ask("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        self.wait("location.protocol === 'file:' && document.readyState === 'complete'");
    }

    /// Waits until an expression holds.
    pub(crate) fn wait(&self, expression: &str) {
        let holds = || self.eval(&format!("!!({expression})")) == true;
        assert!(comes_true(PATIENCE, holds), "{expression}: {:?}", self.eval("document.body.innerText"));
    }

    /// What the browser complained of so far: errors of the script, and what the page's policy stopped.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.pipes.borrow().said.clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // Its helpers may still write there for a moment.
        let profile = &self.profile;
        comes_true(PATIENCE, || std::fs::remove_dir_all(profile).is_ok() || !profile.exists());
    }
}
