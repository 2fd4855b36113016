//! The page's files, inside the program. Their addresses carry a checksum of all of them, so that a browser may keep
//! them for ever and never mixes two versions.

use std::io::Write;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What a browser keeps, and what it asks about each time.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK: &str = "no-cache";

macro_rules! files {
    ($($path:literal $kind:ident)*) => {
        &[$(($path, $kind, include_str!(concat!("../../page/", $path)))),*]
    };
}

const INDEX: &str = include_str!("../../page/index.html");

const FILES: &[(&str, &str, &str)] = files![
    "icon-bad.svg" SVG
    "icon-ok.svg" SVG
    "icon-warn.svg" SVG
    "lib/api.js" JS
    "lib/dom.js" JS
    "lib/first.js" JS
    "lib/i18n.js" JS
    "lib/keys.js" JS
    "lib/live.js" JS
    "lib/offsets.js" JS
    "lib/seen.js" JS
    "lib/time.js" JS
    "main.js" JS
    "style.css" CSS
    "views/add.js" JS
    "views/day.js" JS
    "views/day_rows.js" JS
    "views/device_line.js" JS
    "views/device_said.js" JS
    "views/devices.js" JS
    "views/filters.js" JS
    "views/help.js" JS
    "views/important.js" JS
    "views/kept.js" JS
    "views/list.js" JS
    "views/near_days.js" JS
    "views/new.js" JS
    "views/player.js" JS
    "views/sign_in.js" JS
    "views/timeline.js" JS
    "words/en.js" JS
    "words/en_more.js" JS
    "words/fr.js" JS
    "words/fr_more.js" JS
];

struct File {
    path: &'static str,
    kind: &'static str,
    plain: String,
    packed: Option<Vec<u8>>,
}

struct Page {
    sum: String,
    index: File,
    files: Vec<File>,
}

/// Packed when the first reader comes: a receiver that nobody looks at pays nothing.
static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (path, _, text) in FILES {
        hash.update(path);
        hash.update([0]);
        hash.update(text);
    }
    let sum: String = format!("{:x}", hash.finalize()).chars().take(16).collect();
    let files = FILES
        .iter()
        .map(|(path, kind, text)| File::new(path, kind, (*text).to_string()));
    Page {
        index: File::new("index.html", HTML, INDEX.replace("{sum}", &sum)),
        files: files.collect(),
        sum,
    }
});

impl File {
    fn new(path: &'static str, kind: &'static str, plain: String) -> Self {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        let packed = packer.write_all(plain.as_bytes()).and_then(|()| packer.finish()).ok();
        Self {
            path,
            kind,
            plain,
            packed,
        }
    }

    fn answer(&self, headers: &HeaderMap, keep: &'static str) -> Response {
        let common = [
            (header::CONTENT_TYPE, self.kind),
            (header::CACHE_CONTROL, keep),
            (header::VARY, "accept-encoding"),
        ];
        match &self.packed {
            Some(packed) if takes_gzip(headers) => {
                (common, [(header::CONTENT_ENCODING, "gzip")], Body::from(packed.clone())).into_response()
            }
            _ => (common, self.plain.clone()).into_response(),
        }
    }
}

/// Whether `Accept-Encoding` names gzip and does not refuse it.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)));
            name.eq_ignore_ascii_case("gzip") && !refused
        })
}

/// The page itself, the same at each of its places.
pub(super) async fn index(headers: HeaderMap) -> Response {
    PAGE.index.answer(&headers, ASK)
}

/// A file of the page: looked up among those that are in the program, nowhere else.
pub(super) async fn file(Path((sum, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let found = PAGE.files.iter().find(|file| file.path == path);
    match found {
        Some(file) if sum == PAGE.sum => file.answer(&headers, FOR_EVER),
        _ => (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn below(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                below(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        let mut there = BTreeSet::new();
        below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("page"), "", &mut there);
        let served: BTreeSet<String> = FILES.iter().map(|(path, ..)| (*path).to_string()).collect();
        there.remove("index.html");
        assert_eq!(there, served);
    }

    #[test]
    fn the_first_view_keeps_its_budget() {
        let packed = |file: &File| file.packed.as_ref().unwrap().len();
        let sum = |wanted: &dyn Fn(&str) -> bool| -> usize {
            PAGE.files.iter().filter(|file| wanted(file.path)).map(packed).sum()
        };
        assert!(sum(&|path| path == "style.css") <= 8_000);
        assert!(sum(&|path| path == "words/en.js") <= 4_000 && sum(&|path| path == "words/fr.js") <= 4_000);
        // What the devices need; the other places come when they are opened.
        let first = |path: &str| {
            path == "main.js"
                || path.starts_with("lib/")
                || ["views/device_line.js", "views/devices.js"].contains(&path)
        };
        assert!(sum(&first) <= 25_000, "{}", sum(&first));
        assert!(sum(&|_| true) <= 60_000, "{}", sum(&|_| true));
    }

    #[test]
    fn a_module_stays_short() {
        for (path, _, text) in FILES {
            assert!(
                path.starts_with("words/") || *path == "style.css" || text.lines().count() < 300,
                "{path}"
            );
        }
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let headers = |value: &'static str| HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
        assert!(takes_gzip(&headers("gzip, deflate, br")) && takes_gzip(&headers("br, GZIP;q=0.5")));
        assert!(!takes_gzip(&headers("gzip;q=0, br")) && !takes_gzip(&headers("br")) && !takes_gzip(&HeaderMap::new()));
    }
}
