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

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use clap::error::ErrorKind;

    use super::*;
    use crate::args::Cli;

    /// Words of a command line, of which one in quotes may have spaces.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn every_command_that_agents_are_told_is_one_of_ours() {
        let named = [
            ("ID", "1"),
            ("MILESTONE", "1"),
            ("TASK", "1.1"),
            ("FENCE", "1"),
            ("NUMBER", "1"),
            ("PERCENT", "50"),
        ];
        let bodies = COMMANDS.iter().map(|told| told.body).chain([SECTION]);
        let spans = bodies.flat_map(|body| body.split('`').skip(1).step_by(2));
        let lines: Vec<&str> = spans.filter(|span| span.starts_with("milestone ")).collect();
        assert!(lines.len() > 30, "{lines:?}");
        for line in lines {
            let word = |word: String| {
                named
                    .iter()
                    .find(|(name, _)| *name == word)
                    .map_or(word, |(_, value)| (*value).into())
            };
            let parsed = Cli::try_parse_from(words(line).into_iter().map(word));
            let ok = parsed.map(drop).or_else(|error| match error.kind() {
                ErrorKind::DisplayHelp => Ok(()),
                _ => Err(error.to_string()),
            });
            assert_eq!(ok, Ok(()), "{line}");
        }
    }
}
