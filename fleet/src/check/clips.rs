//! Each clip's bytes, as a browser gets them: whole, or in two ranges.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::Findings;
use super::reader::Reader;
use super::rows::Stored;
use crate::run::Run;

/// Clips that are read at a time.
const AT_A_TIME: u32 = 4;

/// Broken clips after which no more are read: one that can't be had at all is asked for a quarter of a minute.
const BROKEN_MOST: u64 = 100;

/// A clip that was read: its bytes, and what is wrong with them.
type Read = (u64, Option<String>);

pub(super) async fn read(
    run: &Arc<Run>,
    reader: &Reader,
    stored: Vec<Stored>,
    findings: &mut Findings,
) -> Result<(), String> {
    let (count, broken) = (stored.len() as u64, Arc::new(AtomicU64::new(0)));
    let left = Arc::new(Mutex::new(stored.into_iter()));
    let mut workers = JoinSet::new();
    for number in 0..AT_A_TIME {
        let (run, left, mut reader) = (Arc::clone(run), Arc::clone(&left), reader.another(run, number));
        let broken = Arc::clone(&broken);
        workers.spawn(async move {
            let mut read = Vec::new();
            while broken.load(Ordering::Relaxed) < BROKEN_MOST {
                let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(stored) = next else { break };
                let one = read_one(&run, &mut reader, stored).await;
                broken.fetch_add(u64::from(one.1.is_some()), Ordering::Relaxed);
                read.push(one);
            }
            read
        });
    }
    while let Some(read) = workers.join_next().await {
        let read: Vec<Read> = read.map_err(|error| format!("a reader of clips: {error}"))?;
        for (bytes, wrong) in read {
            match wrong {
                None => {
                    findings.whole_clips += 1;
                    findings.whole_bytes += bytes;
                }
                Some(wrong) => {
                    findings.broken_clips += 1;
                    findings.example(|| wrong);
                }
            }
        }
    }
    findings.unread_clips = count - findings.whole_clips - findings.broken_clips;
    Ok(())
}

async fn read_one(run: &Run, reader: &mut Reader, (device, number, id): Stored) -> Read {
    let clip = run.films.clip(&run.id, device, number);
    let path = format!("/api/media/{id}/video");
    let half = clip.len() / 2;
    let ranges = if id % 2 == 0 {
        vec![None]
    } else {
        vec![Some(format!("bytes=0-{}", half - 1)), Some(format!("bytes={half}-"))]
    };
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    for range in ranges {
        match reader.get(&path, range.as_deref()).await {
            Ok(answer) => {
                hash.update(&answer.body);
                bytes += answer.body.len() as u64;
            }
            Err(why) => return (bytes, Some(why)),
        }
    }
    let is_whole = <[u8; 32]>::from(hash.finalize()) == clip.sha256();
    let wrong = (!is_whole).then(|| format!("not the bytes that were sent: {path} ({bytes} of {})", clip.len()));
    (bytes, wrong)
}
