//! Running what may not run. Seen: noexec mounts passed by with `ld.so ./program` and with files in memory.

use crate::support::for_each_user;

#[test]
fn a_noexec_place_runs_nothing_by_the_loader_either() {
    let script = |folder: &str| {
        format!(
            "cp /usr/bin/echo {folder}/e && chmod +x {folder}/e || exit 9
{folder}/e direct; loader=$(ls /lib64/ld-linux-*.so* /lib/ld-linux-*.so* 2>/dev/null | head -1)
$loader {folder}/e loader; cp $(ldd /usr/bin/echo | grep -o '/[^ ]*libc.so.6') {folder}/l.so; chmod +x {folder}/l.so
LD_PRELOAD={folder}/l.so /usr/bin/echo 2>&1 | grep -c 'cannot be preloaded'
printf '#!/bin/sh\\necho script\\n' > {folder}/s; chmod +x {folder}/s; {folder}/s; echo ran"
        )
    };
    for_each_user(|home| {
        let free = home.exec(&[], &script("/tmp"));
        assert_eq!(free.expect_code(0), "direct\nloader\n0\nscript\nran\n"); // the control: /tmp may run programs
        let closed = home.exec(&[], &script("/var/tmp"));
        assert_eq!(closed.expect_code(0), "1\nran\n");
    });
}

#[test]
fn a_file_in_memory_may_run_because_every_jit_needs_it() {
    // Documented, not forbidden: what runs from memory has the agent's rights and no more.
    let script = "import os
fd = os.memfd_create('m', 0)
os.write(fd, open('/usr/bin/id', 'rb').read())
os.execve(fd, ['id', '-u'], {})";
    for_each_user(|home| {
        let ran = home.aisandbox(&["exec", "--", "python3", "-c", script]).output();
        assert_eq!(ran.expect_code(0), format!("{}\n", home.user.uid));
    });
}
