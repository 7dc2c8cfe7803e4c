//! git: by HTTPS, and by ssh, where the server speaks first.

use super::{have, says};

#[test]
fn git_clones_and_pushes_by_https() {
    if !have(&["git"]) {
        return;
    }
    // The branch has a name of its own: all runs push to one repository. With the buffer the push has a length: some
    // libcurl and the server stop in the middle of one without, outside of any sandbox too.
    let script = "
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
url=https://site.test/git/repo.git branch=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
say clone git clone -q $url a
say file cat a/file
head -c 1000000 /dev/urandom > a/big; git -C a add big; git -C a commit -q -m second
say push git -C a -c http.postBuffer=4000000 push -q origin HEAD:refs/heads/$branch
say pushed sh -c \"git ls-remote $url | grep -c $branch\"
say again git clone -q -b $branch $url b
say whole cmp a/big b/big
";
    says(|_| (), script, "clone:\nfile: of the repository\npush:\npushed: 1\nagain:\nwhole:");
}

#[test]
fn git_clones_and_pushes_by_ssh() {
    if !have(&["git", "ssh"]) {
        return;
    }
    let script = "
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
export GIT_SSH_COMMAND='ssh -F /dev/null -o UserKnownHostsFile=/mnt/world/known_hosts'
url=ssh://git@git.test/repo.git branch=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
say clone git clone -q $url a
say file cat a/file
head -c 1000000 /dev/urandom > a/big; git -C a add big; git -C a commit -q -m second
say push git -C a push -q origin HEAD:refs/heads/$branch
say again git clone -q -b $branch $url b
say whole cmp a/big b/big
";
    says(|_| (), script, "clone:\nfile: of the repository\npush:\nagain:\nwhole:");
}
