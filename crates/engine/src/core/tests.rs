//! A simulated world: a store, git and runners that fail, stop, and are killed at any moment.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use uuid::Uuid;

use super::*;
use crate::world::{World, run};

const LEASE: Millis = 60_000;

/// How long a runner may take in a simulation; most take less.
const ATTEMPT_TIME: Millis = 100_000;

/// Some never end by themselves.
const FOREVER: Millis = 1_000_000_000;

/// Steps after which a session that has not ended never will.
const STEPS_MAX: usize = 20_000;

/// The same numbers from the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    Done,
    Blocked,
}

struct Task {
    requires: Vec<u32>,
    status: Status,
    claim: Option<(Attempt, Millis)>,
    fences: u64,
    /// How often it fails before it can be done.
    stubborn: u64,
}

/// Bugs on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// Git takes what anybody brings.
    FenceUnchecked,
    /// A session does not see what those before it have brought into the branch.
    IntegratedForgotten,
    /// A session does not know what it has used before it was killed.
    SpentForgotten,
    /// What a stream's lead has looked at goes up, whatever was decided.
    UpUnaccepted,
    /// A task is begun although what it builds on is in a stream that is not up.
    BegunTooEarly,
}

/// What outlives every session.
struct Lasting {
    tasks: BTreeMap<u32, Task>,
    /// What was begun and not cleared; and whether it is in the branch.
    flights: BTreeMap<AttemptId, Attempt>,
    fences: BTreeMap<u32, Attempt>,
    branch: Vec<(u32, AttemptId)>,
    recorded: Vec<(u32, AttemptId)>,
    /// What each attempt has reported to have used, for its task.
    spent: BTreeMap<AttemptId, (TaskId, u64)>,
    /// What all of them may use together.
    budget: Option<u64>,
    /// So many tasks, one after the other, are a stream; none where there are no streams.
    stream_of: Option<u32>,
    /// What was decided about each stream, with as many of its tasks in its branch.
    judged: Vec<(StreamName, usize, bool)>,
    up: BTreeSet<StreamName>,
    completed: bool,
    planted: Planted,
    wrong: Vec<String>,
}

impl Lasting {
    fn new(dice: &mut Dice, planted: Planted) -> Self {
        let count = 1 + dice.roll(12);
        let task = |number: u32, dice: &mut Dice| {
            let requires = (1..number).filter(|_| dice.one_in(3)).collect();
            let stubborn = if dice.one_in(3) { dice.roll(3) } else { 0 };
            Task { requires, status: Status::Open, claim: None, fences: 0, stubborn }
        };
        let numbers = 1..=u32::try_from(count).unwrap();
        Self {
            tasks: numbers.map(|number| (number, task(number, dice))).collect(),
            flights: BTreeMap::new(),
            fences: BTreeMap::new(),
            branch: Vec::new(),
            recorded: Vec::new(),
            spent: BTreeMap::new(),
            budget: dice.one_in(4).then(|| 500 + dice.roll(3_000)),
            stream_of: dice.one_in(2).then(|| 1 + u32::try_from(dice.roll(5)).unwrap()),
            judged: Vec::new(),
            up: BTreeSet::new(),
            completed: false,
            planted,
            wrong: Vec::new(),
        }
    }

    fn all_spent(&self) -> u64 {
        self.spent.values().map(|(_, cost)| cost).sum()
    }

    fn is_spent(&self) -> bool {
        self.budget.is_some_and(|budget| self.all_spent() >= budget)
    }

    fn holds(&self, attempt: Attempt) -> bool {
        let task = &self.tasks[&attempt.task.number];
        task.claim.is_some_and(|(claim, _)| claim == attempt)
    }

    fn is_integrated(&self, attempt: Attempt) -> bool {
        self.planted != Planted::IntegratedForgotten
            && self.branch.contains(&(attempt.task.number, attempt.id))
    }

    fn stream(&self, number: u32) -> Option<StreamName> {
        let first = (number - 1) / self.stream_of?;
        StreamName::parse(&format!("tasks-{first:03}"))
    }

    /// The tasks of a stream, and whether all of them are done.
    fn members(&self, stream: &StreamName) -> (usize, bool) {
        let own =
            self.tasks.iter().filter(|(number, _)| self.stream(**number).as_ref() == Some(stream));
        let own: Vec<_> = own.collect();
        (own.len(), own.iter().all(|(_, task)| task.status == Status::Done))
    }

    fn to_raise(&self) -> Vec<StreamName> {
        let all: BTreeSet<_> = self.tasks.keys().filter_map(|task| self.stream(*task)).collect();
        all.into_iter()
            .filter(|stream| self.members(stream).1 && !self.up.contains(stream))
            .collect()
    }

    /// Whether a branch that begins now would lack what a task builds on.
    fn lacks(&self, number: u32, on: u32) -> bool {
        let (own, theirs) = (self.stream(number), self.stream(on));
        own != theirs && theirs.is_some_and(|theirs| !self.up.contains(&theirs))
    }

    /// Judges a stream and brings it up; killed in between, it has only said what it decided.
    fn lead(&mut self, stream: &StreamName, dice: &mut Dice) -> Answer {
        let (count, complete) = self.members(stream);
        if !complete {
            return Answer::Later("it has changed".into());
        }
        let known = self.judged.iter().rfind(|(judged, of, _)| judged == stream && *of == count);
        let accepted = match known {
            Some((_, _, true)) => true,
            _ => !dice.one_in(8),
        };
        self.judged.push((stream.clone(), count, accepted));
        if !accepted && self.planted != Planted::UpUnaccepted {
            return failed(FailureKind::Verify);
        }
        if dice.one_in(4) {
            return Answer::Later("the disk is full".into());
        }
        self.up.insert(stream.clone());
        let last = self.judged.iter().rfind(|(judged, ..)| judged == stream);
        if last.is_none_or(|(_, _, accepted)| !accepted) {
            self.wrong.push(format!("{stream} went up without an accept"));
        }
        Answer::Done
    }

    fn outlook(&self, now: Millis) -> Outlook {
        let mut outlook = Outlook { to_raise: self.to_raise(), ..Outlook::default() };
        for (number, task) in &self.tasks {
            let id = TaskId::new(MilestoneId(1), *number);
            let early = self.planted == Planted::BegunTooEarly;
            let waits = task.requires.iter().any(|on| {
                self.tasks[on].status != Status::Done || !early && self.lacks(*number, *on)
            });
            match task.status {
                Status::Done => continue,
                Status::Blocked => outlook.waiting.push((id, "blocked".into())),
                Status::Open if waits => outlook.waiting.push((id, "waits".into())),
                Status::Open if task.claim.is_some_and(|(_, until)| until > now) => {
                    outlook.held += 1;
                }
                Status::Open => outlook.ready.push(id),
            }
            outlook.open += 1;
        }
        outlook
    }

    /// Does what an action does, all of it or nothing.
    fn act(&mut self, action: &Action, now: Millis, dice: &mut Dice) -> Answer {
        match action {
            Action::Recover => Answer::Recovered(self.left()),
            Action::Look => Answer::Looked(self.outlook(now)),
            Action::Claim(task) => self.claim(*task, now, dice),
            Action::Prepare(attempt) => match self.fences.get(&attempt.task.number) {
                Some(held) if held.fence > attempt.fence => lost(),
                _ => {
                    let number = attempt.task.number;
                    if self.tasks[&number].requires.iter().any(|on| self.lacks(number, *on)) {
                        self.wrong.push(format!("task {number} begins without what it builds on"));
                    }
                    self.fences.insert(number, *attempt);
                    let there = self.planted != Planted::IntegratedForgotten
                        && self.branch.iter().any(|(task, _)| *task == attempt.task.number);
                    if there { Answer::InBranch } else { Answer::Done }
                }
            },
            Action::Run(attempt, _) => self.ran(*attempt, dice),
            Action::Keep(attempt) => {
                let files = vec![format!("f{}", attempt.task.number % 3)];
                Answer::Kept { changed: !dice.one_in(20), files }
            }
            Action::Verify(_) if dice.one_in(15) => failed(FailureKind::Verify),
            Action::Integrate(attempt) => self.integrate(*attempt, dice),
            Action::Record(attempt) => self.record(*attempt),
            Action::GiveBack(attempt, _, to) => self.give_back(*attempt, *to),
            Action::Clear(attempt) => {
                self.flights.remove(&attempt.id);
                Answer::Done
            }
            Action::Renew(attempts) => self.renew(attempts, now),
            Action::Lead(stream) => self.lead(stream, dice),
            Action::Finish => {
                if !self.to_raise().is_empty() {
                    self.wrong.push("completed with a stream that is not up".into());
                }
                self.completed = true;
                Answer::Done
            }
            Action::Verify(_)
            | Action::Stop(_)
            | Action::Save
            | Action::StopFinish
            | Action::StopLead => Answer::Done,
        }
    }

    fn left(&self) -> Vec<Leftover> {
        let flights = self.flights.values();
        let left = flights.map(|attempt| Leftover {
            attempt: *attempt,
            integrated: self.is_integrated(*attempt),
        });
        left.collect()
    }

    fn claim(&mut self, id: TaskId, now: Millis, dice: &mut Dice) -> Answer {
        let ready = self.outlook(now).ready.contains(&id);
        let Some(task) = self.tasks.get_mut(&id.number).filter(|_| ready) else {
            return Answer::NotClaimed;
        };
        task.fences += 1;
        let number = u128::from(dice.roll(u64::MAX));
        let attempt =
            Attempt { task: id, id: AttemptId(Uuid::from_u128(number)), fence: task.fences };
        task.claim = Some((attempt, now + LEASE));
        self.flights.insert(attempt.id, attempt);
        Answer::Claimed(attempt)
    }

    fn ran(&mut self, attempt: Attempt, dice: &mut Dice) -> Answer {
        let task = self.tasks.get_mut(&attempt.task.number).unwrap();
        if task.stubborn > 0 {
            task.stubborn -= 1;
            let failure = Failure::new(FailureKind::Run, "failed");
            return Answer::Ran(Ran::Badly(failure));
        }
        match dice.roll(40) {
            0 => Answer::Ran(Ran::Limited(5_000, "too many requests".into())),
            1 => Answer::Ran(Ran::NothingToChange("done already".into())),
            _ => Answer::Ran(Ran::Well),
        }
    }

    fn integrate(&mut self, attempt: Attempt, dice: &mut Dice) -> Answer {
        let number = attempt.task.number;
        let unchecked = self.planted == Planted::FenceUnchecked;
        if !unchecked && self.fences.get(&number) != Some(&attempt) {
            return lost();
        }
        if dice.one_in(15) {
            let files = vec![format!("f{}", number % 3)];
            return Answer::Conflict { files, reason: "as the dice fell".into() };
        }
        if self.branch.iter().any(|(task, by)| *task == number && *by != attempt.id) {
            self.wrong.push(format!("task {number} is in the branch twice"));
        }
        if !self.branch.contains(&(number, attempt.id)) {
            self.branch.push((number, attempt.id));
        }
        Answer::Done
    }

    fn record(&mut self, attempt: Attempt) -> Answer {
        let number = attempt.task.number;
        if self.recorded.contains(&(number, attempt.id)) {
            return Answer::Done;
        }
        if !self.holds(attempt) {
            return lost();
        }
        if !self.branch.iter().any(|(task, _)| *task == number) {
            self.wrong.push(format!("task {number} is done and not in the branch"));
        }
        if self.recorded.iter().any(|(task, _)| *task == number) {
            self.wrong.push(format!("task {number} was done twice"));
        }
        self.recorded.push((number, attempt.id));
        let task = self.tasks.get_mut(&number).unwrap();
        (task.status, task.claim) = (Status::Done, None);
        Answer::Done
    }

    fn give_back(&mut self, attempt: Attempt, to: GiveTo) -> Answer {
        if !self.holds(attempt) {
            return lost();
        }
        let task = self.tasks.get_mut(&attempt.task.number).unwrap();
        task.claim = None;
        if to == GiveTo::Person && task.status == Status::Open {
            task.status = Status::Blocked;
        }
        Answer::Done
    }

    fn renew(&mut self, attempts: &[Attempt], now: Millis) -> Answer {
        let (held, lost): (Vec<_>, Vec<_>) =
            attempts.iter().copied().partition(|attempt| self.holds(*attempt));
        for attempt in held {
            if let Some((_, until)) =
                self.tasks.get_mut(&attempt.task.number).and_then(|task| task.claim.as_mut())
            {
                *until = now + LEASE;
            }
        }
        Answer::Renewed { lost: lost.into_iter().map(|attempt| attempt.id).collect() }
    }
}

fn lost() -> Answer {
    failed(FailureKind::Lost)
}

fn failed(kind: FailureKind) -> Answer {
    Answer::Failed(Failure::new(kind, "as the dice fell"))
}

/// One session's hold on what lasts.
struct Simulated<'a> {
    lasting: &'a mut Lasting,
    dice: &'a mut Dice,
    now: Millis,
    /// What is under way: when it is done, and whether it has had its effect already.
    pending: Vec<(Millis, ActionId, Action, Option<Answer>)>,
    /// When each runner was started.
    started: BTreeMap<AttemptId, Millis>,
    /// What the session was told by now, and not only what was used.
    told: u64,
    steps: usize,
    /// After so many steps the session is killed.
    dies_after: usize,
    under_way: BTreeSet<TaskId>,
    /// What dead sessions had begun, which a process that was only paused still does.
    zombies: &'a mut Vec<Action>,
}

impl World for Simulated<'_> {
    fn now(&self) -> Millis {
        self.now
    }

    fn begin(&mut self, id: ActionId, action: Action) {
        if let Action::Run(attempt, _) = &action
            && !self.under_way.insert(attempt.task)
        {
            self.lasting.wrong.push(format!("{} runs twice at a time", attempt.task));
        }
        if matches!(action, Action::Claim(_))
            && self.lasting.budget.is_some_and(|most| self.told >= most)
        {
            self.lasting.wrong.push(format!("{action:?} although all is spent"));
        }
        if let Action::Stop(attempt) = &action {
            self.stop(*attempt);
        }
        if action == Action::StopLead {
            self.stop_lead();
        }
        let takes = match &action {
            Action::Run(attempt, _) => {
                self.started.insert(attempt.id, self.now);
                if self.dice.one_in(30) { FOREVER } else { 1 + self.dice.roll(40_000) }
            }
            Action::Lead(_) if self.dice.one_in(20) => FOREVER,
            _ => 1 + self.dice.roll(500),
        };
        // The effect may come long before whoever asked hears of it.
        let at_once = self.dice.one_in(2).then(|| self.effect(&action));
        self.pending.push((self.now + takes, id, action, at_once));
    }

    fn next(&mut self, until: Millis) -> Option<Input> {
        self.steps += 1;
        if self.steps >= self.dies_after {
            std::panic::panic_any(Died);
        }
        if self.dice.one_in(15)
            && let Some(zombie) = self.zombies.pop()
        {
            self.lasting.act(&zombie, self.now, self.dice);
        }
        if self.dice.one_in(400) {
            return Some(Input::Restart);
        }
        if self.dice.one_in(8)
            && let Some(said) = self.says()
        {
            return Some(said);
        }
        let first = self.pending.iter().enumerate().min_by_key(|(_, pending)| pending.0);
        let first = first.map(|(at, pending)| (at, pending.0)).filter(|(_, when)| *when <= until);
        let Some((at, when)) = first else {
            self.now = until;
            return None;
        };
        self.now = self.now.max(when);
        let (_, id, action, effect) = self.pending.swap_remove(at);
        if let Action::Run(attempt, _) = &action {
            self.under_way.remove(&attempt.task);
            let took = self.now - self.started.remove(&attempt.id).unwrap_or(self.now);
            if took > ATTEMPT_TIME + 1_000 {
                self.lasting.wrong.push(format!("{} ran for {took} ms", attempt.task));
            }
        }
        let answer = effect.unwrap_or_else(|| self.effect(&action));
        Some(Input::Answer(id, answer))
    }
}

struct Died;

impl Simulated<'_> {
    /// What runs ends at once, and says so.
    fn stop(&mut self, attempt: Attempt) {
        for (when, _, action, effect) in &mut self.pending {
            if matches!(action, Action::Run(run, _) if run.id == attempt.id) {
                *when = self.now + 1;
                *effect = Some(failed(FailureKind::Stopped));
            }
        }
    }

    fn stop_lead(&mut self) {
        for (when, _, action, effect) in &mut self.pending {
            if matches!(action, Action::Lead(_)) {
                *when = self.now + 1;
                effect.get_or_insert_with(|| failed(FailureKind::Stopped));
            }
        }
    }

    /// A runner says something, and what it has used by now.
    fn says(&mut self) -> Option<Input> {
        let running = self.pending.iter().find_map(|(_, _, action, _)| match action {
            Action::Run(attempt, _) => Some(*attempt),
            _ => None,
        })?;
        let more = self.dice.roll(200);
        let spent = self.lasting.spent.entry(running.id).or_insert((running.task, 0));
        spent.1 += more;
        self.told += more;
        let used = Used { cost: Some(spent.1), ..Used::default() };
        Some(Input::Heard(running, Some(used)))
    }

    fn effect(&mut self, action: &Action) -> Answer {
        let unreachable = self.dice.one_in(25) && !matches!(action, Action::Run(..));
        let leaves_the_host =
            matches!(action, Action::Prepare(_) | Action::Keep(_) | Action::Integrate(_));
        if unreachable && leaves_the_host && self.dice.one_in(2) {
            return Answer::Away("the hub is not there".into());
        }
        if unreachable {
            return Answer::Later("the store is not there".into());
        }
        self.lasting.act(action, self.now, self.dice)
    }
}

/// Sessions, one after the other, each killed at some moment, until one ends by itself.
fn simulate(seed: u64, planted: Planted) -> Result<Ending, String> {
    let mut dice = Dice(seed);
    let mut lasting = Lasting::new(&mut dice, planted);
    let mut now = 0;
    let mut zombies: Vec<Action> = Vec::new();
    let kills = dice.roll(6);
    for life in 0.. {
        let dies_after =
            if life < kills { 1 + usize::try_from(dice.roll(60)).unwrap() } else { STEPS_MAX };
        let limits = Limits {
            attempt_time: Some(ATTEMPT_TIME),
            session: Budget { cost: lasting.budget, tokens: None },
            ..Limits::default()
        };
        let slots = 1 + usize::try_from(dice.roll(5)).unwrap();
        // One that only helps ends without completing anything, and another one comes.
        let finishes = life >= kills || !dice.one_in(4);
        let was_completed = lasting.completed;
        let rules = Rules { slots, finishes, limits, ..Rules::default() };
        let mut state = State::new(rules, now);
        for (task, cost) in lasting.spent.values().filter(|_| planted != Planted::SpentForgotten) {
            state.has_spent(*task, Spent { cost: *cost, tokens: 0 });
        }
        let told = lasting.all_spent();
        let mut world = Simulated {
            lasting: &mut lasting,
            dice: &mut dice,
            now,
            pending: Vec::new(),
            started: BTreeMap::new(),
            told,
            steps: 0,
            dies_after,
            under_way: BTreeSet::new(),
            zombies: &mut zombies,
        };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&mut state, &mut world, &mut |_, _| {})
        }));
        now = world.now;
        let left: Vec<Action> = world.pending.into_iter().map(|(_, _, action, _)| action).collect();
        match ended {
            Ok(Ending::Stuck(_)) if !finishes && lasting.completed == was_completed => {}
            Ok(Ending::Completed) if !finishes => return Err("it was only to help".into()),
            Ok(ending) => {
                for zombie in &zombies {
                    lasting.act(zombie, now, &mut dice);
                }
                return checked(&lasting, ending);
            }
            Err(died) if died.is::<Died>() && dies_after < STEPS_MAX => {}
            Err(died) if died.is::<Died>() => return Err("it never ends".into()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        // What the dead one had begun may still come to its end, at once or much later.
        for action in left {
            match dice.roll(3) {
                0 => drop(lasting.act(&action, now, &mut dice)),
                1 => zombies.push(action),
                _ => {}
            }
        }
        now += dice.roll(2 * LEASE);
    }
    unreachable!("the last life is not cut short")
}

fn checked(lasting: &Lasting, ending: Ending) -> Result<Ending, String> {
    if let Some(wrong) = lasting.wrong.first() {
        return Err(wrong.clone());
    }
    let all_done = lasting.tasks.values().all(|task| task.status == Status::Done);
    match &ending {
        Ending::Completed if all_done && lasting.completed => Ok(ending),
        Ending::StreamsOut(_) if all_done && !lasting.to_raise().is_empty() => Ok(ending),
        Ending::Stuck(waiting) if !all_done && !waiting.is_empty() => Ok(ending),
        Ending::Spent(_) if !all_done && lasting.is_spent() => Ok(ending),
        other => Err(format!("ended as {other:?}, all done: {all_done}")),
    }
}

fn quiet(work: impl FnOnce()) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Died>() {
            hook(info);
        }
    }));
    work();
}

fn seeds() -> u64 {
    if std::env::var_os("MILESTONE_FULL").is_some() { 20_000 } else { 1_500 }
}

#[test]
fn killed_sessions_lose_nothing_and_do_nothing_twice() {
    quiet(|| {
        let (mut completed, mut stuck, mut spent, mut out) = (0, 0, 0, 0);
        for seed in 0..seeds() {
            match simulate(seed, Planted::Nothing) {
                Ok(Ending::Completed) => completed += 1,
                Ok(Ending::Spent(_)) => spent += 1,
                Ok(Ending::StreamsOut(_)) => out += 1,
                Ok(_) => stuck += 1,
                Err(wrong) => panic!("seed {seed}: {wrong}"),
            }
        }
        println!(
            "{completed} completed, {stuck} with a task for a person, {spent} spent, {out} with a \
             stream that stays out"
        );
        assert!(completed > stuck / 2 && stuck > 0 && spent > 0 && out > 0);
    });
}

#[test]
fn planted_bugs_are_found_by_the_simulation() {
    quiet(|| {
        for bug in [
            Planted::FenceUnchecked,
            Planted::IntegratedForgotten,
            Planted::SpentForgotten,
            Planted::UpUnaccepted,
            Planted::BegunTooEarly,
        ] {
            let found = (0..seeds()).find(|seed| simulate(*seed, bug).is_err());
            assert!(found.is_some(), "{bug:?} is not found");
        }
    });
}
