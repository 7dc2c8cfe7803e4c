//! pip, npm and cargo install a package from an index of the world, which each of them looks up, fetches, checks and runs.

use super::{have, rust, says};
use crate::support::skip;

#[test]
fn pip_installs_from_an_index() {
    let script = "
say install python -m pip install --disable-pip-version-check -q -i https://site.test/pip/simple --target t tinypack
say run python t/tinypack.py
";
    says(|_| (), script, "install:\nrun: tiny of pip");
}

#[test]
fn npm_installs_from_a_registry() {
    if !have(&["npm"]) {
        return;
    }
    let script = "
mkdir n; cd n
say install sh -c \"npm install --registry https://site.test/npm --no-audit --no-fund tinypack | sed 's/ in .*//'\"
say run node node_modules/tinypack
";
    says(|_| (), script, "install: added 1 package\nrun: tiny of npm");
}

#[test]
fn cargo_installs_from_a_sparse_index() {
    if rust().is_none() {
        return skip("no toolchain of Rust was found by `rustc --print sysroot`");
    }
    let script = "
export CARGO_TERM_COLOR=never
say install cargo install --quiet --index sparse+https://site.test/cargo/ --root c tinypack
say run c/bin/tinypack
";
    says(|_| (), script, "install:\nrun: tiny of cargo");
}
