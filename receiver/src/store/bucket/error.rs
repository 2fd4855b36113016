//! What went wrong with a bucket, in one line.

use std::error::Error;

use object_store::Error as BucketError;

/// Characters of a reason that are shown: a bucket may answer with a whole page.
const SHOWN: usize = 200;

/// What a code of S3 means as a rule, and what is to be looked at.
const MEANINGS: [(&str, &str); 4] = [
    ("NoSuchBucket", "there is no such bucket"),
    (
        "AccessDenied",
        "access denied: may these keys list, read, write and delete there?",
    ),
    ("InvalidAccessKeyId", "the key in AWS_ACCESS_KEY_ID is not known there"),
    (
        "SignatureDoesNotMatch",
        "AWS_SECRET_ACCESS_KEY is not that key's, or a clock is wrong",
    ),
];

/// The reason alone, on one line.
pub(super) fn reason(error: &BucketError) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    // An answer of S3 is XML, of a proxy a page.
    let (head, body) = text.split_once('<').unwrap_or((&text, ""));
    let meaning = MEANINGS.iter().find(|(code, _)| body.contains(code));
    let said = match (meaning, element(body, "Message")) {
        (Some((_, meaning)), _) => meaning,
        (None, Some(message)) => message,
        (None, None) => "",
    };
    let line: Vec<&str> = head.split_whitespace().chain(said.split_whitespace()).collect();
    let line = line.join(" ");
    line.trim_end_matches(':').chars().take(SHOWN).collect()
}

/// What stands in an element of an answer.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("{name}>"))?;
    rest.split_once("</").map(|(text, _)| text)
}
