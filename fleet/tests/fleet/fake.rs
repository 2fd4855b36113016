//! A server with its rows in memory and one bad habit; but for one of them it knows the contract alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Habit {
    None,
    /// Answers 201 for the third row, and keeps nothing.
    Loses,
    /// The same, and forgets the key and that it gave the id.
    Forgets,
    /// Changes what the third row says.
    Alters,
    /// Keeps the third row twice.
    Doubles,
    /// Lists the third row under another id than it was answered.
    Renames,
    /// Takes a key that comes again for a new row.
    ForgetsKeys,
    /// Changes a byte of each video.
    Spoils,
    /// Has no video any more.
    HasNoVideo,
    /// Answers 201 and no id.
    SaysNothing,
    /// Is never well.
    Refuses,
    /// Is not well for the first try of each key, and asks for a second.
    AsksForASecond,
    /// Takes a second and a half for the third row.
    Stalls,
    /// Takes batches, and of each does not want the second row.
    RefusesOneOfABatch,
}

#[derive(Default)]
pub struct Kept {
    tables: [Vec<Value>; 2],
    videos: HashMap<i64, Vec<u8>>,
    ids: HashMap<String, i64>,
    next_id: i64,
}

/// When each key came.
type Came = Arc<Mutex<HashMap<String, Vec<Instant>>>>;

pub struct Fake {
    pub url: String,
    pub came: Came,
    kept: Arc<Mutex<Kept>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Shared {
    habit: Habit,
    came: Came,
    kept: Arc<Mutex<Kept>>,
}

impl Fake {
    pub fn start(habit: Habit) -> Self {
        Self::on(habit, Arc::default())
    }

    /// Another one of the same habit on the same rows.
    pub fn beside(&self, habit: Habit) -> Self {
        Self::on(habit, Arc::clone(&self.kept))
    }

    fn on(habit: Habit, kept: Arc<Mutex<Kept>>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let came = Came::default();
        let shared = Shared {
            habit,
            came: Arc::clone(&came),
            kept: Arc::clone(&kept),
        };
        let extensions = if habit == Habit::RefusesOneOfABatch {
            "batch"
        } else {
            ""
        };
        let router = Router::new()
            .route("/health", get(|| async { "{}" }))
            .route("/api/evenements", get(events).post(add_event))
            .route("/api/evenements/batch", post(add_batch))
            .route("/api/media", get(clips).post(add_clip))
            .route("/api/media/{id}/video", get(video))
            .layer(DefaultBodyLimit::max(10_000_000))
            .layer(map_response(move |mut answer: Response| async move {
                let named = HeaderValue::from_static(extensions);
                answer.headers_mut().insert("sync-extensions", named);
                answer
            }))
            .with_state(shared);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            came,
            kept,
            _runtime: runtime,
        }
    }
}

async fn add_event(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    add(&shared, 0, &headers, &body).await
}

async fn add_clip(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    add(&shared, 1, &headers, &body).await
}

async fn add_batch(State(shared): State<Shared>, body: Bytes) -> String {
    let rows: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let mut results = Vec::new();
    for (place, row) in rows.into_iter().enumerate() {
        if place == 1 {
            results.push(json!({ "status": 400, "error": "date" }));
            continue;
        }
        let key = row["key"].as_str().unwrap().to_string();
        keep(&shared, 0, key.clone(), row["evenement"].to_string().as_bytes());
        results.push(json!({ "status": 201, "id": shared.kept.lock().unwrap().ids[&key] }));
    }
    json!({ "results": results }).to_string()
}

async fn add(shared: &Shared, table: usize, headers: &HeaderMap, body: &[u8]) -> Response {
    let key = headers["idempotency-key"].to_str().unwrap().to_string();
    let (created, stalls) = keep(shared, table, key, body);
    if stalls {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    created
}

fn keep(shared: &Shared, table: usize, key: String, body: &[u8]) -> (Response, bool) {
    let habit = shared.habit;
    let tries = {
        let mut came = shared.came.lock().unwrap();
        let times = came.entry(key.clone()).or_default();
        times.push(Instant::now());
        times.len()
    };
    if habit == Habit::Refuses || habit == Habit::AsksForASecond && tries == 1 {
        let refusal = (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]);
        return (refusal.into_response(), false);
    }
    let mut kept = shared.kept.lock().unwrap();
    let created = |id: i64| (StatusCode::CREATED, json!({ "id": id }).to_string()).into_response();
    if let Some(id) = kept.ids.get(&key).filter(|_| habit != Habit::ForgetsKeys) {
        return (created(*id), false);
    }
    kept.next_id += 1;
    let (id, is_third) = (kept.next_id, kept.next_id == 3);
    if habit == Habit::Forgets && is_third && tries == 1 {
        kept.next_id -= 1;
        return (created(id), false);
    }
    if habit == Habit::SaysNothing {
        return (StatusCode::CREATED.into_response(), false);
    }
    kept.ids.insert(key, id);
    let mut row: Value = serde_json::from_slice(body).unwrap();
    row["id"] = json!(id);
    if let Some(video) = row["video_data"].take().as_str() {
        kept.videos.insert(id, STANDARD.decode(video).unwrap());
    }
    let times = match habit {
        Habit::Loses if is_third => 0,
        Habit::Doubles if is_third => 2,
        _ => 1,
    };
    if habit == Habit::Alters && is_third {
        row["capteur"]["etat"] = json!(9);
    }
    if habit == Habit::Renames && is_third {
        row["id"] = json!(1_000);
    }
    kept.tables[table].extend(std::iter::repeat_n(row, times));
    (created(id), habit == Habit::Stalls && is_third)
}

async fn events(State(shared): State<Shared>, Query(which): Query<HashMap<String, String>>) -> String {
    list(&shared, 0, &which)
}

async fn clips(State(shared): State<Shared>, Query(which): Query<HashMap<String, String>>) -> String {
    list(&shared, 1, &which)
}

/// Two rows of a sensor, or of one of its devices from a moment on, at a time.
fn list(shared: &Shared, table: usize, which: &HashMap<String, String>) -> String {
    let kept = shared.kept.lock().unwrap();
    let after: usize = which.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let rows = kept.tables[table]
        .iter()
        .filter(|row| row["capteur"]["nom"] == which["sensor"])
        .filter(|row| which.get("device").is_none_or(|device| row["device_id"] == *device))
        .filter(|row| {
            which
                .get("from")
                .is_none_or(|from| row["date"].as_str().unwrap() >= from.as_str())
        });
    let mut rows: Vec<&Value> = rows.collect();
    rows.sort_by_key(|row| row["date"].as_str().unwrap());
    let items: Vec<&Value> = rows.into_iter().skip(after).take(2).collect();
    let next = (items.len() == 2).then(|| (after + 2).to_string());
    json!({ "items": items, "next": next }).to_string()
}

async fn video(State(shared): State<Shared>, Path(id): Path<i64>, headers: HeaderMap) -> Response {
    if shared.habit == Habit::HasNoVideo {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut video = shared.kept.lock().unwrap().videos[&id].clone();
    if shared.habit == Habit::Spoils {
        video[9] ^= 1;
    }
    let Some(range) = headers.get(header::RANGE) else {
        return video.into_response();
    };
    let (first, last) = range
        .to_str()
        .unwrap()
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let last = if last.is_empty() {
        video.len() - 1
    } else {
        last.parse().unwrap()
    };
    let part = video[first.parse().unwrap()..=last].to_vec();
    (StatusCode::PARTIAL_CONTENT, part).into_response()
}
