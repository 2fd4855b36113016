//! Which room may know which, and how long a file may be.

use std::path::{Path, PathBuf};

const MAX_LINES: usize = 300;

/// A room, and what none of its files may mention.
const ARROWS: [(&str, &[&str]); 8] = [
    ("record.rs", &["crate::", "axum", "rusqlite", "serde"]),
    ("peer.rs", &["crate::", "axum", "rusqlite"]),
    (
        "store",
        &[
            "axum",
            "hyper",
            "serde_json",
            "crate::http",
            "crate::answer",
            "crate::json",
            "crate::config",
        ],
    ),
    ("store/sqlite/sql.rs", &["super::w", "store::sqlite"]),
    ("store/folder", &["rusqlite", "super::sqlite", "store::sqlite"]),
    (
        "json",
        &[
            "rusqlite",
            "crate::http",
            "crate::store",
            "crate::decode",
            "crate::config",
        ],
    ),
    ("decode", &["rusqlite", "crate::http", "crate::store", "crate::config"]),
    ("http", &["rusqlite", "store::sqlite", "store::folder", "crate::server"]),
];

/// What a part of a room may mention all the same.
const EXCEPTIONS: [(&str, &str); 2] = [
    // The type of bytes that the bucket's client takes: no crate of its own for a name.
    ("store/bucket", "axum"),
    // PostgreSQL has no column for a value of any type but JSON.
    ("store/postgres", "serde_json"),
];

/// SQL is known in one place alone.
const SQL_ROOM: &str = "store/sqlite";

/// Tests alone.
const CONTRACT: &str = "store/contract";

fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, paths);
            } else {
                paths.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() > 20);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_string();
    paths
        .iter()
        .map(|path| (name(path), std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn arrows_between_rooms_point_one_way() {
    let sources = sources();
    for (room, unknown) in ARROWS {
        let mut files = sources
            .iter()
            .filter(|(name, _)| Path::new(name).starts_with(room))
            .peekable();
        assert!(files.peek().is_some(), "{room} is gone");
        for (name, text) in files {
            for word in unknown {
                let may = |(part, known): &(&str, &str)| word == known && Path::new(name).starts_with(part);
                if EXCEPTIONS.iter().any(may) {
                    continue;
                }
                assert!(!text.contains(word), "{name} knows {word}");
            }
        }
    }
    for (name, text) in &sources {
        let may = [SQL_ROOM, CONTRACT]
            .iter()
            .any(|room| Path::new(name).starts_with(room));
        assert!(may || !text.contains("rusqlite"), "{name} knows rusqlite");
    }
}

#[test]
fn files_are_short() {
    for (name, text) in sources() {
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let lines = text[..tests].lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines without its tests");
    }
}
