//! The documents say what is so: every variable and metric, none invented, every file they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sync_service::VARIABLES;

use crate::support::{Backend, Device, Service};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path = root().join(path);
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
    let (device, backend) = (Device::new(), Backend::start());
    let file = device.folder().join("sync.prom");
    device.event();
    Service::once(&device, &backend)
        .env("SYNC_METRICS_FILE", &file)
        .run()
        .exits(0);
    let written: BTreeSet<String> = std::fs::read_to_string(&file)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert!(written.len() > 10, "{written:?}");
    let documented: BTreeSet<String> = first_cells(&read("docs/operations.md"))
        .into_iter()
        .filter(|name| name.starts_with("sync_service_"))
        .collect();
    assert_eq!(documented, written);
}

/// Every page of the repository.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = std::fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()))
        .filter(|name| name.ends_with(".md"))
        .collect();
    assert!(pages.len() > 5, "{pages:?}");
    pages.extend(["README.md", "CHANGELOG.md", "receiver/README.md"].map(str::to_owned));
    pages
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let folder = root().join(Path::new(&page).parent().unwrap());
        let text = read(&page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, a)| (file, Some(a)));
            let target = if file.is_empty() {
                root().join(&page)
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{page} names {link}");
            if let Some(anchor) = anchor {
                let there = anchors(&std::fs::read_to_string(target).unwrap());
                assert!(there.contains(anchor), "{page} names {link}; there are {there:?}");
            }
        }
    }
}

#[test]
fn every_script_that_is_named_is_there() {
    for page in pages() {
        for word in read(&page).split(|c: char| c.is_whitespace() || "`(),;:".contains(c)) {
            if word.starts_with("scripts/") {
                assert!(root().join(word).exists(), "{page} names {word}");
            }
        }
    }
}

#[test]
fn every_source_file_that_is_named_is_there() {
    for page in pages() {
        for word in read(&page).split(|c: char| c.is_whitespace() || "`(),;:".contains(c)) {
            if word.ends_with(".rs") && word.contains('/') {
                let there = ["", "src", "receiver", "receiver/src"]
                    .iter()
                    .any(|folder| root().join(folder).join(word).exists());
                assert!(there, "{page} names {word}");
            }
        }
    }
}

#[test]
fn every_variable_that_is_named_exists() {
    let mut known: BTreeSet<String> = VARIABLES.iter().map(|variable| variable.name.to_owned()).collect();
    known.extend(first_cells(&read("receiver/README.md")));
    // What the alert's command is given.
    for name in ["STATE", "TABLE", "OLDEST_AGE_SECONDS", "WAITING", "DEVICE_ID"] {
        known.insert(format!("SYNC_ALERT_{name}"));
    }
    // What the scripts that build are told.
    known.extend(
        variables_of(&read("scripts/build-deb.sh"))
            .into_iter()
            .map(str::to_owned),
    );
    for page in pages() {
        for word in read(&page).split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')) {
            let ours = ["SYNC_", "BACKEND_", "HEARTBEAT_", "LOCAL_DB_", "RECEIVER_"];
            if ours.iter().any(|start| word.starts_with(start)) {
                assert!(known.contains(word), "{page} names {word}");
            }
        }
    }
}

#[test]
fn what_may_hold_a_token_is_installed_for_its_owner_alone() {
    let mut installed = 0;
    for page in pages() {
        for line in read(&page).lines().filter(|line| line.contains("install ")) {
            if line.contains("sync-service.env") || line.contains("/token") {
                installed += 1;
                assert!(line.contains("-m 600") || line.contains("-m 640"), "{page}: {line}");
            }
        }
    }
    assert!(installed >= 2, "the pages still say how");
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

/// What `sync-receiver.service` sets itself.
const SET_BY_THE_UNIT: [&str; 2] = ["RECEIVER_DATA", "RECEIVER_TOKENS_FILE"];

#[test]
fn the_receivers_example_environment_has_every_setting_with_its_default_and_no_other() {
    let (example, page) = (read("systemd/sync-receiver.env"), read("receiver/README.md"));
    let settings: BTreeMap<&str, &str> = example
        .lines()
        .filter_map(|line| line.strip_prefix("#RECEIVER_"))
        .filter_map(|line| line.split_once('='))
        .collect();
    let defaults: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `RECEIVER_"))
        .filter_map(|line| Some((line.split('`').next()?, line.split(" | ").nth(2)?)))
        .filter(|(name, _)| !SET_BY_THE_UNIT.contains(&format!("RECEIVER_{name}").as_str()))
        .collect();
    assert!(
        settings.keys().eq(defaults.keys()),
        "{:?} {:?}",
        settings.keys(),
        defaults.keys()
    );
    for (name, default) in defaults {
        // A default that is not a value but words has an example instead.
        if let Some(value) = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            assert_eq!(settings[name], value, "{name}");
        }
    }
}

#[test]
fn the_debian_package_is_of_this_version() {
    let changelog = read("debian/changelog");
    let first = changelog.lines().next().unwrap();
    assert!(first.contains(&format!("({})", env!("CARGO_PKG_VERSION"))), "{first}");
}

#[test]
fn cross_toml_names_targets_that_exist() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let known = std::process::Command::new(rustc)
        .args(["--print", "target-list"])
        .output()
        .unwrap();
    let known = String::from_utf8(known.stdout).unwrap();
    let settings = read("cross.toml");
    let named: BTreeSet<&str> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("[target."))
        .filter_map(|rest| rest.split(['.', ']']).next())
        .collect();
    assert!(named.len() >= 3, "{named:?}");
    for target in named {
        assert!(known.lines().any(|line| line == target), "{target}");
        // The comment says which Pi it is for.
        assert!(settings.contains(&format!("#   {target} ")), "{target}");
    }
}
