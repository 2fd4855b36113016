//! The page's files as the program serves them, and what they promise: words in both languages, contrasts, budget.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::Receiver;

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("page").join(name)).unwrap()
}

fn every_module() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
    let mut text = file("main.js");
    for part in ["lib", "views"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            text += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
    }
    text
}

/// Key → its plural forms, or `""` for a plain text; and its texts.
fn dictionary(language: &str) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let mut words = BTreeMap::new();
    let text = file(&format!("words/{language}.js")) + &file(&format!("words/{language}_more.js"));
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once(": ") else {
            continue;
        };
        let key = key.trim_matches('\'').to_string();
        let texts: Vec<String> = value.split('\'').skip(1).step_by(2).map(str::to_string).collect();
        let forms = if value.starts_with('{') {
            ["one", "other"]
                .iter()
                .filter(|form| value.contains(&format!("{form}: ")))
                .map(|form| (*form).to_string())
                .collect()
        } else {
            Vec::new()
        };
        assert!(
            words.insert(key.clone(), (forms, texts)).is_none(),
            "{language}: {key} twice"
        );
    }
    words
}

fn parameters(texts: &[String]) -> Vec<String> {
    let mut names: Vec<String> = texts
        .iter()
        .flat_map(|text| {
            text.split('{')
                .skip(1)
                .filter_map(|part| part.split_once('}'))
                .map(|(name, _)| name.to_string())
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn both_languages_say_everything() {
    let (english, french) = (dictionary("en"), dictionary("fr"));
    assert!(english.len() > 120);
    assert_eq!(english.keys().collect::<Vec<_>>(), french.keys().collect::<Vec<_>>());
    for (key, (forms, texts)) in &english {
        let (other_forms, other_texts) = &french[key];
        assert_eq!(forms, other_forms, "{key}");
        assert_eq!(parameters(texts), parameters(other_texts), "{key}");
        assert!(forms.is_empty() || forms.len() == 2, "{key}");
        for text in texts.iter().chain(other_texts) {
            assert!(!text.trim().is_empty(), "{key}");
        }
    }
}

#[test]
fn every_word_that_is_used_is_there() {
    let words = dictionary("en");
    let text = every_module();
    let mut used = 0;
    for (at, _) in text.match_indices("t('") {
        let is_word = !text[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric());
        let Some((key, after)) = text[at + 3..].split_once('\'').filter(|_| is_word) else {
            continue;
        };
        if after.starts_with([')', ',']) {
            used += 1;
            assert!(words.contains_key(key), "{key}");
        }
    }
    assert!(used > 80, "{used}");
}

#[test]
fn nothing_makes_markup_or_script_of_a_text() {
    let text = every_module();
    for banned in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
        ".srcdoc",
        "http://",
        "https://",
    ] {
        let found = text.matches(banned).count();
        // The name of SVG is an address that nobody goes to.
        let allowed = usize::from(banned == "http://");
        assert_eq!(found, allowed, "{banned}");
    }
    assert!(!file("index.html").contains("style=") && !file("index.html").contains("//"));
}

fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_can_be_read_on_every_ground_light_and_dark() {
    let css = file("style.css");
    let schemes: Vec<BTreeMap<&str, &str>> = css
        .split(":root {")
        .skip(1)
        .take(2)
        .map(|block| {
            let block = block.split('}').next().unwrap();
            block
                .split(';')
                .filter_map(|line| line.trim().strip_prefix("--")?.split_once(": "))
                .collect()
        })
        .collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        for text in ["text", "muted", "accent", "ok", "warn", "bad"] {
            for ground in ["bg", "surface", "tint"] {
                let found = contrast(scheme[text], scheme[ground]);
                assert!(found >= 4.5, "{text} on {ground}: {found:.2}");
            }
        }
        for ground in ["bg", "surface"] {
            assert!(contrast(scheme["line"], scheme[ground]) >= 3.0, "line on {ground}");
        }
    }
}

#[test]
fn the_page_is_the_same_at_each_place_and_its_files_are_kept_for_ever() {
    let receiver = Receiver::start();
    let ask =
        |path: &str, headers: &str| receiver.ask(format!("GET {path} HTTP/1.1\r\nHost: receiver\r\n{headers}\r\n"));
    let page = ask("/", "");
    for path in ["/day", "/day/2025-12-18?device=a", "/new", "/add"] {
        assert_eq!(ask(path, "").body, page.body, "{path}");
    }
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-cache")));
    let policy = page.header("content-security-policy").unwrap();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let mut files = 0;
    for part in page.body.split("=\"/assets/").skip(1) {
        let path = format!("/assets/{}", part.split('"').next().unwrap());
        let answer = ask(&path, "");
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        let mut client = receiver.client();
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: receiver\r\nAccept-Encoding: gzip, br\r\n\r\n"
        ));
        let (packed, bytes) = client.answer_with_bytes();
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert!(bytes.len() < answer.body.len() || answer.body.len() < 300, "{path}");
        files += 1;
    }
    assert!(files >= 8, "{files}");
}

#[test]
fn the_document_of_the_api_names_every_route() {
    let receiver = Receiver::start();
    let document = receiver.local_json("/api/openapi.json");
    let routes = include_str!("../../src/http/read/mod.rs");
    let mut count = 0;
    for part in routes.split(".route(\"/api/").skip(1) {
        let path = format!("/api/{}", part.split('"').next().unwrap());
        if path == "/api/openapi.json" {
            continue;
        }
        let described = document["paths"][&path]
            .as_object()
            .unwrap_or_else(|| panic!("{path} is not described"));
        let line = part.lines().next().unwrap();
        for method in ["get", "post", "put", "delete"] {
            assert_eq!(
                line.contains(&format!("{method}(")),
                described.contains_key(method),
                "{method} {path}"
            );
        }
        count += 1;
    }
    assert_eq!(document["paths"].as_object().unwrap().len(), count);
}
