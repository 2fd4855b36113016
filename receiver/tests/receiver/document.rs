//! The document of the reading API: what it says may come back is what does.

use serde_json::Value;

use crate::support::{Receiver, SignedIn, clip, post};

/// A request with a body that is a good one.
struct Good {
    method: &'static str,
    path: &'static str,
    body: &'static str,
}

const GOOD: [Good; 4] = [
    Good {
        method: "post",
        path: "/api/session",
        body: r#"{"name":"anna","password":"correct horse battery"}"#,
    },
    Good {
        method: "put",
        path: "/api/media/{id}/pin",
        body: r#"{"pinned":true}"#,
    },
    Good {
        method: "put",
        path: "/api/new",
        body: r#"{"seen":1}"#,
    },
    Good {
        method: "put",
        path: "/api/important",
        body: r#"{"device_id":"a","sensor":"b","important":true}"#,
    },
];

impl Good {
    fn of(method: &str, path: &str) -> &'static Self {
        let found = GOOD.iter().find(|good| (good.method, good.path) == (method, path));
        found.unwrap_or_else(|| panic!("{method} {path} is not tried"))
    }

    fn ask(&self, who: &SignedIn<'_>, headers: &str, body: &str) -> u16 {
        let path = self.path.replace("{id}", "1");
        who.ask(&self.method.to_uppercase(), &path, headers, body).status
    }
}

#[test]
fn every_answer_to_a_request_with_a_body_is_in_the_document() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1")]);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"x"))).id(), 1);
    for (name, more) in [("anna", &["--admin"][..]), ("ben", &["--devices", "none", "--admin"])] {
        receiver.add_person(name, more);
    }
    let document = receiver.local_json("/api/openapi.json");
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["requestBody"] == Value::Null {
                continue;
            }
            tried += 1;
            let good = Good::of(method, path);
            // One that begins while the others are tried.
            let mut silent = receiver.client();
            let anna = receiver.sign_in("anna");
            silent.send(format!(
                "{} {} HTTP/1.1\r\nHost: receiver\r\nCookie: {}\r\nContent-Length: 9\r\n\r\n{{",
                method.to_uppercase(),
                path.replace("{id}", "1"),
                anna.cookie
            ));
            let statuses = [
                good.ask(&anna, "", good.body),
                good.ask(&receiver.sign_in("ben"), "", good.body),
                good.ask(&anna, "", "{"),
                good.ask(&anna, "Sec-Fetch-Site: cross-site\r\n", good.body),
                good.ask(&anna, "", &format!("{:>16385}", good.body)),
                silent.answer().status,
            ];
            assert!(
                statuses[0] < 300 && statuses[2..] == [400, 403, 413, 408],
                "{method} {path} {statuses:?}"
            );
            for status in statuses {
                let described = &operation["responses"][status.to_string()];
                assert!(
                    described.is_object(),
                    "{method} {path}: {status} is not in the document"
                );
                let said = &described["content"]["application/json"]["schema"]["$ref"];
                assert!(
                    status < 300 || said == "#/components/schemas/Problem",
                    "{method} {path} {status}"
                );
            }
        }
    }
    assert_eq!(tried, GOOD.len());
}
