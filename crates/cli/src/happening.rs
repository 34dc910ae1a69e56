//! What `execute --json` prints, a line for whatever happens.

use jiff::Timestamp;
use milestone_domain::streams::StreamName;
use milestone_engine::session::{Session, Tried};
use schemars::JsonSchema;
use serde::Serialize;

/// One thing that happened in an execution. Readers pass over events that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Happening {
    pub at: Timestamp,
    pub event: What,
    /// The session's id.
    pub session: String,
    /// The attempt that it happened to, as it stood then: its `id`, its `task`, its `log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Tried>,
    /// The stream that it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamName>,
    /// Why, where there is a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The whole session, when it has begun and when it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<Session>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The session has begun, or goes on.
    Begun,
    /// A task is this session's.
    Claimed,
    /// Its runner works.
    Started,
    /// What the runner says has changed: `attempt.last`. Told once a second at most.
    Said,
    /// What was used has changed: `attempt.tokens_in`, `tokens_out`, `turns` and `cost`.
    Used,
    /// The task is done, and recorded as such.
    Done,
    /// The attempt came to nothing; the task is tried again.
    Failed,
    /// The attempt came to nothing; the task is left to a person.
    Blocked,
    /// The attempt was stopped; the task can be begun anew.
    Stopped,
    /// The task is another's now.
    Lost,
    /// The tasks of a stream are done, and their work is judged together.
    Judging,
    /// A stream's work is in the milestone's branch.
    Raised,
    /// It stays out; `reason` says why.
    Out,
    /// Something cannot be done now, such as to reach the store; it is tried again.
    Waiting,
    /// Nothing more is begun; what runs may end.
    Draining,
    /// What runs is stopped.
    Stopping,
    /// The session is over: `whole` says how.
    Ended,
}
