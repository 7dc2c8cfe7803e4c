//! Groups of names that an agent must not change in a writable folder, each with its reason.
//!
//! Never lists files that people ask agents to edit (CLAUDE.md, AGENTS.md, README, .gitattributes, .editorconfig):
//! they hold words or settings that run nothing. What is here makes a program *outside* run something, or change
//! what an agent may do, the next time somebody opens the folder.

use super::nearest::nearest;
use crate::profile::Protect;

/// One name of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupEntry {
    /// Below the writable folder.
    pub path: &'static str,
    /// As [`Protect::name_only`].
    pub name_only: bool,
    /// What it could make run, and when.
    pub reason: &'static str,
}

const fn whole(path: &'static str, reason: &'static str) -> GroupEntry {
    GroupEntry { path, name_only: false, reason }
}

const fn name_only(path: &'static str, reason: &'static str) -> GroupEntry {
    GroupEntry { path, name_only: true, reason }
}

const GIT: &[GroupEntry] = &[
    name_only(
        ".git",
        "moved away, another with hooks of its own could take its place; its inside must stay usable",
    ),
    whole(".git/hooks", "programs that git runs on commit, checkout, merge and push"),
    whole(".git/config", "core.fsmonitor, core.sshCommand, filters, aliases and pagers are commands"),
    whole(".git/config.worktree", "read like .git/config where extensions.worktreeConfig is set"),
    whole(".git/info/attributes", "names the filters and diff drivers that git runs on files"),
    whole(".git/commondir", "sends git to another folder for its config and hooks"),
    whole(".gitmodules", "addresses and update commands that a later submodule update uses"),
    whole(".gitconfig", "git's own settings where the writable folder is a home"),
];

const SHELL: &[GroupEntry] = &[
    whole(".bashrc", "bash runs it at each interactive start"),
    whole(".bash_profile", "bash runs it at login"),
    whole(".bash_login", "bash runs it at login"),
    whole(".bash_logout", "bash runs it at the end of a login shell"),
    whole(".bash_aliases", "the usual .bashrc of Debian runs it"),
    whole(".profile", "every POSIX shell and many display managers run it at login"),
    whole(".xprofile", "display managers run it at login"),
    whole(".xinitrc", "startx runs it"),
    whole(".zshrc", "zsh runs it at each interactive start"),
    whole(".zshenv", "zsh runs it at every start"),
    whole(".zprofile", "zsh runs it at login"),
    whole(".zlogin", "zsh runs it at login"),
    whole(".zlogout", "zsh runs it at the end of a login shell"),
    whole(".kshrc", "ksh runs it at each interactive start"),
    whole(".config/fish", "fish runs config.fish and conf.d at every start"),
    whole(".inputrc", "binds keys to text that readline types into a shell"),
    whole(".tmux.conf", "tmux runs commands from it"),
    whole(".screenrc", "screen runs commands from it"),
    whole(".envrc", "direnv runs it on entering the folder"),
    whole(".mise.toml", "mise runs hooks and tasks and sets PATH on entering the folder"),
    whole("mise.toml", "as .mise.toml"),
    whole(".tool-versions", "asdf and mise choose from it which programs a command name starts"),
    whole(".ssh", "authorized_keys opens the machine; config has commands"),
];

const EDITORS: &[GroupEntry] = &[
    whole(
        ".vscode",
        "tasks that run on opening, launch commands, and settings that name interpreters and linters",
    ),
    whole(".idea", "run configurations, file watchers and startup tasks"),
    whole(".fleet", "run configurations"),
    whole(".zed", "tasks, and settings that name language servers"),
    whole(".vim", "plugins that vim loads where the writable folder is a home"),
    whole(".vimrc", "vim runs it where exrc is set or the folder is a home"),
    whole(".exrc", "vi and vim run it where exrc is set"),
    whole(".nvimrc", "nvim runs it where exrc is set"),
    whole(".nvim.lua", "nvim runs it where exrc is set"),
    whole(".lvimrc", "the localvimrc plugin runs it"),
    whole(".config/nvim", "nvim runs it at every start"),
    whole(".emacs", "emacs runs it at every start"),
    whole(".emacs.d", "emacs runs it at every start"),
    whole(".dir-locals.el", "emacs evaluates it on opening a file"),
    whole(".helix", "language servers by command"),
    whole(".sublime-project", "build systems by command"),
    whole(".devcontainer", "commands that run on this machine on opening the folder"),
    whole(".devcontainer.json", "as .devcontainer"),
];

const AGENTS: &[GroupEntry] = &[
    whole(".aisandbox.yaml", "the project's wishes to this program"),
    whole(".aisandbox", "the same as a folder"),
    whole(".mcp.json", "MCP servers, which are commands"),
    whole(".claude/settings.json", "hooks, permissions and environment of Claude Code"),
    whole(".claude/settings.local.json", "the same, for one person"),
    whole(".claude/hooks", "programs that hooks name"),
    whole(".claude/commands", "prompts with shell commands that run without a question"),
    whole(".claude/agents", "prompts and tool rights of sub-agents"),
    whole(".claude/skills", "prompts and programs that the agent runs"),
    whole(".claude/plugins", "programs that the agent runs"),
    whole(".claude.json", "MCP servers and trust decisions where the folder is a home"),
    whole(".cursor", "MCP servers, hooks and rules of Cursor"),
    whole(".cursorrules", "rules of older Cursor, read without a question"),
    whole(".codex", "settings, MCP servers and approval mode of Codex"),
    whole(".gemini", "settings, MCP servers and extensions of Gemini CLI"),
    whole(".qwen", "settings and MCP servers of Qwen Code"),
    whole(".windsurf", "MCP servers, hooks and rules of Windsurf"),
    whole(".windsurfrules", "rules of older Windsurf"),
    whole(".continue", "MCP servers and models of Continue"),
    whole(".continuerc.json", "as .continue"),
    whole(".roo", "MCP servers of Roo Code"),
    whole(".clinerules", "hooks and workflows of Cline"),
    whole(".aider.conf.yml", "lint and test commands of aider"),
    whole(".opencode", "agents, commands and plugins of opencode"),
    whole("opencode.json", "MCP servers, formatters and permissions of opencode"),
    whole("opencode.jsonc", "as opencode.json"),
    whole(".crush.json", "MCP and language servers of Crush"),
    whole("crush.json", "as .crush.json"),
    whole(".goose", "extensions of goose, which are commands"),
    whole(".amazonq", "MCP servers and agents of Amazon Q"),
    whole(".kiro", "hooks and MCP servers of Kiro"),
    whole(".vibe", "settings and tools of Vibe"),
];

/// The groups by name.
const GROUPS: &[(&str, &[GroupEntry])] =
    &[("git", GIT), ("shell", SHELL), ("editors", EDITORS), ("agents", AGENTS)];

/// The names a group holds; `None` for a name that is no group.
pub fn protect_group(name: &str) -> Option<&'static [GroupEntry]> {
    GROUPS.iter().find(|(group, _)| *group == name).map(|(_, entries)| *entries)
}

/// What one word of `protect` means: a group, or a path of the profile's own (`./git` is a file of that name).
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn read(word: &str) -> Result<Vec<Protect>, (String, Option<String>)> {
    if let Some((group, entries)) = GROUPS.iter().find(|(group, _)| *group == word) {
        let made = |entry: &GroupEntry| Protect {
            path: entry.path.into(),
            name_only: entry.name_only,
            group: Some(group),
        };
        return Ok(entries.iter().map(made).collect());
    }
    let close = nearest(word, GROUPS.iter().map(|(group, _)| *group)).filter(|_| !word.contains(['/', '.']));
    if let Some(group) = close {
        let hint = format!("did you mean `{group}`? `./{word}` is a file of that name");
        return Err((format!("unknown protect group `{word}`"), Some(hint)));
    }
    let path = word.strip_prefix("./").unwrap_or(word).trim_end_matches('/');
    let hint =
        Some(format!("write a path below the entry, such as `.env`, or a group: {}", names().join(", ")));
    let wrong = |why: &str| Err((format!("`{word}` {why}"), hint.clone()));
    if path.starts_with('/') || path.starts_with('~') || path.starts_with('$') {
        return wrong("is not relative to the entry");
    }
    if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("has an empty, `.` or `..` component");
    }
    if path.contains(['*', '?', '[']) || path.contains(char::is_control) {
        return wrong("has a wildcard or a control character: protected names are exact");
    }
    Ok(vec![Protect { path: path.into(), name_only: false, group: None }])
}

/// The names of all groups.
pub(super) fn names() -> Vec<&'static str> {
    GROUPS.iter().map(|(group, _)| *group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_group_is_a_plain_relative_path_and_comes_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (_, entries) in GROUPS {
            for entry in *entries {
                assert!(read(&format!("./{}", entry.path)).is_ok(), "{}", entry.path);
                assert!(seen.insert(entry.path), "{} twice", entry.path);
                assert!(!entry.reason.is_empty());
            }
        }
    }

    #[test]
    fn what_people_ask_an_agent_to_edit_is_not_protected() {
        let all: Vec<_> =
            GROUPS.iter().flat_map(|(_, entries)| entries.iter().map(|entry| entry.path)).collect();
        for path in [
            "CLAUDE.md",
            "AGENTS.md",
            "README.md",
            ".gitignore",
            ".gitattributes",
            "package.json",
            "Makefile",
        ] {
            assert!(!all.contains(&path), "{path}");
        }
        assert!(all.contains(&".git/hooks"));
    }

    #[test]
    fn git_itself_stays_usable() {
        let git = read("git").unwrap();
        assert!(git.iter().any(|protect| protect.path == ".git" && protect.name_only));
        assert!(git.iter().any(|protect| protect.path == ".git/hooks" && !protect.name_only));
    }

    #[test]
    fn a_misspelt_group_is_not_taken_for_a_file() {
        assert_eq!(read("gti").unwrap_err().1.unwrap(), "did you mean `git`? `./gti` is a file of that name");
        assert_eq!(read("./gti").unwrap()[0].path, "gti");
        assert_eq!(read("Makefile").unwrap()[0].path, "Makefile");
    }

    #[test]
    fn a_pattern_that_leaves_the_entry_is_refused() {
        for word in ["/etc", "..", "a/../b", "a//b", "", "./", "*.env", "~/x", "$HOME/x", "a\nb"] {
            assert!(read(word).is_err(), "{word:?}");
        }
    }
}
