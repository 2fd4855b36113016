//! What came back, and what it means: one table for the whole uploader.

use super::answer::Answer;
use super::config::Secret;
use super::retry_after::RetryAfter;

/// What an attempt to send a row came to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The server has the row, under this id.
    Done { remote_id: i64 },
    /// The backend is not well: nothing against this row.
    Unavailable {
        message: String,
        /// It could not be reached at all.
        unreachable: bool,
        /// When it wishes to be asked again.
        retry_after: Option<RetryAfter>,
    },
    /// A 500: the row or the backend, nobody knows yet.
    ServerError { message: String },
    /// We are set up wrongly: no row would fare better.
    Misconfigured {
        /// Why, with the variable to look at.
        message: String,
        /// Or it is this row that something before the server does not let through.
        may_be_the_row: bool,
    },
    /// This row is refused.
    Refused { message: String },
    /// The server took it, perhaps: the answer does not tell.
    InvalidResponse { message: String },
    /// The server does not take packed bodies; from now on they are plain, and the row is simply sent again.
    RetryUncompressed,
    /// The clip goes on with its row read anew, at once: more of it is at the server than before, or another way to send
    /// it was found. Not a failed try.
    Resume,
    /// The video could not be read; the error is the reader's own.
    Local(std::io::Error),
    /// A stop was asked for.
    Interrupted,
}

impl Verdict {
    /// Without `secret` in its message: a server may say back what it was sent.
    pub(super) fn without(mut self, secret: &Secret) -> Self {
        if let Verdict::Unavailable { message, .. }
        | Verdict::ServerError { message }
        | Verdict::Misconfigured { message, .. }
        | Verdict::Refused { message }
        | Verdict::InvalidResponse { message } = &mut self
        {
            *message = secret.hidden_in(message);
        }
        self
    }
}

/// From an answer to its verdict. `packed` tells whether the body was compressed.
pub(super) fn judge(answer: &Answer, packed: bool) -> Verdict {
    let message = || answer.message();
    let with_hint = |hint: &str| format!("{} (vérifiez {hint})", answer.message());
    match answer.status {
        // A conflict with an id: the server has it already.
        200..=299 | 409 => match answer.remote_id() {
            Ok(remote_id) => Verdict::Done { remote_id },
            Err(_) if answer.status == 409 => Verdict::Refused { message: message() },
            Err(reason) => Verdict::InvalidResponse {
                message: format!("HTTP {}: {reason}", answer.status),
            },
        },
        300..=399 => {
            let target = answer.location.as_deref().unwrap_or("une adresse non précisée");
            Verdict::Misconfigured {
                message: format!(
                    "HTTP {}: redirection vers {target} (vérifiez BACKEND_URL)",
                    answer.status
                ),
                may_be_the_row: false,
            }
        }
        401 => Verdict::Misconfigured {
            message: with_hint("BACKEND_TOKEN"),
            may_be_the_row: false,
        },
        403 => Verdict::Misconfigured {
            message: with_hint("BACKEND_TOKEN et DEVICE_ID"),
            // A filter that dislikes what is in it answers so.
            may_be_the_row: true,
        },
        404 | 405 => Verdict::Misconfigured {
            message: with_hint("BACKEND_URL"),
            // A server that does not know the row's sensor or camera may say so by a 404.
            may_be_the_row: answer.status == 404,
        },
        415 if packed => Verdict::RetryUncompressed,
        // 507 is a full disk at the other end: like a 503, and no row's fault.
        408 | 425 | 429 | 502 | 503 | 504 | 507 => Verdict::Unavailable {
            message: message(),
            unreachable: false,
            retry_after: answer.retry_after,
        },
        400..=499 => Verdict::Refused { message: message() },
        500..=599 => Verdict::ServerError { message: message() },
        status => Verdict::InvalidResponse {
            message: format!("HTTP {status}: réponse inattendue"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.as_bytes().to_vec(),
            location: None,
            retry_after: None,
            accept_encoding: None,
            extensions: sync_protocol::Extensions::NONE,
            upload: super::super::answer::UploadFacts::default(),
            secret: None,
        }
    }

    fn name(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Done { .. } => "done",
            Verdict::Unavailable { .. } => "unavailable",
            Verdict::ServerError { .. } => "server error",
            Verdict::Misconfigured { .. } => "misconfigured",
            Verdict::Refused { .. } => "refused",
            Verdict::InvalidResponse { .. } => "invalid response",
            Verdict::RetryUncompressed => "plain next",
            Verdict::Resume => "resume",
            Verdict::Local(_) => "local",
            Verdict::Interrupted => "interrupted",
        }
    }

    #[test]
    fn every_status_of_the_table_has_its_verdict() {
        let id = r#"{"id":7}"#;
        let table: &[(&[u16], &str, &str)] = &[
            (&[200, 201, 409], id, "done"),
            (&[200, 201, 204], "", "invalid response"),
            (&[201], r#"{"id":null}"#, "invalid response"),
            (&[201], r#"{"id":"x"}"#, "invalid response"),
            (&[201], r#"{"id":1.5}"#, "invalid response"),
            (&[201], r#"{"id":18446744073709551615}"#, "invalid response"),
            (&[201], r#"{"id":1"#, "invalid response"),
            (&[409], "{}", "refused"),
            (&[408, 425, 429, 502, 503, 504, 507], "", "unavailable"),
            (&[500, 501, 505], id, "server error"),
            (&[301, 302, 303, 307, 308, 401, 403, 404, 405], "", "misconfigured"),
            (
                &[400, 402, 406, 410, 411, 412, 413, 414, 415, 416, 417, 422, 431],
                "",
                "refused",
            ),
            (&[999], "", "invalid response"),
        ];
        for (statuses, body, expected) in table {
            for status in *statuses {
                assert_eq!(
                    name(&judge(&answer(*status, body), false)),
                    *expected,
                    "{status} {body}"
                );
            }
        }
        assert_eq!(name(&judge(&answer(415, ""), true)), "plain next");
    }

    #[test]
    fn ids_may_be_integers_or_decimal_strings() {
        for (body, expected) in [
            (r#"{"id":123}"#, 123),
            (r#"{"id":"123"}"#, 123),
            (r#" {"x":[1],"id":-1} "#, -1),
            (r#"{"id":9007199254740993}"#, 9_007_199_254_740_993),
        ] {
            assert!(
                matches!(judge(&answer(201, body), false), Verdict::Done { remote_id } if remote_id == expected),
                "{body}"
            );
        }
    }

    #[test]
    fn misconfiguration_names_its_variable_and_a_redirect_its_target() {
        let redirect = Answer {
            location: Some("https://new.example/".into()),
            ..answer(301, "")
        };
        for (answer, words) in [
            (answer(401, "no"), "BACKEND_TOKEN"),
            (answer(404, ""), "BACKEND_URL"),
            (redirect, "https://new.example/"),
        ] {
            match judge(&answer, false) {
                Verdict::Misconfigured { message, .. } => assert!(message.contains(words), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
