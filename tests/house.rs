//! Habits of the source, kept by tests: which room may know which, and how long a file or a function may be.

// A test fails by panicking; the lints are for the programs.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room of the uploader and the rooms it may know. Who is not named beside a room must not be known there.
const ROOMS: [(&str, &[&str]); 15] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "clock",
            "config",
            "device",
            "hooks",
            "instance",
            "local_time",
            "notice",
            "report",
            "row",
            "shutdown",
            "sync",
            "text",
            "upload",
        ],
    ),
    (
        "sync",
        &[
            "clock",
            "config",
            "device",
            "hooks",
            "instance",
            "local_time",
            "notice",
            "row",
            "upload",
        ],
    ),
    ("config", &["upload"]),
    ("device", &["local_time", "notice", "row", "text"]),
    ("upload", &["notice", "row", "shutdown", "text"]),
    ("hooks", &["notice", "row", "shutdown"]),
    ("report", &["local_time", "notice", "row", "text"]),
    ("instance", &[]),
    ("notice", &["row"]),
    ("clock", &["shutdown"]),
    ("shutdown", &[]),
    ("local_time", &[]),
    ("row", &[]),
    ("text", &[]),
];

/// Lines of a file without its tests.
const FILE_LINES: usize = 300;

/// Lines of a function, from its name to its brace.
const FUNCTION_LINES: usize = 50;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder, without folders of tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// Each file below these folders, by its path in the repository, without the tests at its end.
fn programs(folders: &[&str]) -> BTreeMap<String, String> {
    let mut found = Vec::new();
    for folder in folders {
        sources(&root().join(folder), &mut found);
    }
    assert!(found.len() > 20, "{found:?}");
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            (name, program)
        })
        .collect()
}

/// The room that a path below `src` belongs to: its folder, or the file itself.
fn room(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn each_room_knows_only_those_it_may_know() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let (mut rooms, mut wrong) = (BTreeSet::new(), Vec::new());
    for (path, program) in programs(&["src"]) {
        let room = room(&path);
        if room == "lib" {
            continue;
        }
        rooms.insert(room.to_owned());
        let may = allowed
            .get(room)
            .unwrap_or_else(|| panic!("{path}: a new room; say in ROOMS and docs/design.md whom it may know"));
        let code = program.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: String = code.collect::<Vec<_>>().join("\n").replace("sync_service::", "crate::");
        for named in code.split("crate::").skip(1) {
            let other: String = named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if allowed.contains_key(other.as_str()) && other != room && !may.contains(&other.as_str()) {
                wrong.push(format!("{path} knows {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let named: BTreeSet<String> = allowed.keys().map(|room| (*room).to_owned()).collect();
    assert_eq!(rooms, named, "a room in ROOMS is gone, or the other way round");
}

#[test]
fn the_map_in_the_design_page_is_that_of_the_rooms() {
    let page = std::fs::read_to_string(root().join("docs/design.md")).unwrap();
    for (room, may) in ROOMS {
        let line = page.lines().find(|line| line.starts_with(&format!("| `{room}` |")));
        let known = line.and_then(|line| line.split('|').nth(3));
        let known = known.unwrap_or_else(|| panic!("{room} is not on the map"));
        if known.trim() == "all below" {
            continue;
        }
        let mut named: BTreeSet<&str> = known.split('`').skip(1).step_by(2).collect();
        if known.contains("values") {
            named.extend(["notice", "row"]);
        }
        assert_eq!(named, may.iter().copied().collect(), "what {room} may know");
    }
}

#[test]
fn no_file_is_longer_than_one_can_read() {
    let long: Vec<String> = programs(&["src", "receiver/src", "fleet/src"])
        .into_iter()
        .map(|(path, program)| (path, program.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(path, lines)| format!("{path} has {lines} lines: find its seam"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut long = Vec::new();
    for (path, program) in programs(&["src", "receiver/src", "fleet/src"]) {
        let lines: Vec<&str> = program.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let indent = line.len() - code.len();
            let is_function = ["fn ", "pub fn ", "async fn ", "pub async fn "]
                .iter()
                .any(|words| code.starts_with(words))
                || (code.starts_with("pub(") && code.contains(" fn "));
            if !is_function || line.ends_with(';') {
                continue;
            }
            let brace = format!("{}}}", " ".repeat(indent));
            let end = lines[start..].iter().position(|line| **line == brace).unwrap_or(0);
            if end > FUNCTION_LINES {
                long.push(format!("{path}:{}: {end} lines: {code}", start + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// What the compiler takes in beside the sources must be in the image's build as well, which has only what is named there.
#[test]
fn the_images_are_built_from_every_file_that_is_taken_in() {
    let ignored = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
    let mut taken = BTreeSet::new();
    for (folder, dockerfile) in [("src", "Dockerfile.sync"), ("receiver/src", "Dockerfile.receiver")] {
        let dockerfile = std::fs::read_to_string(root().join(dockerfile)).unwrap();
        for (path, program) in programs(&[folder]) {
            for name in program
                .split("include_str!(")
                .skip(1)
                .filter_map(|text| text.split('"').nth(1))
            {
                let mut file: Vec<&str> = path.split('/').collect();
                file.pop();
                for step in name.split('/') {
                    match step {
                        ".." => drop(file.pop()),
                        step => file.push(step),
                    }
                }
                let file = file.join("/");
                let shown = ignored.lines().filter_map(|line| line.strip_prefix('!'));
                assert!(
                    shown.into_iter().any(|of| file.starts_with(of)),
                    ".dockerignore hides {file}"
                );
                let copied = dockerfile
                    .lines()
                    .filter_map(|line| line.strip_prefix("COPY ")?.split(' ').next());
                assert!(
                    copied.into_iter().any(|of| file.starts_with(of)),
                    "the Dockerfile of {folder} lacks {file}"
                );
                taken.insert(file);
            }
        }
    }
    assert!(taken.len() > 10, "{taken:?}");
}
