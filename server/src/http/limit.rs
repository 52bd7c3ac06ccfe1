//! How often somebody may ask within a minute, and what they are told about it.
//!
//! Counted in fixed minutes, by each server for itself: this keeps one caller from taking a server away from the others, and
//! guessing from being worth while. A ready-made limiter counts every request; here those that fail to sign in are counted
//! after they failed, and the next one is refused before it is tried.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::SecretString;

use super::{address::ClientAddress, error::Problem};
use crate::{config::LimitsConfig, db::people::SecretHash, secret};

const WINDOW: Duration = Duration::from_secs(60);
/// No more keys are counted at once, so that whoever asks from many addresses does not fill the memory.
const MOST_KEYS: usize = 10_000;
/// How many are left when room is made.
const KEPT_KEYS: usize = MOST_KEYS / 4 * 3;

/// Left with an answer by a handler to whom somebody did not prove who they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotAuthenticated;

/// The limits of one server.
pub(super) struct Limits {
    requests: Option<Limiter>,
    failures: Limiter,
    bad_signatures: Limiter,
}

impl Limits {
    pub(super) fn new(config: &LimitsConfig) -> Arc<Self> {
        let requests = Some(config.requests_per_minute).filter(|quota| *quota > 0);
        let failures = config.failed_sign_ins_per_minute.get();
        Arc::new(Self {
            requests: requests.map(|quota| Limiter::new("requests", quota)),
            failures: Limiter::new("failed-sign-ins", failures),
            bad_signatures: Limiter::new("bad-signatures", failures),
        })
    }

    /// Counts a delivery whose signature is wrong. An answer: its address has sent too many. What is signed is never
    /// counted and never refused: others may send from the address that GitHub's deliveries come through.
    pub(super) fn bad_signature(&self, from: Option<&ClientAddress>) -> Option<Response> {
        let standing = self.bad_signatures.take(key_of(from));
        standing.is_refused.then(|| refused(&self.bad_signatures, standing))
    }
}

/// Counts every request for its token. One without a token, or with one that was not accepted yet, counts for its address,
/// so that inventing tokens gains nothing.
pub(super) async fn requests(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let Some(limiter) = &limits.requests else { return next.run(request).await };
    let token = token_of(request.headers()).map(Key::Token);
    let key = token.filter(|token| limiter.knows(token)).unwrap_or_else(|| address_of(&request));
    let standing = limiter.take(key);
    if standing.is_refused {
        return refused(limiter, standing);
    }
    let mut response = next.run(request).await;
    if let Some(token) = token
        && token != key
        && response.status() != StatusCode::UNAUTHORIZED
    {
        limiter.take(token);
    }
    limiter.describe(standing, response.headers_mut());
    response
}

/// Counts the requests of an address that fail to prove who sends them, and refuses more when there were too many.
pub(super) async fn failures(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let limiter = &limits.failures;
    let key = address_of(&request);
    let standing = limiter.look(key);
    if standing.is_refused {
        return refused(limiter, standing);
    }
    let mut response = next.run(request).await;
    let failed = response.status() == StatusCode::UNAUTHORIZED
        || response.extensions().get::<NotAuthenticated>().is_some();
    let standing = if failed { limiter.take(key) } else { standing };
    limiter.describe(standing, response.headers_mut());
    response
}

fn refused(limiter: &Limiter, standing: Standing) -> Response {
    let mut response = Problem::too_many(limiter.name, standing.seconds()).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(standing.seconds()));
    limiter.describe(standing, response.headers_mut());
    response
}

fn token_of(headers: &HeaderMap) -> Option<SecretHash> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(secret::hash(&SecretString::from(token.trim())))
}

fn address_of(request: &Request) -> Key {
    key_of(request.extensions().get())
}

fn key_of(address: Option<&ClientAddress>) -> Key {
    match address.map(|address| address.ip) {
        // Whoever has one address of version 6 has the whole network of it.
        Some(IpAddr::V6(ip)) => Key::Address(Ipv6Addr::from_bits(ip.to_bits() & (!0 << 64)).into()),
        Some(ip) => Key::Address(ip),
        None => Key::Address(Ipv6Addr::UNSPECIFIED.into()),
    }
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Token(SecretHash),
    Address(IpAddr),
}

/// Counts for each key how much of its quota it used in the present minute.
struct Limiter {
    name: &'static str,
    quota: u32,
    windows: Mutex<HashMap<Key, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    began: Instant,
    used: u32,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    left: u32,
    /// Until the next minute begins.
    reset: Duration,
    is_refused: bool,
}

impl Standing {
    /// Rounded up: after so many seconds it is over.
    fn seconds(self) -> u64 {
        self.reset.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
    }
}

impl Limiter {
    fn new(name: &'static str, quota: u32) -> Self {
        Self { name, quota, windows: Mutex::default() }
    }

    /// Whether the key was counted in the present minute.
    fn knows(&self, key: &Key) -> bool {
        self.windows().get(key).is_some_and(|window| window.began.elapsed() < WINDOW)
    }

    fn look(&self, key: Key) -> Standing {
        let now = Instant::now();
        self.standing(self.windows().get(&key).copied(), now)
    }

    /// Counts one, unless there is none left.
    fn take(&self, key: Key) -> Standing {
        let now = Instant::now();
        let mut windows = self.windows();
        if windows.len() >= MOST_KEYS && !windows.contains_key(&key) {
            make_room(&mut windows, now);
        }
        let before = self.standing(windows.get(&key).copied(), now);
        if before.is_refused {
            return before;
        }
        let window = windows.entry(key).or_insert(Window { began: now, used: 0 });
        if now.duration_since(window.began) >= WINDOW {
            *window = Window { began: now, used: 0 };
        }
        window.used += 1;
        Standing { is_refused: false, ..self.standing(Some(*window), now) }
    }

    fn standing(&self, window: Option<Window>, now: Instant) -> Standing {
        match window.filter(|window| now.duration_since(window.began) < WINDOW) {
            None => Standing { left: self.quota, reset: WINDOW, is_refused: false },
            Some(window) => {
                let left = self.quota.saturating_sub(window.used);
                let reset = WINDOW.saturating_sub(now.duration_since(window.began));
                Standing { left, reset, is_refused: left == 0 }
            }
        }
    }

    /// The fields of draft-ietf-httpapi-ratelimit-headers.
    fn describe(&self, standing: Standing, headers: &mut HeaderMap) {
        let (name, quota, window) = (self.name, self.quota, WINDOW.as_secs());
        let policy = format!("\"{name}\";q={quota};w={window}");
        let limit = format!("\"{name}\";r={};t={}", standing.left, standing.seconds());
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets windows that are over and then, where those are too few, the keys that have used least: who is near the limit
/// stays counted.
fn make_room(windows: &mut HashMap<Key, Window>, now: Instant) {
    windows.retain(|_, window| now.duration_since(window.began) < WINDOW);
    let mut excess = windows.len().saturating_sub(KEPT_KEYS);
    if excess == 0 {
        return;
    }
    let mut used: Vec<u32> = windows.values().map(|window| window.used).collect();
    let little = *used.select_nth_unstable(excess - 1).1;
    windows.retain(|_, window| {
        let goes = excess > 0 && window.used <= little;
        excess -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::Address(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn many_addresses_neither_fill_the_memory_nor_free_who_is_refused() {
        let limiter = Limiter::new("test", 3);
        while !limiter.take(key(0)).is_refused {}

        for number in 1..=3 * u32::try_from(MOST_KEYS).unwrap() {
            assert!(!limiter.take(key(number)).is_refused);
            assert!(limiter.windows().len() <= MOST_KEYS);
        }

        assert!(limiter.take(key(0)).is_refused);
    }

    #[test]
    fn a_quota_is_used_up_by_its_own_key_alone() {
        let limiter = Limiter::new("test", 2);
        assert_eq!((limiter.take(key(1)).left, limiter.take(key(1)).left), (1, 0));
        assert!(limiter.take(key(1)).is_refused && limiter.look(key(1)).is_refused);
        assert!(!limiter.take(key(2)).is_refused);
        assert!(limiter.knows(&key(1)) && !limiter.knows(&key(3)));
    }

    #[test]
    fn looking_takes_nothing() {
        let limiter = Limiter::new("test", 1);
        for _ in 0..3 {
            assert_eq!(limiter.look(key(1)).left, 1);
        }
    }

    #[test]
    fn the_next_minute_begins_anew() {
        let limiter = Limiter::new("test", 1);
        limiter.take(key(1));
        if let Some(window) = limiter.windows().get_mut(&key(1)) {
            window.began = window.began.checked_sub(WINDOW).unwrap();
        }
        assert_eq!(limiter.take(key(1)), Standing { left: 0, reset: WINDOW, is_refused: false });
    }
}
