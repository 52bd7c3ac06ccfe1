//! Git over HTTP: git's own backend behind a look at the token, and what a push brings about.

use std::{process::Stdio, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{ChildStdin, Command},
};

use crate::{
    git,
    world::{Access, Role, Token, World},
};

/// A branch that is not there, in a push.
const NOTHING: &str = "0000000000000000000000000000000000000000";

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/{owner}/{name}/info/refs", get(refs))
        .route("/{owner}/{name}/git-upload-pack", post(upload))
        .route("/{owner}/{name}/git-receive-pack", post(receive))
}

type Place = Path<(String, String)>;

async fn refs(State(world): State<Arc<World>>, Path(place): Place, request: Request) -> Response {
    let access = match request.uri().query() {
        Some("service=git-receive-pack") => Access::Write,
        _ => Access::Read,
    };
    answer(&world, place, access, "info/refs", request).await.1
}

async fn upload(State(world): State<Arc<World>>, Path(place): Place, request: Request) -> Response {
    answer(&world, place, Access::Read, "git-upload-pack", request).await.1
}

/// What the push moved is told once git is done with it.
async fn receive(State(world): State<Arc<World>>, Path(place): Place, request: Request) -> Response {
    let _pushing = world.pushing.lock().await;
    let repository = full_name(&place);
    let bare = world.bare(&repository);
    let before = git::branches(&bare);
    let (by, response) = answer(&world, place, Access::Write, "git-receive-pack", request).await;
    let Some(by) = by else { return response };
    let after = git::branches(&bare);
    let mut state = world.lock();
    let tip = |branches: &[(String, String)], name: &str| {
        branches.iter().find(|(branch, _)| branch == name).map_or(NOTHING.to_owned(), |(_, sha)| sha.clone())
    };
    let mut names: Vec<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (old, new) = (tip(&before, name), tip(&after, name));
        if old != new
            && let Err(refusal) = state.pushed(&repository, name, &old, &new, &by)
        {
            return refusal.into_response();
        }
    }
    response
}

fn full_name((owner, name): &(String, String)) -> String {
    format!("{owner}/{}", name.strip_suffix(".git").unwrap_or(name))
}

/// Somebody who may come in.
struct Admitted {
    by: String,
    /// All that they may push to, where that is not everything.
    branches: Option<Vec<String>>,
}

impl Admitted {
    fn whole(by: impl Into<String>) -> Self {
        Self { by: by.into(), branches: None }
    }
}

/// With the name of who asked, where they may.
async fn answer(
    world: &World,
    place: (String, String),
    access: Access,
    service: &str,
    request: Request,
) -> (Option<String>, Response) {
    let repository = full_name(&place);
    match admit(world, &repository, access, request.headers()) {
        Ok(admitted) => {
            let path = format!("/{}.git/{service}", repository.to_lowercase());
            let response = backend(world, &path, &admitted, request).await.unwrap_or_else(|error| {
                (StatusCode::INTERNAL_SERVER_ERROR, format!("git http-backend: {error}\n")).into_response()
            });
            (Some(admitted.by), response)
        }
        Err(denied) => (None, denied.into_response()),
    }
}

/// Who is not let in, and why.
struct Denied {
    status: StatusCode,
    message: String,
}

impl Denied {
    fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, message: "Repository not found.\n".to_owned() }
    }

    fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: "Invalid username or token.\n".to_owned() }
    }

    fn forbidden(repository: &str, who: &str) -> Self {
        let message = format!("Permission to {repository}.git denied to {who}.\n");
        Self { status: StatusCode::FORBIDDEN, message }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.message).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Basic realm=\"GitHub\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Who may come in; what is public can be read by all.
fn admit(world: &World, repository: &str, access: Access, headers: &HeaderMap) -> Result<Admitted, Denied> {
    let state = world.lock();
    let found = state.repository(repository).ok();
    let Some(text) = password(headers) else {
        // Whether there is such a repository is not said to strangers either.
        return match found {
            Some(found) if !found.private && access == Access::Read => Ok(Admitted::whole("anonymous")),
            _ => Err(Denied::unauthorized()),
        };
    };
    let token = state.tokens.get(&text).ok_or_else(Denied::unauthorized)?;
    let found = found.ok_or_else(Denied::not_found)?;
    // What pull requests open to who may push to their base.
    let opened = |by: &str, may_push: &dyn Fn(&str) -> bool| {
        let base = found.fork_of.as_deref().filter(|base| access == Access::Write && may_push(base))?;
        let branches = Some(state.open_to_maintainers(repository, base)).filter(|list| !list.is_empty());
        branches.map(|branches| Admitted { by: by.to_owned(), branches: Some(branches) })
    };
    match token {
        Token::User { login, .. } => match (state.role(repository, login), access) {
            (Role::None, _) => Err(Denied::not_found()),
            (role, Access::Write) if role < Role::Write => {
                opened(login, &|base| state.role(base, login) >= Role::Write)
                    .ok_or_else(|| Denied::forbidden(repository, login))
            }
            _ => Ok(Admitted::whole(login)),
        },
        Token::Installation(token) if token.expires_at <= Utc::now() => Err(Denied::unauthorized()),
        Token::Installation(token) => {
            let bot = state.bot(token.installation).map_err(|_| Denied::unauthorized())?;
            let is_in = |place: &str| token.repositories.iter().any(|name| name.eq_ignore_ascii_case(place));
            let installed = is_in(repository);
            let granted = installed && token.may("contents", access);
            let may_push = |base: &str| is_in(base) && token.may("contents", access);
            if !granted && let Some(admitted) = opened(&bot, &may_push) {
                return Ok(admitted);
            }
            match access {
                Access::Read if granted || !found.private => Ok(Admitted::whole(bot)),
                Access::Write if granted => Ok(Admitted::whole(bot)),
                _ if !installed && found.private => Err(Denied::not_found()),
                _ => Err(Denied::forbidden(repository, &bot)),
            }
        }
    }
}

/// The token, which is the password of whatever user, or the user where there is no password.
fn password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(if matches!(password, "" | "x-oauth-basic") { user.to_owned() } else { password.to_owned() })
}

/// Speaks CGI with `git http-backend`.
async fn backend(
    world: &World,
    path: &str,
    admitted: &Admitted,
    request: Request,
) -> std::io::Result<Response> {
    let root = world.lock().root.clone();
    let (parts, body) = request.into_parts();
    let text = |name| parts.headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .envs(git::settings())
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("REMOTE_USER", &admitted.by)
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for (variable, header) in [
        ("CONTENT_TYPE", "content-type"),
        ("CONTENT_LENGTH", "content-length"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("GIT_PROTOCOL", "git-protocol"),
    ] {
        if let Some(value) = text(header) {
            command.env(variable, value);
        }
    }
    if let Some(branches) = &admitted.branches {
        let shown = branches.iter().map(|branch| format!("!refs/heads/{branch}"));
        let hidden: Vec<String> = std::iter::once("refs".to_owned()).chain(shown).collect();
        command.env("GIT_CONFIG_COUNT", hidden.len().to_string());
        for (number, value) in hidden.iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{number}"), "receive.hideRefs")
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
    }
    let mut child = command.spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let reading = async {
        let mut output = Vec::new();
        if let Some(mut stdout) = stdout {
            stdout.read_to_end(&mut output).await?;
        }
        Ok::<_, std::io::Error>(output)
    };
    let sending = async {
        if let Some(stdin) = stdin.filter(|_| parts.method == Method::POST) {
            send(stdin, body).await;
        }
    };
    let (output, ()) = tokio::join!(reading, sending);
    let output = output?;
    child.wait().await?;
    Ok(from_cgi(&output))
}

/// Git may stop reading early, and says why in what it answers.
async fn send(mut stdin: ChildStdin, mut body: Body) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref()
            && stdin.write_all(data).await.is_err()
        {
            return;
        }
    }
}

fn from_cgi(output: &[u8]) -> Response {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let mut response = Response::new(Body::from(output.get(end + 4..).unwrap_or_default().to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500);
            *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
