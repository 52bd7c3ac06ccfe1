//! The board, kept up to date.

use std::{ops::ControlFlow, time::Duration};

use leptos::{prelude::*, task::spawn_local};
use serde::Deserialize;
use server_fn::ServerFn;

use super::{FrameQueue, LiveState, StreamEvent, Subscription, ask, subscribe};
use crate::{
    api::{Me, ReadBoard},
    model::{Board, Figures, Job, JobFilter, JobId, JobState, Lane, LastLine},
};

/// How many finished jobs stay listed while new ones arrive on top.
const FINISHED_KEPT: usize = 200;
/// How many waiting jobs are listed; the figures count them all.
const WAITING_KEPT: usize = 200;
/// With fewer than this the next ones are asked for, if there are more.
const WAITING_LOW: usize = 25;
/// A board that runs short is asked for again this long after that was noticed, and so not more often either.
const GENTLY: Duration = Duration::from_millis(1500);

/// What the jobs' event stream says.
pub enum BoardEvent {
    Job(Box<Job>),
    Figures(FiguresEvent),
    Line(LastLine),
    /// A job is gone.
    Deleted(Deleted),
    /// Asked for after each connection: what happened while there was none.
    Board(Box<Board>),
}

#[derive(Deserialize)]
pub struct FiguresEvent {
    lanes: Vec<Lane>,
    figures: Figures,
}

#[derive(Deserialize)]
pub struct Deleted {
    id: JobId,
}

/// Where a job is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Running,
    Waiting,
    Finished,
}

impl Group {
    pub const ALL: [Self; 3] = [Self::Running, Self::Waiting, Self::Finished];

    pub const fn of(state: JobState) -> Self {
        match state {
            JobState::Running => Self::Running,
            JobState::Scheduled | JobState::Queued | JobState::Parked => Self::Waiting,
            JobState::Succeeded | JobState::Failed | JobState::Canceled => Self::Finished,
        }
    }

    pub fn jobs(self, board: &Board) -> &Vec<Job> {
        match self {
            Self::Running => &board.running,
            Self::Waiting => &board.waiting,
            Self::Finished => &board.finished,
        }
    }

    fn jobs_mut(self, board: &mut Board) -> &mut Vec<Job> {
        match self {
            Self::Running => &mut board.running,
            Self::Waiting => &mut board.waiting,
            Self::Finished => &mut board.finished,
        }
    }
}

/// Applies an event to the board that is shown under `filter`.
pub fn apply(board: &mut Board, filter: &JobFilter, event: BoardEvent) {
    match event {
        BoardEvent::Job(job) => apply_job(board, filter, *job),
        BoardEvent::Figures(event) => {
            board.lanes = event.lanes;
            board.figures = event.figures;
        }
        BoardEvent::Line(line) => match board.last_lines.iter_mut().find(|known| known.id == line.id) {
            Some(known) => *known = line,
            None => board.last_lines.push(line),
        },
        BoardEvent::Deleted(Deleted { id }) => {
            for group in Group::ALL {
                group.jobs_mut(board).retain(|job| job.id != id);
            }
        }
        BoardEvent::Board(fresh) => catch_up(board, filter, *fresh),
    }
}

fn apply_job(board: &mut Board, filter: &JobFilter, job: Job) {
    let group = Group::of(job.state);
    if let Some((shown_in, index)) = find(board, &job) {
        if shown_in.jobs(board)[index].revision >= job.revision {
            return;
        }
        if shown_in == group && filter.admits(&job) {
            group.jobs_mut(board)[index] = job;
            return;
        }
        shown_in.jobs_mut(board).remove(index);
    }
    if group != Group::Running {
        board.last_lines.retain(|line| line.id != job.id);
    }
    // What ends now is on the first page of the finished jobs, not on an older one.
    if !filter.admits(&job) || group == Group::Finished && filter.cursor.is_some() {
        return;
    }
    let (more_waiting, more_finished) = (board.more_waiting, board.next.is_some());
    let jobs = group.jobs_mut(board);
    match group {
        Group::Running => jobs.insert(0, job),
        Group::Finished => {
            let ended = |job: &Job| (job.finished_at, job.id);
            // News may be late, and tell of jobs that ended before those that are listed.
            match jobs.iter().position(|other| ended(other) < ended(&job)) {
                Some(place) => jobs.insert(place, job),
                None if more_finished => {}
                None => jobs.push(job),
            }
            shorten(board);
        }
        Group::Waiting => {
            // Behind everything as urgent: jobs of one priority start in their order.
            match jobs.iter().position(|other| other.priority > job.priority) {
                Some(place) => jobs.insert(place, job),
                // Others that are not listed stand before it.
                None if more_waiting => {}
                None => jobs.push(job),
            }
            board.more_waiting |= board.waiting.len() > WAITING_KEPT;
            board.waiting.truncate(WAITING_KEPT);
        }
    }
}

/// Takes what is too much off the finished jobs, so that the older ones begin behind what is left. Without a cursor to make
/// another one of it has to wait for a fresh board.
fn shorten(board: &mut Board) {
    let mark = board.next.as_deref().and_then(|next| next.rsplit_once('.')).map(|(_, mark)| mark);
    if board.finished.len() > FINISHED_KEPT
        && let Some(mark) = mark
    {
        let next = format!("{}.{mark}", board.finished[FINISHED_KEPT - 1].finished_place());
        board.finished.truncate(FINISHED_KEPT);
        board.next = Some(next);
    }
}

/// Whether the board cannot go on without a fresh one.
fn runs_short(board: &Board) -> bool {
    let waiting = board.more_waiting && board.waiting.len() < WAITING_LOW;
    waiting || board.finished.len() > FINISHED_KEPT && board.next.is_none()
}

/// Takes over a fresh board. It may be a moment older than the events that came while it was on its way, and older finished
/// jobs that the person has loaded stay.
fn catch_up(board: &mut Board, filter: &JobFilter, fresh: Board) {
    let stale = std::mem::replace(board, fresh);
    let newest = Group::ALL.into_iter().flat_map(|group| group.jobs(board)).map(|job| job.id).max();

    if let Some(end) = board.finished.last().map(|job| job.id)
        && let Some(index) = stale.finished.iter().position(|job| job.id == end)
        && index + 1 < stale.finished.len()
    {
        board.finished.extend_from_slice(&stale.finished[index + 1..]);
        let first = std::mem::replace(&mut board.next, stale.next);
        if board.finished.len() > FINISHED_KEPT && board.next.is_none() {
            board.next = first;
        }
        shorten(board);
    }
    for job in [stale.waiting, stale.running, stale.finished].into_iter().flatten() {
        if find(board, &job).is_some() || Some(job.id) > newest {
            apply_job(board, filter, job);
        }
    }
}

fn find(board: &Board, job: &Job) -> Option<(Group, usize)> {
    Group::ALL.into_iter().find_map(|group| {
        group.jobs(board).iter().position(|shown| shown.id == job.id).map(|index| (group, index))
    })
}

/// Keeps `board` up to date under its filter.
pub fn follow_board(board: RwSignal<Board>, filter: RwSignal<JobFilter>, state: LiveState) -> Subscription {
    let refills = StoredValue::new(false);
    let queue = FrameQueue::new(move |events: Vec<BoardEvent>| {
        let filter = filter.get_untracked();
        board.update(|board| {
            for event in events {
                apply(board, &filter, event);
            }
        });
    });
    subscribe(
        || "/api/jobs/stream".to_owned(),
        Me::url().to_owned(),
        &["job", "figures", "line", "deleted"],
        state,
        move |event| {
            match event {
                StreamEvent::Opened => catch_up_from_server(filter.get_untracked(), filter, queue.clone()),
                StreamEvent::Message { name, data } => {
                    queue.extend(parse(name, &data));
                    if !refills.get_value() && board.with_untracked(runs_short) {
                        refills.set_value(true);
                        let queue = queue.clone();
                        let refill = move || {
                            refills.set_value(false);
                            catch_up_from_server(filter.get_untracked(), filter, queue);
                        };
                        set_timeout(refill, GENTLY);
                    }
                }
            }
            ControlFlow::Continue(())
        },
    )
}

fn catch_up_from_server(asked: JobFilter, filter: RwSignal<JobFilter>, queue: FrameQueue<BoardEvent>) {
    spawn_local(async move {
        if let Ok(board) = ask(&asked.query(ReadBoard::url())).await
            && let Ok(board) = serde_json::from_str(&board)
            && filter.get_untracked() == asked
        {
            queue.push(BoardEvent::Board(Box::new(board)));
        }
    });
}

fn parse(name: &str, data: &str) -> Option<BoardEvent> {
    match name {
        "job" => serde_json::from_str(data).ok().map(|job| BoardEvent::Job(Box::new(job))),
        "figures" => serde_json::from_str(data).ok().map(BoardEvent::Figures),
        "deleted" => serde_json::from_str(data).ok().map(BoardEvent::Deleted),
        "line" => serde_json::from_str(data).ok().map(BoardEvent::Line),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Priority, Timestamp, sample};

    fn board() -> Board {
        Board {
            lanes: Vec::new(),
            figures: Figures::default(),
            running: Vec::new(),
            waiting: Vec::new(),
            more_waiting: false,
            finished: Vec::new(),
            next: None,
            last_lines: Vec::new(),
        }
    }

    fn job(number: u64, state: JobState, revision: i64) -> Job {
        Job { state, revision, ..sample::job(number) }
    }

    fn change(board: &mut Board, job: Job) {
        apply(board, &JobFilter::default(), BoardEvent::Job(Box::new(job)));
    }

    #[test]
    fn a_job_moves_to_the_group_of_its_state() {
        let mut board = board();
        change(&mut board, job(1, JobState::Queued, 1));
        change(&mut board, job(1, JobState::Running, 2));
        assert!(board.waiting.is_empty());
        assert_eq!(board.running.len(), 1);
        change(&mut board, job(1, JobState::Succeeded, 3));
        assert!(board.running.is_empty());
        assert_eq!(board.finished[0].revision, 3);
    }

    #[test]
    fn old_news_changes_nothing() {
        let mut board = board();
        change(&mut board, job(1, JobState::Running, 5));
        change(&mut board, job(1, JobState::Queued, 4));
        change(&mut board, job(1, JobState::Failed, 5));
        assert_eq!(board.running.len(), 1);
        assert!(board.waiting.is_empty() && board.finished.is_empty());
    }

    #[test]
    fn a_waiting_job_stands_behind_those_as_urgent() {
        let mut board = board();
        for (number, priority) in
            [(1, Priority::Normal), (2, Priority::Low), (3, Priority::Normal), (4, Priority::High)]
        {
            change(&mut board, Job { priority, ..job(number, JobState::Queued, 1) });
        }
        let order: Vec<_> = board.waiting.iter().map(|job| job.id).collect();
        assert_eq!(order, [4, 1, 3, 2].map(|number| sample::job(number).id));
    }

    #[test]
    fn a_new_job_is_not_listed_before_others_that_are_not() {
        let mut board = board();
        change(&mut board, job(1, JobState::Queued, 1));
        board.more_waiting = true;
        change(&mut board, job(2, JobState::Queued, 1));
        change(&mut board, Job { priority: Priority::High, ..job(3, JobState::Queued, 1) });
        let order: Vec<_> = board.waiting.iter().map(|job| job.id).collect();
        assert_eq!(order, [3, 1].map(|number| sample::job(number).id));
    }

    #[test]
    fn what_waits_is_asked_for_again_before_the_list_is_empty() {
        let mut board = board();
        assert!(!runs_short(&board));
        for number in 0..=WAITING_KEPT as u64 {
            change(&mut board, job(number, JobState::Queued, 1));
        }
        assert_eq!(board.waiting.len(), WAITING_KEPT);
        assert!(board.more_waiting && !runs_short(&board));
        for number in 0..(WAITING_KEPT - WAITING_LOW) as u64 {
            change(&mut board, job(number, JobState::Running, 2));
        }
        assert!(!runs_short(&board));
        change(&mut board, job(WAITING_KEPT as u64 - 1, JobState::Running, 2));
        assert!(runs_short(&board));
    }

    /// A board with as many finished jobs as it keeps and then some, the latest with the greatest number.
    fn full_board(more: u64, next: Option<&str>) -> Board {
        let finished = (0..FINISHED_KEPT as u64 + more).rev();
        Board {
            finished: finished.map(|number| job(number, JobState::Succeeded, 1)).collect(),
            next: next.map(str::to_owned),
            ..board()
        }
    }

    #[test]
    fn late_news_of_an_end_is_listed_where_it_belongs() {
        let ended =
            |number, at| Job { finished_at: Some(Timestamp(at)), ..job(number, JobState::Succeeded, 1) };
        let mut board = Board { finished: vec![ended(3, 300), ended(1, 100)], ..board() };
        change(&mut board, ended(2, 200));
        change(&mut board, ended(4, 50));
        board.next = Some("17.x.mark".to_owned());
        change(&mut board, ended(5, 40));
        let order: Vec<_> = board.finished.iter().map(|job| job.id).collect();
        assert_eq!(order, [3, 2, 1, 4].map(|number| sample::job(number).id));
    }

    #[test]
    fn older_jobs_begin_behind_the_last_one_that_is_listed() {
        let mut board = full_board(0, Some("17.x.mark"));
        change(&mut board, job(1000, JobState::Failed, 1));
        assert_eq!(board.finished.len(), FINISHED_KEPT);
        assert_eq!(board.next, Some(format!("0.{}.mark", sample::job(1).id)));
    }

    #[test]
    fn a_full_list_without_a_cursor_waits_for_a_fresh_board() {
        let mut shown = full_board(0, None);
        assert!(!runs_short(&shown));
        change(&mut shown, job(1000, JobState::Failed, 1));
        assert!(runs_short(&shown));
        let fresh =
            Board { finished: shown.finished[..50].to_vec(), next: Some("17.x.mark".to_owned()), ..board() };
        apply(&mut shown, &JobFilter::default(), BoardEvent::Board(Box::new(fresh)));
        assert_eq!(shown.finished.len(), FINISHED_KEPT);
        assert_eq!(shown.next, Some(format!("0.{}.mark", sample::job(1).id)));
        assert!(!runs_short(&shown));
    }

    #[test]
    fn a_job_that_leaves_the_filter_leaves_the_board() {
        let filter = JobFilter { state: Some(JobState::Running), ..JobFilter::default() };
        let mut board = board();
        apply(&mut board, &filter, BoardEvent::Job(Box::new(job(1, JobState::Running, 1))));
        assert_eq!(board.running.len(), 1);
        apply(&mut board, &filter, BoardEvent::Job(Box::new(job(1, JobState::Succeeded, 2))));
        assert!(board.running.is_empty() && board.finished.is_empty());
    }

    #[test]
    fn a_job_that_ends_is_not_listed_among_older_ones() {
        let filter = JobFilter { cursor: Some("17.x.mark".to_owned()), ..JobFilter::default() };
        let mut board = Board { finished: vec![job(1, JobState::Succeeded, 1)], ..board() };
        apply(&mut board, &filter, BoardEvent::Job(Box::new(job(2, JobState::Running, 1))));
        assert_eq!(board.running.len(), 1);
        apply(&mut board, &filter, BoardEvent::Job(Box::new(job(2, JobState::Succeeded, 2))));
        assert!(board.running.is_empty());
        assert_eq!(board.finished, [job(1, JobState::Succeeded, 1)]);
    }

    #[test]
    fn the_last_line_of_a_job_goes_when_it_stops_running() {
        let mut board = board();
        change(&mut board, job(1, JobState::Running, 1));
        let line = LastLine { id: sample::job(1).id, line: "compiling".to_owned() };
        apply(&mut board, &JobFilter::default(), BoardEvent::Line(line));
        change(&mut board, job(1, JobState::Failed, 2));
        assert!(board.last_lines.is_empty());
    }

    #[test]
    fn a_deleted_job_leaves_the_board() {
        let mut board = board();
        change(&mut board, job(1, JobState::Succeeded, 1));
        change(&mut board, job(2, JobState::Failed, 1));
        apply(&mut board, &JobFilter::default(), BoardEvent::Deleted(Deleted { id: sample::job(1).id }));
        assert_eq!(board.finished.iter().map(|job| job.id).collect::<Vec<_>>(), [sample::job(2).id]);
    }

    #[test]
    fn catching_up_keeps_newer_events_and_older_jobs() {
        let mut shown = board();
        shown.finished = [4, 3, 2, 1].map(|number| job(number, JobState::Succeeded, 9)).to_vec();
        shown.next = Some("older".to_owned());
        change(&mut shown, job(5, JobState::Failed, 3));
        change(&mut shown, job(6, JobState::Queued, 1));
        let mut fresh = board();
        fresh.running = vec![job(5, JobState::Running, 2)];
        fresh.finished = [4, 3].map(|number| job(number, JobState::Succeeded, 9)).to_vec();
        fresh.next = Some("newer".to_owned());

        apply(&mut shown, &JobFilter::default(), BoardEvent::Board(Box::new(fresh)));

        let finished: Vec<_> = shown.finished.iter().map(|job| job.id).collect();
        assert_eq!(finished, [5, 4, 3, 2, 1].map(|number| sample::job(number).id));
        assert_eq!(shown.next.as_deref(), Some("older"));
        assert_eq!(shown.waiting.len(), 1);
        assert!(shown.running.is_empty());
    }
}
