//! Which packing a server takes: `Accept-Encoding` in answers (RFC 7694), in the syntax of RFC 9110, 12.5.3.

use super::config::Compression;

/// How a body is packed on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The word of `Content-Encoding`; none for a plain body.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Encoding::Plain => None,
            Encoding::Gzip => Some("gzip"),
            Encoding::Zstd => Some("zstd"),
        }
    }
}

/// How clips are packed, by the setting and what the server said.
pub(super) struct Packing {
    setting: Compression,
    /// What the last answers said the server takes.
    negotiated: Encoding,
    /// A 415 said that packed bodies are not taken, for good.
    plain_only: bool,
}

impl Packing {
    /// By `setting`; nothing is known of the server.
    pub(super) fn new(setting: Compression) -> Self {
        Self {
            setting,
            negotiated: Encoding::Plain,
            plain_only: false,
        }
    }

    /// How the next clip is packed.
    pub(super) fn encoding(&self) -> Encoding {
        match self.setting {
            _ if self.plain_only => Encoding::Plain,
            Compression::None => Encoding::Plain,
            Compression::Gzip => Encoding::Gzip,
            Compression::Zstd => Encoding::Zstd,
            Compression::Auto => self.negotiated,
        }
    }

    /// Takes notice of an answer's `Accept-Encoding`.
    pub(super) fn learn(&mut self, accepted: Option<&str>) {
        if let Some(accepted) = accepted {
            self.negotiated = best(accepted);
        }
    }

    /// Plain from now on.
    pub(super) fn refuse(&mut self) {
        self.plain_only = true;
    }
}

/// The best packing that a header allows.
fn best(header: &str) -> Encoding {
    let mut best = Encoding::Plain;
    for item in header.split(',') {
        let mut parts = item.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let refused = parts.any(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            key.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
        });
        if refused {
            continue;
        }
        if name.eq_ignore_ascii_case("zstd") {
            return Encoding::Zstd;
        }
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            best = Encoding::Gzip;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_is_named_and_not_refused_is_taken() {
        for (header, expected) in [
            ("gzip, zstd", Encoding::Zstd),
            ("ZSTD", Encoding::Zstd),
            ("gzip;q=1.0, zstd;q=0", Encoding::Gzip),
            ("gzip; q=0.5", Encoding::Gzip),
            ("br, deflate", Encoding::Plain),
            ("identity", Encoding::Plain),
            ("gzip;q=0.0", Encoding::Plain),
            ("*", Encoding::Plain),
            ("", Encoding::Plain),
        ] {
            assert_eq!(best(header), expected, "{header}");
        }
    }
}
