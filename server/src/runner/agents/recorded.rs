//! What real programs printed, and what it means. The recordings are in `server/tests/agents/recorded`.

use std::path::Path;

use app::model::{AgentOutcome, Step, Stream, Timestamp, Usage};
use proptest::prelude::*;

use super::{Agent, Cut, Ending, Exit, Failure, Launch, Task, Verdict, all, ending::Told, find};
use crate::config::{self, AgentsConfig, Overrides};

/// When every line was printed.
const NOW: Timestamp = Timestamp(1_795_300_000_000);
/// 1 January 2030, when the recorded quotas are filled again.
const RESET: Timestamp = Timestamp(1_893_456_000_000);

macro_rules! recording {
    ($name:literal) => {
        include_str!(concat!("../../../tests/agents/recorded/", $name))
    };
}

fn settings() -> AgentsConfig {
    config::load(None, [], &Overrides::default()).unwrap().agents
}

fn agent(name: &str) -> Box<dyn Agent> {
    find(name, &settings()).unwrap()
}

/// What an agent's reader makes of these lines.
fn replay(name: &str, lines: &[(Stream, &str)], exit: Exit) -> (Vec<String>, Ending) {
    let mut reader = agent(name).reader();
    let mut steps = Vec::new();
    for (stream, text) in lines {
        for line in text.lines() {
            steps.extend(reader.read(*stream, NOW, line).iter().map(shown));
        }
    }
    (steps, reader.end(exit))
}

fn replay_output(name: &str, text: &str, code: i32) -> (Vec<String>, Ending) {
    replay(name, &[(Stream::Stdout, text)], Exit::Code(code))
}

/// A step in a line that is easy to read in a test.
fn shown(step: &Step) -> String {
    match step {
        Step::Message { text, delta: false } => format!("says {text}"),
        Step::Message { text, delta: true } => format!("says … {}", text.trim_end()),
        Step::Thought { text } => format!("thinks {text}"),
        Step::ToolCall { call, tool, input } => format!("{call}: {tool} {input}"),
        Step::ToolResult { call, exit_code, error, output } => {
            let code = exit_code.map_or(String::new(), |code| format!(" {code}"));
            let how = if *error { "failed" } else { "done" };
            format!("{call}: {how}{code} {output}").trim_end().to_owned()
        }
        Step::Usage(usage) => {
            let cost = usage.cost_micros.map_or(String::new(), |cost| format!(", {cost} millionths"));
            format!(
                "used {} tokens, {} cached, {} written{cost}",
                usage.input_tokens, usage.cached_tokens, usage.output_tokens
            )
        }
        Step::Retry { text, again_at } => {
            let again = again_at.map_or(String::new(), |at| format!(" in {} ms", at.millis_since(NOW)));
            format!("retries{again}: {text}")
        }
        Step::Result { ok: true, text } => format!("ends well: {text}").trim_end().to_owned(),
        Step::Result { ok: false, text } => format!("ends badly: {text}"),
    }
}

#[track_caller]
fn assert_finished(ending: &Ending, told: &Told) {
    assert_eq!(ending.verdict, Verdict::Finished);
    assert_eq!(ending.told, *told);
}

#[track_caller]
fn failure(ending: Ending) -> Failure {
    match ending.verdict {
        Verdict::Failed(failure) => failure,
        Verdict::Finished => panic!("it finished: {:?}", ending.told),
    }
}

fn used(
    input_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    cost_micros: Option<u64>,
) -> Option<Usage> {
    Some(Usage { input_tokens, cached_tokens, output_tokens, cost_micros })
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

mod claude {
    use super::*;

    #[test]
    fn it_writes_a_file() {
        let (steps, ending) = replay_output("claude", recording!("claude.jsonl"), 0);
        let expected = [
            "says I will create the file.",
            r#"toolu_fake0002: Write {"content":"hello from the fake model\n","file_path":"/workspace/claude1/hello.txt"}"#,
            "toolu_fake0002: done File created successfully at: /workspace/claude1/hello.txt \
             (file state is current in your context — no need to Read it back)",
            "says Done: created hello.txt.",
            "used 2400 tokens, 400 cached, 84 written, 7380 millionths",
            "ends well: Done: created hello.txt.",
        ];
        assert_eq!(steps, expected);
        let told = Told {
            session: some("96af8db9-bc89-45c8-ac83-d158d2a6c792"),
            model: some("claude-sonnet-4-5"),
            version: some("2.1.330"),
            usage: used(2400, 400, 84, Some(7380)),
            summary: some("Done: created hello.txt."),
        };
        assert_finished(&ending, &told);
    }

    #[test]
    fn a_busy_provider_is_asked_again() {
        let (steps, ending) = replay_output("claude", recording!("claude-429once.jsonl"), 0);
        assert_eq!(steps[0], "retries in 585 ms: 429 rate_limit, retry 1 of 2");
        assert_eq!(ending.verdict, Verdict::Finished);
    }

    #[test]
    fn a_refused_write_is_a_failed_call_and_yet_it_finishes() {
        let (steps, ending) = replay_output("claude", recording!("claude-denied.jsonl"), 0);
        assert!(steps[2].starts_with("toolu_fake0004: failed Claude requested permissions"), "{}", steps[2]);
        assert_eq!(ending.verdict, Verdict::Finished, "nothing to commit will be found");
    }

    #[test]
    fn success_with_an_error_is_none() {
        let (steps, ending) = replay_output("claude", recording!("claude-401.jsonl"), 1);
        let expected = [
            "retries in 584 ms: 401 authentication_failed, retry 1 of 2",
            "retries in 1249 ms: 401 authentication_failed, retry 2 of 2",
            "used 0 tokens, 0 cached, 0 written, 0 millionths",
            "ends badly: Invalid API key · Fix external API key",
        ];
        assert_eq!(steps, expected);
        let message = "Invalid API key · Fix external API key";
        assert_eq!(failure(ending), Failure::new(AgentOutcome::Authentication, message));
    }

    #[test]
    fn a_used_up_quota_tells_when_it_is_filled_again() {
        let (_, ending) = replay_output("claude", recording!("claude-oauth-quota.jsonl"), 1);
        let message = "You've hit your 5-hour limit · resets Jan 1, 2030, 12am (UTC)";
        assert_eq!(failure(ending), Failure::new(AgentOutcome::Quota, message).again_at(Some(RESET)));
    }

    #[test]
    fn turns_are_limited() {
        let (_, ending) = replay_output("claude", recording!("claude-maxturns.jsonl"), 1);
        let message = "Reached maximum number of turns (1)";
        assert_eq!(failure(ending), Failure::new(AgentOutcome::LimitReached, message));
    }

    #[test]
    fn an_overloaded_provider_is_a_rate_limit() {
        let line = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":529,
            "result":"API Error: Repeated 529 Overloaded errors"}"#;
        let (_, ending) = replay("claude", &[(Stream::Stdout, &line.replace('\n', ""))], Exit::Code(1));
        assert_eq!(failure(ending).reason, AgentOutcome::RateLimited);
    }

    #[test]
    fn an_error_of_its_own_is_called_so() {
        let line = r#"{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["No conversation found"]}"#;
        let (_, ending) = replay_output("claude", line, 1);
        assert_eq!(failure(ending), Failure::new(AgentOutcome::AgentError, "No conversation found"));
    }

    #[test]
    fn cut_off_in_the_middle_it_has_not_finished() {
        let half = recording!("claude.jsonl").lines().take(4).collect::<Vec<_>>().join("\n");
        let reason = |exit| failure(replay("claude", &[(Stream::Stdout, &half)], exit).1).reason;
        assert_eq!(reason(Exit::Code(0)), AgentOutcome::Crashed);
        assert_eq!(reason(Exit::Signal(15)), AgentOutcome::Killed);
        assert_eq!(
            reason(Exit::Cut(Cut::TimeOver(std::time::Duration::from_secs(60)))),
            AgentOutcome::Timeout
        );
    }
}

mod codex {
    use super::*;

    #[test]
    fn it_runs_a_command() {
        let (steps, ending) = replay_output("codex", recording!("codex.jsonl"), 0);
        let expected = [
            r#"item_1: shell {"command":"/bin/bash -lc \"printf '%s\\\\n' 'hello from the fake model' > hello.txt\""}"#,
            "item_1: done 0",
            "says Done: created hello.txt.",
            "used 2000 tokens, 400 cached, 84 written",
            "ends well: Done: created hello.txt.",
        ];
        assert_eq!(steps, expected);
        let told = Told {
            session: some("01a200e5-c4da-73d1-9a6d-7377c7ad011a"),
            usage: used(2000, 400, 84, None),
            summary: some("Done: created hello.txt."),
            ..Told::default()
        };
        assert_finished(&ending, &told);
    }

    #[test]
    fn it_applies_a_patch() {
        let (steps, ending) = replay_output("codex", recording!("codex-applypatch.jsonl"), 0);
        let call = r#"item_0: apply_patch {"changes":[{"kind":"add","path":"/workspace/codex1/hello.txt"}]}"#;
        assert_eq!(steps[..2], [call, "item_0: done"]);
        assert_eq!(ending.verdict, Verdict::Finished);
    }

    #[test]
    fn a_refused_key_is_told_by_a_message() {
        let (steps, ending) = replay_output("codex", recording!("codex-401.jsonl"), 1);
        let message = "unexpected status 401 Unauthorized: Incorrect API key provided: fake., \
                       url: http://127.0.0.1:8135/v1/responses";
        assert_eq!(steps.len(), 6);
        assert_eq!(steps[0], format!("retries: Reconnecting... 1/5 ({message})"));
        assert_eq!(steps[5], format!("ends badly: {message}"));
        assert_eq!(failure(ending), Failure::new(AgentOutcome::Authentication, message));
    }

    #[test]
    fn a_used_up_quota_tells_when_it_is_filled_again() {
        let lines = [
            (Stream::Stderr, recording!("codex-usage_limit.stderr.txt")),
            (Stream::Stdout, recording!("codex-usage_limit.jsonl")),
        ];
        let failure = failure(replay("codex", &lines, Exit::Code(1)).1);
        assert_eq!((failure.reason, failure.again_at), (AgentOutcome::Quota, Some(RESET)));
    }
}

mod gemini {
    use super::*;

    #[test]
    fn it_writes_a_file() {
        let (steps, ending) = replay_output("gemini", recording!("gemini.jsonl"), 0);
        let expected = [
            "says … I will create the file.",
            r#"write_file__write_file_1795310933337_0: write_file {"content":"hello from the fake model\n","file_path":"/workspace/gemini1/hello.txt"}"#,
            "write_file__write_file_1795310933337_0: done",
            "says … Done: created hello.txt.",
            "used 2000 tokens, 400 cached, 84 written",
            "ends well:",
        ];
        assert_eq!(steps, expected);
        let told = Told {
            session: some("0d0a7183-57d7-4efc-969d-4126e6e7bd58"),
            model: some("gemini-2.5-flash"),
            usage: used(2000, 400, 84, None),
            summary: some("Done: created hello.txt."),
            ..Told::default()
        };
        assert_finished(&ending, &told);
    }

    #[test]
    fn a_used_up_quota_is_told_by_its_words() {
        let lines = [
            (Stream::Stderr, recording!("gemini-429day.stderr.txt")),
            (Stream::Stdout, recording!("gemini-429day.jsonl")),
        ];
        assert_eq!(failure(replay("gemini", &lines, Exit::Code(173)).1).reason, AgentOutcome::Quota);
    }

    #[test]
    fn turns_are_limited() {
        let (steps, ending) = replay_output("gemini", recording!("gemini-maxturns.jsonl"), 53);
        let refused = "write_file__write_file_1795310995419_0: failed Path not in workspace:";
        assert!(steps[2].starts_with(refused), "{}", steps[2]);
        assert_eq!(failure(ending).reason, AgentOutcome::LimitReached);
    }

    #[test]
    fn killed_it_ends_with_zero_and_has_not_finished() {
        let half = recording!("gemini.jsonl").lines().take(4).collect::<Vec<_>>().join("\n");
        assert_eq!(failure(replay_output("gemini", &half, 0).1).reason, AgentOutcome::Crashed);
    }
}

mod qwen {
    use super::*;

    #[test]
    fn it_writes_a_file() {
        let (steps, ending) = replay_output("qwen", recording!("qwen.jsonl"), 0);
        let expected = [
            "says I will create the file.",
            r#"call_fake1: write_file {"content":"hello from the fake model\n","file_path":"/workspace/qwen1/hello.txt"}"#,
            "call_fake1: done Successfully created and wrote to new file: /workspace/qwen1/hello.txt.",
            "says Done: created hello.txt.",
            "used 2000 tokens, 400 cached, 84 written",
            "ends well: Done: created hello.txt.",
        ];
        assert_eq!(steps, expected);
        let told = Told {
            session: some("69e16c15-5993-44b7-b70c-25fead5b172a"),
            model: some("fake-model"),
            version: some("0.24.4"),
            usage: used(2000, 400, 84, None),
            summary: some("Done: created hello.txt."),
        };
        assert_finished(&ending, &told);
    }

    #[test]
    fn a_refused_key_is_told_by_a_message() {
        let failure = failure(replay_output("qwen", recording!("qwen-401.jsonl"), 1).1);
        assert_eq!(failure.reason, AgentOutcome::Authentication);
        assert_eq!(failure.message, "[API Error: 401 Incorrect API key provided: fake.]");
    }
}

mod opencode {
    use super::*;

    #[test]
    fn it_writes_a_file() {
        let (steps, ending) = replay_output("opencode", recording!("opencode.jsonl"), 0);
        let expected = [
            "says I will create the file.",
            r#"call_fake2: write {"content":"hello from the fake model\n","filePath":"/workspace/opencode1/hello.txt"}"#,
            "call_fake2: done Wrote file successfully.",
            "used 1000 tokens, 200 cached, 42 written, 884 millionths",
            "says Done: created hello.txt.",
            "used 2000 tokens, 400 cached, 84 written, 1768 millionths",
        ];
        assert_eq!(steps, expected);
        let told = Told {
            session: some("ses_dff139031ffe6kevZooDJJEnBV"),
            usage: used(2000, 400, 84, Some(1768)),
            summary: some("Done: created hello.txt."),
            ..Told::default()
        };
        assert_finished(&ending, &told);
    }

    #[test]
    fn its_last_step_counts_only_when_the_program_ends_well() {
        let (_, ending) = replay_output("opencode", recording!("opencode.jsonl"), 1);
        assert_eq!(failure(ending).reason, AgentOutcome::Crashed);
    }

    #[test]
    fn a_refused_key_is_an_error_event() {
        let (steps, ending) = replay_output("opencode", recording!("opencode-401.jsonl"), 0);
        assert_eq!(steps, ["ends badly: Incorrect API key provided: fake."]);
        let message = "Incorrect API key provided: fake.";
        assert_eq!(failure(ending), Failure::new(AgentOutcome::Authentication, message));
    }
}

mod aider {
    use super::*;

    #[test]
    fn it_writes_a_file() {
        let (steps, ending) = replay_output("aider", recording!("aider.txt"), 0);
        let calls: Vec<_> = steps.iter().filter(|step| !step.starts_with("says")).collect();
        let expected =
            ["used 594 tokens, 0 cached, 13 written", r#"edit-1: edit {"path":"hello.txt"}"#, "edit-1: done"];
        assert_eq!(calls, expected);
        let told = Told {
            model: some("openai/fake-model"),
            version: some("0.86.2"),
            usage: used(594, 0, 13, None),
            ..Told::default()
        };
        assert_finished(&ending, &told);
    }

    #[test]
    fn without_an_answer_exit_code_0_is_no_success() {
        let half = recording!("aider.txt").lines().take(8).collect::<Vec<_>>().join("\n");
        assert_eq!(failure(replay_output("aider", &half, 0).1).reason, AgentOutcome::Crashed);
    }
}

#[test]
fn an_agent_of_the_operator_succeeds_by_its_exit_code_and_may_print_steps() {
    let mut settings = settings();
    let command = vec!["my-agent".to_owned(), "--quiet".to_owned()].try_into().unwrap();
    let (environment, hosts) = (vec!["MY_KEY".to_owned()], Vec::new());
    settings.custom.insert("mine".to_owned(), config::CustomAgentConfig { command, environment, hosts });
    let agent = find("mine", &settings).unwrap();

    let launch = agent.prepare(&task(), &|name| (name == "MY_KEY").then(|| "sesame-open".to_owned()));
    assert_eq!(launch.program.to_str(), Some("my-agent"));
    assert_eq!((launch.arguments, launch.stdin.as_str()), (vec!["--quiet".to_owned()], PROMPT));
    assert_eq!(launch.environment["MY_KEY"], "sesame-open");

    let mut reader = agent.reader();
    let said = Step::Message { text: "any text  \n".to_owned(), delta: true };
    assert_eq!(reader.read(Stream::Stdout, NOW, "any text"), [said]);
    let step = Step::Message { text: "Hi".to_owned(), delta: false };
    assert_eq!(reader.read(Stream::Stdout, NOW, &serde_json::to_string(&step).unwrap()), [step]);
    assert_eq!(reader.end(Exit::Code(0)).verdict, Verdict::Finished);
    let ending = agent.reader().end(Exit::Code(3));
    assert_eq!(failure(ending).reason, AgentOutcome::Crashed);
}

#[test]
fn what_else_is_printed_says_nothing_of_the_provider() {
    let mut settings = settings();
    let command = vec!["my-agent".to_owned()].try_into().unwrap();
    let (environment, hosts) = (Vec::new(), Vec::new());
    settings.custom.insert("mine".to_owned(), config::CustomAgentConfig { command, environment, hosts });
    let reason = |agent: &dyn Agent, line: &str| {
        let mut reader = agent.reader();
        reader.read(Stream::Stderr, NOW, line);
        failure(reader.end(Exit::Code(1))).reason
    };
    for agent in all(&settings) {
        for line in [
            "write error: Disk quota exceeded",
            "    at main (file:///usr/lib/node_modules/agent/cli.js:429:12)",
            "ok 3 - shows the usage limit",
            "ok 4 - keeps the rate limit",
            "test asks_for_an_api_key ... FAILED",
        ] {
            assert_eq!(
                reason(agent.as_ref(), line),
                AgentOutcome::Crashed,
                "{}: {line}",
                agent.profile().name
            );
        }
    }
    let line = "Invalid API key. Please run /login";
    assert_eq!(reason(agent("claude").as_ref(), line), AgentOutcome::Authentication);
    assert_eq!(reason(find("mine", &settings).unwrap().as_ref(), line), AgentOutcome::Crashed);
}

const PROMPT: &str = "Say --help, then stop";

fn task() -> Task<'static> {
    Task { prompt: PROMPT, home: Path::new("/home/agent"), base_url: None, model: None, resume: None }
}

fn every_variable(name: &str) -> Option<String> {
    Some(format!("value of {name}"))
}

fn launches(task: &Task<'_>) -> Vec<(String, Launch)> {
    let settings = settings();
    let agents = all(&settings).into_iter();
    agents.map(|agent| (agent.profile().name, agent.prepare(task, &every_variable))).collect()
}

#[test]
fn a_prompt_never_goes_on_a_command_line() {
    for (name, launch) in launches(&task()) {
        assert!(launch.arguments.iter().all(|argument| !argument.contains(PROMPT)), "{name}");
        let in_file = launch.files.iter().any(|file| file.content == PROMPT);
        assert!(in_file || launch.stdin == PROMPT, "{name}");
    }
}

#[test]
fn a_start_gets_its_own_credentials_and_no_others() {
    for agent in all(&settings()) {
        let profile = agent.profile();
        let launch = agent.prepare(&task(), &every_variable);
        let passed: Vec<_> = launch.secrets().map(str::to_owned).collect();
        let expected: Vec<_> = profile.credentials.iter().map(|name| format!("value of {name}")).collect();
        assert_eq!(passed, expected, "{}", profile.name);
    }
}

#[test]
fn a_session_is_named_to_those_that_can_go_on_with_one() {
    for (name, launch) in launches(&Task { resume: Some("session-1"), ..task() }) {
        let named = launch.arguments.iter().any(|argument| argument == "session-1");
        assert_eq!(named, agent(&name).profile().resumes(), "{name}");
    }
}

fn hosts(names: &[&str]) -> Vec<config::HostPattern> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn an_agent_reaches_its_providers_and_one_without_any_reaches_nobody() {
    assert_eq!(agent("gemini").profile().hosts, hosts(&["generativelanguage.googleapis.com"]));
    let usual = ["api.openai.com", "chatgpt.com", "auth.openai.com"];
    assert_eq!(agent("codex").profile().hosts, hosts(&usual));
    for profile in all(&settings()).iter().map(|agent| agent.profile()) {
        assert_eq!(profile.hosts.is_empty(), profile.credentials.is_empty(), "{}", profile.name);
    }
}

#[test]
fn settings_reach_the_programs() {
    let mut settings = settings();
    let url = Some("http://127.0.0.1:8135/v1".parse().unwrap());
    for agent in [
        &mut settings.claude,
        &mut settings.codex,
        &mut settings.gemini,
        &mut settings.qwen,
        &mut settings.opencode,
        &mut settings.aider,
    ] {
        agent.base_url.clone_from(&url);
        agent.model = some("fake-model");
        agent.max_turns = std::num::NonZeroU32::new(9);
    }
    for agent in all(&settings) {
        let profile = agent.profile();
        if profile.name == "demo" {
            continue;
        }
        let launch = agent.prepare(&task(), &|_| None);
        let whole = format!("{:?} {:?} {:?}", launch.arguments, launch.environment, launch.files);
        assert!(whole.contains("http://127.0.0.1:8135/v1"), "{}", profile.name);
        assert!(whole.contains("fake-model"), "{}", profile.name);
        let limits_turns = matches!(profile.name.as_str(), "claude" | "gemini" | "qwen");
        assert_eq!(whole.to_lowercase().contains("turns"), limits_turns, "{}", profile.name);
        assert_eq!(profile.hosts, hosts(&["127.0.0.1:8135"]), "{}", profile.name);
    }
}

const RECORDINGS: [&str; 8] = [
    recording!("claude.jsonl"),
    recording!("claude-oauth-quota.jsonl"),
    recording!("codex.jsonl"),
    recording!("codex-usage_limit.jsonl"),
    recording!("gemini.jsonl"),
    recording!("qwen.jsonl"),
    recording!("opencode.jsonl"),
    recording!("aider.txt"),
];

/// Lines as agents print them, with a part of them replaced, and lines of anything.
fn damaged_line() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = RECORDINGS.iter().flat_map(|recording| recording.lines()).collect();
    let part =
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,6}|-?[0-9]{1,25}|null|\\[\\]");
    let damaged = (prop::sample::select(lines), part).prop_map(|(line, (from, to, with))| {
        let (from, to) = (from.index(line.len() + 1), to.index(line.len() + 1));
        let (from, to) = (line.floor_char_boundary(from.min(to)), line.floor_char_boundary(from.max(to)));
        format!("{}{with}{}", &line[..from], &line[to..])
    });
    let bytes = any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    prop_oneof![4 => damaged, 1 => bytes]
}

proptest! {
    #[test]
    fn no_line_makes_a_reader_panic(
        lines in prop::collection::vec((damaged_line(), any::<bool>()), 0..12),
        code in any::<i32>(),
    ) {
        for agent in all(&settings()) {
            let mut reader = agent.reader();
            for (line, errors) in &lines {
                let stream = if *errors { Stream::Stderr } else { Stream::Stdout };
                reader.read(stream, NOW, line);
            }
            reader.end(Exit::Code(code));
        }
    }
}
