//! The documents say what is so: every variable and metric, none invented, every file they name.

use std::collections::BTreeSet;
use std::path::Path;

use sync_service::config::VARIABLES;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first cell of each row of a page's tables, without its code marks.
fn first_cells(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|rest| rest.split('`').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_variable_is_documented_with_its_default_and_none_is_invented() {
    let page = read("docs/configuration.md");
    let known: BTreeSet<String> = VARIABLES.iter().map(|variable| variable.name.to_owned()).collect();
    assert_eq!(first_cells(&page), known);
    for variable in VARIABLES {
        let default = if variable.default.is_empty() {
            "none".to_owned()
        } else {
            format!("`{}`", variable.default)
        };
        let row = format!("| `{}` | {default} |", variable.name);
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn every_metric_is_documented_and_none_is_invented() {
    let source = read("src/report/metrics.rs");
    let program = source.split("#[cfg(test)]").next().unwrap();
    let mut known: BTreeSet<&str> = program
        .split('"')
        .filter(|word| word.starts_with("sync_service_") && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .collect();
    // The two series of the summary are its own.
    known.retain(|name| !name.ends_with("_sum") && !name.ends_with("_count"));
    let page = read("docs/operations.md");
    let documented: BTreeSet<String> = first_cells(&page)
        .into_iter()
        .filter(|name| name.starts_with("sync_service_"))
        .collect();
    assert_eq!(documented, known.into_iter().map(str::to_owned).collect());
}

#[test]
fn every_link_and_script_that_is_named_is_there() {
    for page in [
        "README.md",
        "docs/design.md",
        "docs/operations.md",
        "docs/configuration.md",
        "receiver/README.md",
    ] {
        let folder = Path::new(page).parent().unwrap();
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(folder)
                .join(link.split('#').next().unwrap());
            assert!(path.exists(), "{page} names {link}");
        }
        for word in text.split(|c: char| c.is_whitespace() || c == '`') {
            if word.starts_with("scripts/") && word.ends_with(".sh") {
                assert!(
                    Path::new(env!("CARGO_MANIFEST_DIR")).join(word).exists(),
                    "{page} names {word}"
                );
            }
        }
    }
}
