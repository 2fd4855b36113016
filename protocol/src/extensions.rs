//! The extensions, and the header that names them.

use std::fmt;

use crate::structured;

/// The header of every answer that names what the server has, in lower case.
pub const EXTENSIONS_HEADER: &str = "sync-extensions";

/// What a server may have beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extension {
    /// Many events in one request ([`crate::batch`]).
    Batch,
    /// Clips that go on after a break.
    Uploads,
    /// A device tells how it is ([`crate::status`]).
    Status,
}

impl Extension {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Self; 3] = [Self::Batch, Self::Uploads, Self::Status];

    /// Its name in the header.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Uploads => "uploads",
            Self::Status => "status",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Batch => 1,
            Self::Uploads => 2,
            Self::Status => 4,
        }
    }
}

/// Some of the extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions(u8);

impl Extensions {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Reads the values of all header lines of that name, in their order (RFC 9651, list of tokens). Members that are
    /// not known, or no tokens, are passed over; of a field that is not a list nothing counts, as the RFC has it.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let line = lines.into_iter().collect::<Vec<_>>().join(",");
        let tokens = structured::tokens(&line).unwrap_or_default();
        Extension::ALL
            .into_iter()
            .filter(|extension| tokens.contains(&extension.token()))
            .fold(Self::NONE, Self::with)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, extension: Extension) -> Self {
        Self(self.0 | extension.bit())
    }

    /// Those of these that are not among `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether one is among them.
    #[must_use]
    pub const fn has(self, extension: Extension) -> bool {
        self.0 & extension.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The value of the header. RFC 9651 has no empty list: where there is none, the header is left out.
impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for extension in Extension::ALL.into_iter().filter(|extension| self.has(*extension)) {
            write!(f, "{between}{}", extension.token())?;
            between = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Extensions = Extensions(7);

    fn parse(line: &str) -> String {
        Extensions::parse([line]).to_string()
    }

    #[test]
    fn what_is_printed_is_read_again() {
        assert_eq!(ALL.to_string(), "batch, uploads, status");
        for bits in 0..8 {
            let extensions = Extensions(bits);
            assert_eq!(Extensions::parse([extensions.to_string().as_str()]), extensions);
            assert_eq!(extensions.is_empty(), bits == 0);
        }
    }

    #[test]
    fn other_members_are_passed_over() {
        assert_eq!(parse("status,batch"), "batch, status");
        assert_eq!(parse(" batch\t ,\t uploads "), "batch, uploads");
        assert_eq!(parse("batch, batch"), "batch");
        assert_eq!(parse("time-travel, *x, a/b:c, status"), "status");
        assert_eq!(
            parse(r#"status;v=2;q="a, b\"", "uploads", 7, -1.5, ?1, :YmF0Y2g=:, @1659578233"#),
            "status"
        );
        assert_eq!(parse("(batch uploads);x, status, ( ), %\"f%c3%bc\""), "status");
        // Case counts.
        assert_eq!(parse("Batch, STATUS"), "");
        assert_eq!(Extensions::parse(["batch", "status;a", ""]).to_string(), "");
        assert_eq!(Extensions::parse(["batch", "status;a"]).to_string(), "batch, status");
        assert_eq!(Extensions::parse([]), Extensions::NONE);
    }

    #[test]
    fn of_what_is_no_list_nothing_counts() {
        for line in [
            "batch,",
            ",batch",
            "batch status",
            "batch,,status",
            "batch; status,",
            "batch;=1",
            "batch, \"open",
            "batch, (open",
            "batch, ?2",
            "batch, :no base64!:",
            "batch, 1.",
            "batch, 1234567890123456",
            "batch, é",
            "batch;A",
            "batch, \"\u{1}\"",
            "batch, %\"%zz\"",
            "batch, @1.5",
            "batch, -",
        ] {
            assert_eq!(parse(line), "", "{line:?}");
        }
    }

    #[test]
    fn whatever_comes_is_survived() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut line = String::new();
            for _ in 0..12 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let pieces = [
                    "batch", ",", " ", ";", "=", "\"", "\\", "(", ")", ":", "?", "1", ".", "-", "@", "%", "é", "a",
                ];
                line.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let _ = parse(&line);
        }
    }
}
