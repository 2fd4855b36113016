//! Clips and parts of clips into a bucket. The source's rows keep how far it is: a manifest says that one is there, and was
//! read back.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::store::bucket::BucketClips;
use crate::store::sqlite::{Source, Video};
use crate::store::uploads::{Durable, Parts};
use crate::store::{StoreError, blocking};

/// Clips on their way at a time, and read from the source at once.
const AT_A_TIME: usize = 4;
const PAGE: u32 = 200;

/// Bytes read at a time.
const READ_BYTES: usize = 256 << 10;

/// Broken clips that are named.
const NAMED_MOST: usize = 5;

pub(super) async fn move_all(
    folder: &Path,
    source: &Source,
    bucket: &BucketClips,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<(), StoreError> {
    let total = source.count_clips()?;
    let (mut done, mut after, mut broken) = (0, 0, Vec::new());
    loop {
        let page = source.clips(after, PAGE)?;
        let Some(last) = page.last() else { break };
        (after, done) = (last.id, done + page.len() as u64);
        let moving = page
            .into_iter()
            .filter(|clip| clip.manifest.is_empty() && clip.bytes > 0);
        let moving = moving.map(|clip| {
            let path = folder.join("clips").join(&clip.name);
            async move { (copy(path, &clip, bucket).await, clip) }
        });
        let mut moving = stream::iter(moving).buffer_unordered(AT_A_TIME);
        while let Some((copied, clip)) = moving.next().await {
            match copied {
                Ok(Some(manifest)) => source.set_clip(clip.id, &manifest)?,
                Ok(None) => broken.push(clip.name),
                Err(error) => return Err(error),
            }
        }
        tell(&format!("clips: {done} of {total}"));
    }
    for part in source.parts()? {
        let path = folder.join("incoming").join(format!("{}.upload", part.name));
        match copy(path, &part, bucket).await? {
            Some(manifest) => source.set_part(&part.name, &manifest)?,
            None => log::warn!("{}: the bytes of an upload are gone; it will begin anew", part.name),
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    let count = broken.len();
    broken.truncate(NAMED_MOST);
    Err(StoreError::Unavailable(format!(
        "{count} clips are not what came, or gone: {}; put them back from a backup or delete their rows, and run this again",
        broken.join(", ")
    )))
}

/// Puts a video into the bucket, reads it back, and gives its manifest; `None` for one whose file is not what came.
async fn copy(path: PathBuf, video: &Video, bucket: &BucketClips) -> Result<Option<String>, StoreError> {
    let (bytes, sha256) = (video.bytes, video.sha256.clone());
    let mut objects = bucket.objects_of(&video.name);
    let copied = blocking(move || {
        let mut hash = Sha256::new();
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(StoreError::file(&path))?.take(bytes),
        };
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = file.read(&mut buffer).map_err(StoreError::file(&path))?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            hash.update(piece);
            let written = objects.write(piece);
            written.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        }
        objects.flush()?;
        let hash: [u8; 32] = hash.finalize().into();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        // Rows of an early version have no checksum.
        let is_same = objects.manifest().bytes() == bytes && (sha256.is_empty() || sha256 == hex);
        Ok(is_same.then(|| (objects.manifest().clone(), hash)))
    });
    let Some((manifest, hash)) = copied.await? else {
        return Ok(None);
    };
    let manifest_text = manifest.to_string();
    let durable = Durable {
        bytes,
        manifest: manifest_text.clone(),
    };
    let read = bucket.prefix(video.name.clone(), durable).await?;
    if read.is_none_or(|read| read.sha256() != hash) {
        let reason = format!("{}: the bucket gives back other bytes than it got", video.name);
        return Err(StoreError::Unavailable(reason));
    }
    // What an earlier run left of it.
    bucket.tidy(&video.name, &manifest).await;
    Ok(Some(manifest_text))
}
