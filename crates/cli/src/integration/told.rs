//! What agents are told, once: each agent's form of it is made from this.

/// A command that a person types inside an agent.
#[derive(Debug)]
pub struct Told {
    pub name: &'static str,
    pub about: &'static str,
    /// What may be typed after it.
    pub hint: &'static str,
    pub body: &'static str,
}

pub const COMMANDS: [Told; 6] = [
    Told {
        name: "plan",
        about: "Plan a milestone: break a goal down into tasks, estimates and criteria",
        hint: "TITLE [what it is about]",
        body: include_str!("told/plan.md"),
    },
    Told {
        name: "execute",
        about: "Work through a milestone, task by task",
        hint: "[MILESTONE]",
        body: include_str!("told/execute.md"),
    },
    Told {
        name: "update",
        about: "Say where milestones stand, or change one",
        hint: "[MILESTONE] [what to change]",
        body: include_str!("told/update.md"),
    },
    Told {
        name: "archive",
        about: "Close a milestone and file it away",
        hint: "MILESTONE...",
        body: include_str!("told/archive.md"),
    },
    Told {
        name: "next",
        about: "Say which milestone tasks can be worked on now, best first",
        hint: "[MILESTONE]",
        body: include_str!("told/next.md"),
    },
    Told {
        name: "task",
        about: "Work on one milestone task: claim it, do it, end it",
        hint: "[TASK] [what to do with it]",
        body: include_str!("told/task.md"),
    },
];

/// What every agent should know before it is asked for anything.
pub const SECTION: &str = include_str!("told/section.md");
