//! STUB
use crate::row::*;
use crate::shutdown::Shutdown;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    #[default]
    Auto,
    None,
    Gzip,
    Zstd,
}
#[derive(Clone)]
pub struct Secret(String);
impl Secret {
    pub fn new(s: String) -> Self {
        Self(s)
    }
}
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("***")
    }
}
#[derive(Debug, Clone, Copy)]
pub enum RetryAfter {
    Delay(Duration),
    At(std::time::SystemTime),
}
#[derive(Debug)]
pub enum Verdict {
    Done {
        remote_id: i64,
    },
    Unwell {
        message: String,
        unreachable: bool,
        retry_after: Option<RetryAfter>,
    },
    ServerError {
        message: String,
    },
    Misconfigured {
        message: String,
    },
    Refused {
        message: String,
    },
    Unclear {
        message: String,
    },
    PlainNext,
    Local(std::io::Error),
    Interrupted,
}
pub struct Attempt {
    pub verdict: Verdict,
    pub duration: Duration,
}
#[derive(Debug, Clone, Default)]
pub struct UploadConfig {
    pub backends: Vec<String>,
    pub compression: Compression,
    pub token: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub max_rate_kbps: Option<u64>,
    pub device_id: String,
}
pub struct Uplink {
    shutdown: Arc<Shutdown>,
}
#[derive(Debug)]
pub struct UploadError;
impl std::fmt::Display for UploadError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("***")
    }
}
impl Uplink {
    pub fn new(_c: UploadConfig, shutdown: Arc<Shutdown>) -> Result<Self, UploadError> {
        Ok(Uplink { shutdown })
    }
    pub fn interrupter(&self) -> impl Fn() + Send + use<> {
        || {}
    }
    fn at(&self, id: i64) -> Attempt {
        Attempt {
            verdict: if self.shutdown.is_requested() {
                Verdict::Interrupted
            } else if id % 7 == 0 {
                Verdict::Refused {
                    message: "HTTP 400: x".into(),
                }
            } else {
                Verdict::Done { remote_id: id + 100 }
            },
            duration: Duration::ZERO,
        }
    }
}
impl crate::sync::Wire for Uplink {
    fn post_event(&mut self, e: &Event, _k: &str) -> Attempt {
        self.at(e.id)
    }
    fn post_clip(&mut self, c: &Clip, v: &mut dyn Read, _k: &str) -> Attempt {
        let mut n = 0;
        let mut b = vec![0; 65536];
        loop {
            match v.read(&mut b) {
                Ok(0) => break,
                Ok(k) => n += k as u64,
                Err(e) => {
                    return Attempt {
                        verdict: Verdict::Local(e),
                        duration: Duration::ZERO,
                    };
                }
            }
        }
        assert_eq!(n, c.video_len);
        self.at(c.id)
    }
    fn fail_over(&mut self, _n: Duration) -> bool {
        false
    }
    fn prefer_first(&mut self, _n: Duration) {}
    fn backend(&self) -> &str {
        "x"
    }
    fn backend_count(&self) -> usize {
        1
    }
}
