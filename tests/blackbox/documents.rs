//! The documents say what is so: every variable and metric, none invented, every file they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sync_service::config::VARIABLES;

use crate::support::Service;

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

#[test]
fn the_completions_are_what_the_program_prints() {
    for (shell, file) in [
        ("bash", "sync-service"),
        ("zsh", "_sync-service"),
        ("fish", "sync-service.fish"),
    ] {
        let printed = Service::command(&["completions", shell]).run().exits(0).stdout;
        assert!(
            printed == read(&format!("completions/{file}")),
            "run: sync-service completions {shell} >completions/{file}"
        );
    }
}

/// What a user may set besides our own variables.
const NOT_OURS: [&str; 3] = ["RUST_LOG", "HTTPS_PROXY", "NO_PROXY"];

/// The words of a text that are written like names of variables.
fn variables_of(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_uppercase() && c != '_')
        .filter(|word| word.contains('_') && word.len() > 3)
        .filter(|word| !NOT_OURS.contains(word))
        .collect()
}

#[test]
fn the_manual_page_is_of_this_version_and_tells_of_every_variable_and_command() {
    let page = read("man/sync-service.1");
    let title = page.lines().next().unwrap();
    assert!(
        title.contains(&format!("\"sync-service {}\"", env!("CARGO_PKG_VERSION"))),
        "{title}"
    );

    let environment = page
        .split(".SH ENVIRONMENT")
        .nth(1)
        .and_then(|rest| rest.split("\n.SH ").next())
        .unwrap();
    let known: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(variables_of(environment), known);

    let help = Service::command(&["--help"]).run().exits(0).stdout;
    let commands: Vec<&str> = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"status"), "{help}");
    for command in commands.iter().filter(|name| **name != "help") {
        assert!(page.contains(&format!("\n.B {command}\n")), "{command}");
    }
}

#[test]
fn the_example_environment_has_every_variable_with_its_default_and_no_other() {
    let example = read("systemd/sync-service.env");
    let settings: BTreeMap<&str, &str> = example
        .lines()
        .map(|line| line.trim_start_matches('#'))
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .filter(|(name, _)| !NOT_OURS.contains(name))
        .collect();
    let known: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(settings.keys().copied().collect::<BTreeSet<_>>(), known);
    for variable in VARIABLES.iter().filter(|variable| !variable.default.is_empty()) {
        assert_eq!(settings[variable.name], variable.default, "{}", variable.name);
    }
}

#[test]
fn the_debian_package_is_of_this_version() {
    let changelog = read("debian/changelog");
    let first = changelog.lines().next().unwrap();
    assert!(first.contains(&format!("({})", env!("CARGO_PKG_VERSION"))), "{first}");
}
