//! What a clip is, from its bytes alone: the contract does not say, and a name could lie.

/// First bytes that suffice.
pub(crate) const START: usize = 1024;

/// The type to serve a clip with, from its first bytes; `None` for what is neither video nor picture.
#[must_use]
pub(crate) fn of(start: &[u8]) -> Option<&'static str> {
    match start {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Some(match brand.get(..4) {
            Some(b"qt  ") => "video/quicktime",
            Some(b"avif") => "image/avif",
            _ => "video/mp4",
        }),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(if holds(start, b"webm") {
            "video/webm"
        } else {
            "video/x-matroska"
        }),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some("video/x-msvideo"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'O', b'g', b'g', b'S', ..] => Some("video/ogg"),
        [0, 0, 0, 1, ..] | [0, 0, 1, ..] => Some("video/h264"),
        [0x47, rest @ ..] if rest.get(187) == Some(&0x47) => Some("video/mp2t"),
        _ => None,
    }
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

const ENDINGS: [(&str, &str); 13] = [
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
    ("video/x-matroska", "mkv"),
    ("video/x-msvideo", "avi"),
    ("video/ogg", "ogv"),
    ("video/h264", "h264"),
    ("video/mp2t", "ts"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("image/avif", "avif"),
];

/// The ending of a file's name for a type.
#[must_use]
pub(crate) fn extension(media_type: Option<&str>) -> &'static str {
    ENDINGS
        .iter()
        .find(|(known, _)| Some(*known) == media_type)
        .map_or("bin", |(_, ending)| ending)
}

/// The type that an ending says.
#[must_use]
pub(crate) fn of_extension(ending: &str) -> Option<&'static str> {
    ENDINGS
        .iter()
        .find(|(_, known)| *known == ending)
        .map(|(known, _)| *known)
}

/// Whether a browser may show it in place. A raw stream is video, but no browser plays it.
#[must_use]
pub(crate) fn shown(media_type: &str) -> bool {
    let is_known = ENDINGS.iter().any(|(known, _)| *known == media_type);
    is_known && !matches!(media_type, "video/h264" | "video/x-msvideo" | "video/mp2t")
}

/// The four characters that name the video's codec in an MP4 (`avc1`, `hvc1`, …), from a piece of it that holds its
/// sample description (ISO/IEC 14496-12, box `stsd`).
#[must_use]
pub(crate) fn codec(piece: &[u8]) -> Option<&str> {
    const KNOWN: [&[u8; 4]; 8] = [b"avc1", b"avc3", b"hvc1", b"hev1", b"av01", b"vp08", b"vp09", b"mp4v"];
    let mut rest = piece;
    while let Some(at) = rest.windows(4).position(|window| window == b"stsd") {
        // Version, flags, count of entries, length of the first one: then its name.
        let name = rest.get(at + 16..at + 20);
        if let Some(name) = name.filter(|name| KNOWN.iter().any(|known| known.as_slice() == *name)) {
            return std::str::from_utf8(name).ok();
        }
        rest = rest.get(at + 4..).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_from_bytes() {
        assert_eq!(of(b"\0\0\0\x20ftypisom\0\0"), Some("video/mp4"));
        assert_eq!(of(b"\0\0\0\x20ftypqt  "), Some("video/quicktime"));
        assert_eq!(of(b"\x1a\x45\xdf\xa3....B\x82\x84webm"), Some("video/webm"));
        assert_eq!(of(b"\x1a\x45\xdf\xa3....B\x82\x88matroska"), Some("video/x-matroska"));
        assert_eq!(of(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        for other in [
            &b"<html><script>"[..],
            b"<svg xmlns=",
            b"%PDF-1.7",
            b"",
            b"\0\0",
            b"GIF87",
        ] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_mp4_names_its_codec() {
        let mut moov = b"....hdlr....stsd".to_vec();
        moov.extend([0; 8]);
        moov.extend([0, 0, 0, 90]);
        moov.extend(b"hvc1rest");
        assert_eq!(codec(&moov), Some("hvc1"));
        assert_eq!(codec(b"stsd"), None);
        assert_eq!(codec(b"stsd............html"), None);
    }
}
